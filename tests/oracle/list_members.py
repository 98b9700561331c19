"""A script for the official SDK's interpreter: print the members of its public API as JSON."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypedDict

# Members that lead to classes which the package of the public API does not export.
ELSEWHERE = {
    "Agent": "wandb.apis.public.sweeps",
    "HTTPSummary": "wandb.apis.public.summary",
    "Artifact": "wandb.sdk.artifacts.artifact",
    "ArtifactManifest": "wandb.sdk.artifacts.artifact_manifest",
    "ArtifactManifestEntry": "wandb.sdk.artifacts.artifact_manifest_entry",
}

# Classes whose attributes are the fields of a query: the models or the documents with these fields.
ASKED = {
    "Run": "wandb.apis.public.runs:RUN_FRAGMENT",
    "Sweep": "wandb.apis._generated:SweepFragment",
    "Agent": "wandb.apis._generated:AgentFragment",
    "Project": "wandb.apis._generated:ProjectFragment",
    "User": "wandb.apis._generated:UserFragment",
    "File": "wandb.sdk.artifacts._generated:FileFragment",
}


class Found(TypedDict):
    """Members of a class: all, assignable ones, and the parameters of callable ones."""

    members: list[str]
    settable: list[str]
    parameters: dict[str, list[str]]


def main() -> None:
    """Print every public class, and every class that a public one leads to."""
    public = importlib.import_module("wandb.apis.public")
    classes = {name: getattr(public, name) for name in public.__all__}
    classes |= {name: getattr(importlib.import_module(where), name) for name, where in ELSEWHERE.items()}
    found = {name: described(name, each) for name, each in classes.items() if inspect.isclass(each)}
    json.dump(found, sys.stdout)


def described(name: str, owner: type) -> Found:
    """Describe the members that the SDK defines, without those of Python's and pydantic's classes."""
    own = [base for base in owner.__mro__ if base.__module__.partition(".")[0] == "wandb"]
    written: dict[str, object] = {}
    for base in reversed(own):
        written |= vars(base)
    names = {
        *written,
        *(each for base in own for each in vars(base).get("__annotations__", {})),
        *(each for base in own for each in assigned_in(base)),
        *asked_fields(name),
    }
    public = sorted(each for each in names if not each.startswith("_"))
    # Callers construct only the first class, which constructs the others.
    looked_at = [*public, "__init__"] if name == "Api" else public
    methods = {each: value for each in looked_at if (value := called(written.get(each)))}
    return {
        "members": public,
        "settable": [each for each in public if isinstance(p := written.get(each), property) and p.fset],
        "parameters": {each: parameters_of(value) for each, value in sorted(methods.items())},
    }


def assigned_in(owner: type) -> Iterator[str]:
    """Yield the attributes that a class's methods assign to instances."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    except OSError:
        return
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def asked_fields(name: str) -> Iterable[str]:
    """Return the response fields that attributes look up, by their Python names.

    `user` is not among them, because the SDK refuses it.
    """
    module, _, fragment = ASKED.get(name, "").partition(":")
    if not module:
        return ()
    shape: object = getattr(importlib.import_module(module), fragment)
    if isinstance(shape, str):
        outer = re.sub(r"\{[^{}]*\}", "", shape[shape.index("{") + 1 : shape.rindex("}")])
        return [snake(word) for word in outer.split() if word != "user"]
    fields: Mapping[str, object] = getattr(shape, "model_fields")  # noqa: B009 - for type checkers
    names = (getattr(field, "alias", None) or name for name, field in fields.items())
    return [snake(name) for name in names if "__" not in name and name != "user"]


def called(value: object) -> Callable[..., object] | None:
    """Return the function behind a class attribute."""
    function: object = getattr(value, "__func__", value)
    return function if inspect.isfunction(function) else None


def parameters_of(function: Callable[..., object]) -> list[str]:
    """Return the parameter names of a function."""
    return [
        name
        for name, each in inspect.signature(function).parameters.items()
        if name not in {"self", "cls"} and each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
    ]


def snake(name: str) -> str:
    """Convert ``createdAt`` to ``created_at``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


if __name__ == "__main__":
    main()
