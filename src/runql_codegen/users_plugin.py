"""The ariadne-codegen plugin for packages of users, which import what runql has instead of copying it."""

from __future__ import annotations

import ast
from typing import Final

from graphql import FragmentDefinitionNode

from runql_codegen.plugin import (
    RUNTIME_MODULES,
    OperationFunctions,
    documented,
    names_with_directives,
    require_presence,
)

RUNTIME_NAMES: Final = ("UNSET", "Operation", "UnsetType")
MARK_OF_ABSENCE: Final = (
    "class UnsetType:\n    def __bool__(self) -> bool:\n        return False\n\n\nUNSET = UnsetType()\n\n\n"
)


class UsersOperationFunctions(OperationFunctions):
    """As `OperationFunctions`, for a package in another project."""

    generator = "runql-codegen"

    def generate_client_module(self, module: ast.Module) -> ast.Module:
        """Import `Operation` and `UNSET` from runql; a later step removes unused imports."""
        module = super().generate_client_module(module)
        is_ours = [
            isinstance(node, ast.ImportFrom) and node.module in RUNTIME_MODULES for node in module.body
        ]
        first = is_ours.index(True)
        body = [node for node, ours in zip(module.body, is_ours, strict=True) if not ours]
        body.insert(first, ast.ImportFrom("runql", [ast.alias(name) for name in RUNTIME_NAMES], 0))
        module.body = body
        return ast.fix_missing_locations(module)

    def generate_fragments_module(
        self, module: ast.Module, fragments_definitions: dict[str, FragmentDefinitionNode]
    ) -> ast.Module:
        """Add a docstring, and require every field: a response without one does not fit the query."""
        may_be_absent = {
            name
            for fragment in fragments_definitions.values()
            for name in names_with_directives(fragment.selection_set)
        }
        for shape in module.body:
            if isinstance(shape, ast.ClassDef):
                require_presence(shape, may_be_absent)
        return documented(module, "The fragments, one type for each shape.")

    def copy_code(self, copied_code: str) -> str:
        """Leave out of the base model's module what runql has."""
        code = super().copy_code(copied_code)
        return code.replace(MARK_OF_ABSENCE, "").replace(
            ", and the mark of a variable that is left out.", "."
        )

    def generate_init_module(self, module: ast.Module) -> ast.Module:
        """Export nothing: a function and the module of its result have the same name."""
        text = (
            "Typed operations: import the functions from `operations`, and the types from the other modules."
        )
        module.body = [ast.Expr(ast.Constant(text))]
        return ast.fix_missing_locations(module)
