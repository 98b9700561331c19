"""The ariadne-codegen plugin: client methods become pure, keyword-only functions that return an `Operation`."""

from __future__ import annotations

import ast
import re
from typing import Any

from ariadne_codegen.plugins.base import Plugin
from ariadne_codegen.utils import str_to_snake_case
from graphql import (
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
)

SEPARATED_DIGITS = re.compile(r"_(\d)")

# Imports that ariadne-codegen writes for subclasses of fragments, whose inherited annotations name their types.
FOR_INHERITED_ANNOTATIONS = re.compile(
    r"^(from \.\w+ import (?:\([^)]*\)|[^()\n]+?))  # noqa: F401\n", re.MULTILINE
)

# Modules that every operation needs; all other modules of the package hold models.
RUNTIME_MODULES = {"base_model", "operation"}

# The last setting of ariadne-codegen's configuration of the base model.
LAST_SETTING = "        defer_build=True,\n"

# A shape whose required fields are only these also requires its nullable fields.
NAMES_ALONE = ({"name"}, {"id", "name"})

# An enum is open: an unknown value of a newer server becomes a new member, equal to its string.
OPEN_MISSING = """
@classmethod
def _missing_(cls, value: object) -> Optional["{enum}"]:
    if not isinstance(value, str):
        return None
    member = str.__new__(cls, value)
    member._name_ = member._value_ = value
    return member
"""


class OperationFunctions(Plugin):
    """Replaces the generated client class by one function per operation."""

    # Any is ariadne-codegen's: the configuration is the parsed pyproject.toml.
    def __init__(self, schema: GraphQLSchema, config_dict: dict[str, Any]) -> None:
        super().__init__(schema=schema, config_dict=config_dict)  # pyright: ignore[reportUnknownMemberType] — its dict has no parameters
        self._functions: list[ast.FunctionDef] = []
        self._documents: dict[str, str] = {}

    def process_name(self, name: str, node: Node | None = None) -> str:  # noqa: ARG002 — the hook's signature
        """Keep digits with the word before them: `md5` stays `md5`."""
        return SEPARATED_DIGITS.sub(r"\1", name)

    def generate_operation_str(
        self, operation_str: str, operation_definition: ExecutableDefinitionNode
    ) -> str:
        """Collect the document of one operation, with its fragments."""
        if operation_definition.name is None:
            raise TypeError("every operation needs a name")
        self._documents[_document_name(operation_definition.name.value)] = operation_str
        return operation_str

    def generate_client_method(
        self,
        method_def: ast.FunctionDef | ast.AsyncFunctionDef,
        operation_definition: OperationDefinitionNode,
    ) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """Collect the function of one operation; the method is removed with its class."""
        if operation_definition.name is None or isinstance(method_def, ast.AsyncFunctionDef):
            raise TypeError("operations must be named, and `async_client` must be false")
        self._functions.append(
            _operation_function(
                method_def,
                operation_definition.name.value,
                operation_definition.operation.value,
            )
        )
        return method_def

    def generate_client_module(self, module: ast.Module) -> ast.Module:
        """Replace the client class by the functions; a later step removes unused imports.

        Type checkers import all models. At run time each function imports its own, so that one operation does not
        build the models of all others.
        """
        imports = [node for node in module.body if isinstance(node, ast.ImportFrom)]
        models = [node for node in imports if node.level and node.module not in RUNTIME_MODULES]
        functions = sorted(self._functions, key=lambda function: function.name)
        module.body = [
            ast.ImportFrom("__future__", [ast.alias("annotations")], 0),
            ast.ImportFrom("typing", [ast.alias("TYPE_CHECKING")], 0),
            *(node for node in imports if node not in models),
            ast.If(ast.Name("TYPE_CHECKING"), [*models], []),
            *functions,
        ]
        return _documented(module, "The operations, one function each.")

    def generate_enums_module(self, module: ast.Module) -> ast.Module:
        """Open every enum, so that values missing from the pinned schema are accepted."""
        enums = [node for node in module.body if isinstance(node, ast.ClassDef)]
        for enum in enums:
            enum.body += ast.parse(OPEN_MISSING.format(enum=enum.name)).body
        if enums:
            module.body.insert(0, ast.ImportFrom("typing", [ast.alias("Optional")], 0))
        return _documented(module, "The enums; a value that is not listed becomes a member of its own.")

    def generate_inputs_module(self, module: ast.Module) -> ast.Module:
        """Say what lives there."""
        return _documented(module, "The input objects of variables.")

    def generate_fragments_module(
        self,
        module: ast.Module,
        fragments_definitions: dict[str, FragmentDefinitionNode],
    ) -> ast.Module:
        """Add a docstring, and require the fields of shapes that only names would identify.

        Complete records may lack nullable fields, because callers build them by hand, too. A shape whose fields are
        all nullable except the names would fit any response about the run, as if every field were null.
        """
        for shape in module.body:
            fragment = fragments_definitions.get(shape.name) if isinstance(shape, ast.ClassDef) else None
            if not isinstance(shape, ast.ClassDef) or fragment is None:
                continue
            if fragment.type_condition.name.value == "Run" and _required_fields(shape) in NAMES_ALONE:
                _require_presence(shape, _names_with_directives(fragment.selection_set))
        return _documented(module, "The fragments, one type for each shape.")

    def generate_result_types_module(
        self, module: ast.Module, operation_definition: ExecutableDefinitionNode
    ) -> ast.Module:
        """Add a docstring, and require every field: a response without one belongs to another operation.

        Fields of fragments may be missing: callers build them by hand, too, and `@include` selects some of them.
        """
        name = operation_definition.name.value if operation_definition.name else "an operation"
        may_be_absent = _names_with_directives(operation_definition.selection_set)
        for shape in module.body:
            if isinstance(shape, ast.ClassDef):
                _require_presence(shape, may_be_absent)
        return _documented(module, f"What the server answers to `{name}`.")

    def generate_result_types_code(self, generated_code: str) -> str:
        """Move the import for inherited annotations below the docstring, and mark it as used for pyright."""
        found = FOR_INHERITED_ANNOTATIONS.search(generated_code)
        if found is None:
            return generated_code
        above, below = generated_code[: found.start()], generated_code[found.end() :].lstrip("\n")
        said, closed, rest = below.partition('"""\n')
        used = "pyright: ignore[reportUnusedImport] - inherited annotations name them"
        return f"{above}{said}{closed}\n{found[1]}  # noqa: F401  # {used}\n{rest}"

    def copy_code(self, copied_code: str) -> str:
        """Add a docstring to the base model's module, annotate its configuration, and accept numbers as str."""
        if ast.get_docstring(ast.parse(copied_code)) is not None:
            return copied_code
        comment, blank, code = copied_code.partition("\n\n")
        code = code.replace(LAST_SETTING, f"{LAST_SETTING}        coerce_numbers_to_str=True,\n")
        code = code.replace("model_config = ConfigDict(", "model_config: ClassVar[ConfigDict] = ConfigDict(")
        code = f"from typing import ClassVar\n\n{code}"
        return f'{comment}{blank}"""The base of all models, and the mark of a variable that is left out."""{blank}{code}'

    def generate_client_code(self, generated_code: str) -> str:
        """Insert the documents before the first function, unindented: each request would send their indentation."""
        head, first, rest = generated_code.partition("\n\ndef ")
        documents = "".join(
            f'\n{name} = """\\\n{text.strip()}\n"""\n' for name, text in sorted(self._documents.items())
        )
        return head + documents + first + rest

    def generate_init_module(self, module: ast.Module) -> ast.Module:
        """Export nothing: a function and the module of its result have the same name."""
        text = "Typed operations generated from `queries/` and `schema/`; import from the modules."
        module.body = [ast.Expr(ast.Constant(text))]
        return ast.fix_missing_locations(module)


