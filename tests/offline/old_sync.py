"""Where `wandb sync` of 0.21.4 differs from the newest one, and from `runql open`: each place with its reason.

That tool is another program: Python code that the SDK itself had stopped to use, while its runs are logged by the Go code that
the newest `wandb sync` uses, too. Each reason names lines of the tool; a test finds them there.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final


@dataclass(frozen=True)
class Exemption:
    """Places that may differ, as patterns of paths, why, and the lines of the tool that make it so.

    Attributes:
        run: the run whose places these are; empty for every run.
    """

    places: tuple[str, ...]
    reason: str
    module: str
    code: str
    run: str = ""

    def holds(self, run: str, place: str) -> bool:
        """Check whether a place of a run is one of these."""
        return self.run in ("", run) and any(fnmatchcase(place, pattern) for pattern in self.places)


SENDER: Final = "sdk/internal/sender.py"
CONFIG: Final = "sdk/internal/sender_config.py"
ROWLESS: Final = "summary without its row"
"""The exemption of a run that was killed between a summary record and the row that it is of."""

EXEMPTIONS: Final = {
    "exit": Exemption(
        ("state",),
        "it sends the exit record when it reads a record `final`, which offline runs do not have",
        "sync/sync.py",
        'elif record_type == "final":',
    ),
    "runtime": Exemption(
        ("summary/_wandb", "files/wandb-summary.json/_wandb"),
        "it replaces `_wandb` by what the exit record says, which it never sends",
        SENDER,
        'summary_dict.pop("_wandb", None)',
    ),
    "removed keys": Exemption(
        ("summary/gone", "files/wandb-summary.json/gone"),
        "it reads the updates of a summary record, not the removed keys",
        SENDER,
        "summary_dict = proto_util.dict_from_proto_list(summary.update)",
    ),
    "sync": Exemption(
        ("config/_wandb/t/3", "files/config.yaml/_wandb/value/t/*"),
        "it marks its own process in the telemetry, and writes the numbers of fields as YAML's numbers",
        SENDER,
        "self._telemetry_obj.feature.sync = True",
    ),
    "merge": Exemption(
        ("config/optimizer/*", "files/config.yaml/optimizer/value/*"),
        "it replaces an object in the config where the SDK merges it",
        CONFIG,
        "subtree[key_path[-1]] = value",
    ),
    "empty": Exemption(
        ("config/empty", "files/config.yaml/empty"),
        "it keeps an empty object, which the SDK does not upload",
        CONFIG,
        "subtree[key_path[-1]] = value",
    ),
    "start": Exemption(
        (
            "config/_wandb/is_jupyter_run",
            "config/_wandb/is_kaggle_kernel",
            "config/_wandb/start_time",
            "files/config.yaml/_wandb/value/is_*",
            "files/config.yaml/_wandb/value/start_time",
        ),
        "it adds members to the config that the SDK no longer writes",
        CONFIG,
        'wandb_internal["is_jupyter_run"] = telemetry_record.env.jupyter',
    ),
    "descriptions": Exemption(
        ("files/config.yaml/*/desc", "files/config.yaml/wandb_version"),
        "its file has an empty description of each key",
        CONFIG,
        '"desc": None',
    ),
    "metrics": Exemption(
        ("config/_wandb/m*", "files/config.yaml/_wandb/value/m*"),
        "it ignores patterns, leaves out empty members, and defines no metric for a step that was never defined",
        SENDER,
        "if metric.glob_name:",
    ),
    "environment": Exemption(
        (
            "config/_wandb/e/0/started*",
            "config/_wandb/e/0/writer*",
            "metadata/started*",
            "metadata/writer*",
            "files/*/e/0/started*",
            "files/*/e/0/writer*",
            "files/wandb-metadata.json/started*",
            "files/wandb-metadata.json/writer*",
        ),
        "it names members as protobuf does, not as its JSON does",
        "sdk/lib/proto_util.py",
        "MessageToDict(message, preserving_proto_field_name=True)",
    ),
    "newlines": Exemption(
        ("log/*", "files/output.log"),
        "it sends lines with their newline, stdout and stderr by two threads, and by a terminal of its own",
        SENDER,
        'line = f"{prepend}{timestamp}{prev_str}{line}"',
    ),
    ROWLESS: Exemption(
        ("summary/_step", "files/wandb-summary.json/_step"),
        "it takes the step from the last summary record, the newest tool from the last row; the SDK writes the summary first",
        SENDER,
        "summary_dict = proto_util.dict_from_proto_list(summary.update)",
        run="killed",
    ),
    "size of references": Exemption(
        ("logged artifacts/*/entries/ref.bin/1",),
        "it takes an entry of a list of files as it stands there, where a reference has no size",
        SENDER,
        "contents[path] = entry_json",
    ),
}
