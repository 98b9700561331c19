"""Keys that are no str in a config, a summary or metadata: the error that nested objects give, before anything is sent."""

from __future__ import annotations

import pytest
from tests.contract.both_clients import AnyRun, Face
from tests.contract.untyped import Untyped, taken

from runql_server.running import RunningServer

NO_STR = pytest.mark.parametrize("key", [1, None, 2.5, ("a", "b")], ids=repr)


@NO_STR
def test_a_config_takes_str_keys_only(key: object, run: AnyRun, face: Face, server: RunningServer) -> None:
    config: Untyped = run.config
    config[key] = 2
    with pytest.raises(TypeError, match="config cannot be stored: keys must be str, not "):
        face.take(run.update())
    config.pop(key)
    config["deep"] = {key: 2}
    with pytest.raises(TypeError, match=r"config\['deep'\] cannot be stored: keys must be str, not "):
        face.take(run.update())
    assert server.requests == []


@NO_STR
def test_a_summary_takes_str_keys_only(key: object, run: AnyRun, face: Face, server: RunningServer) -> None:
    summary: Untyped = run.summary
    with pytest.raises(TypeError, match="summary cannot be stored: keys must be str, not "):
        summary[key] = 2
    with pytest.raises(TypeError, match="summary cannot be stored: keys must be str, not "):
        taken(face, summary.update({key: 2}))
    # The plain dict takes all keys: `update` is the last place to refuse one.
    summary._json_dict[key] = 2
    with pytest.raises(TypeError, match="summary cannot be stored: keys must be str, not "):
        face.take(run.update())
    assert server.requests == []


@NO_STR
def test_a_key_that_is_no_str_is_not_in_a_summary(key: object, run: AnyRun) -> None:
    summary: Untyped = run.summary
    assert key not in summary
    assert summary.get(key, 7) == 7
    with pytest.raises(KeyError):
        summary[key]
    with pytest.raises(KeyError):
        del summary[key]


def test_the_plain_dict_of_a_summary_is_the_summary(run: AnyRun) -> None:
    plain = run.summary._json_dict  # pyright: ignore[reportPrivateUsage] — W&B's own example reads it
    assert type(plain) is dict
    assert plain == dict(run.summary) != {}
    plain["new"] = 1
    assert run.summary["new"] == 1