def _documented(module: ast.Module, text: str) -> ast.Module:
    # A module without definitions stays empty, and ariadne-codegen does not write it.
    if any(isinstance(node, (ast.ClassDef, ast.FunctionDef)) for node in module.body):
        module.body.insert(0, ast.Expr(ast.Constant(text)))
    return ast.fix_missing_locations(module)


def _names_with_directives(selection: SelectionSetNode) -> set[str]:
    found: set[str] = set()
    for node in selection.selections:
        if isinstance(node, FieldNode):
            if node.directives:
                found.add((node.alias or node.name).value)
            if node.selection_set is not None:
                found |= _names_with_directives(node.selection_set)
        if isinstance(node, InlineFragmentNode):
            found |= _names_with_directives(node.selection_set)
    return found


def _required_fields(shape: ast.ClassDef) -> set[str]:
    return {
        field.target.id
        for field in shape.body
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and not (isinstance(field.annotation, ast.Subscript) and _is_optional(field.annotation))
    }


def _is_optional(annotation: ast.Subscript) -> bool:
    return isinstance(annotation.value, ast.Name) and annotation.value.id == "Optional"


def _require_presence(shape: ast.ClassDef, may_be_absent: set[str]) -> None:
    """Remove the defaults of a model's fields, except for those named in ``may_be_absent``."""
    for field in shape.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        call = field.value
        if not isinstance(call, ast.Call):
            continue
        aliases = [word.value for word in call.keywords if word.arg == "alias"]
        names = {alias.value for alias in aliases if isinstance(alias, ast.Constant)} or {field.target.id}
        if not names & may_be_absent:
            call.keywords = [word for word in call.keywords if word.arg != "default"]
            if not call.keywords:
                field.value = None


def _operation_function(method: ast.FunctionDef, operation_name: str, kind: str) -> ast.FunctionDef:
    result = method.returns
    variables = method.body[1]
    if (
        not isinstance(variables, ast.AnnAssign)
        or variables.value is None
        or not isinstance(result, ast.Name)
    ):
        raise TypeError(f"{operation_name}: expected `variables: dict = {{...}}` as the second statement")
    operation = ast.Call(
        func=ast.Name("Operation"),
        args=[],
        keywords=[
            ast.keyword("name", ast.Constant(operation_name)),
            ast.keyword("kind", ast.Constant(kind)),
            ast.keyword("document", ast.Name(_document_name(operation_name))),
            ast.keyword("variables", variables.value),
            ast.keyword("result", result),
        ],
    )
    return ast.FunctionDef(
        name=method.name,
        args=_keyword_only(method.args),
        body=[
            ast.Expr(ast.Constant(f"The {kind} `{operation_name}`.")),
            ast.ImportFrom(method.name, [ast.alias(result.id)], 1),
            ast.Return(operation),
        ],
        decorator_list=[],
        returns=ast.Subscript(ast.Name("Operation"), result),
    )


def _document_name(operation_name: str) -> str:
    return SEPARATED_DIGITS.sub(r"\1", str_to_snake_case(operation_name)).upper()


def _keyword_only(arguments: ast.arguments) -> ast.arguments:
    names = arguments.args[1:]
    missing = len(names) - len(arguments.defaults)
    return ast.arguments(
        posonlyargs=[],
        args=[],
        kwonlyargs=names,
        kw_defaults=[*[None] * missing, *arguments.defaults],
        defaults=[],
    )
