"""Rules about the source of `infra` and of these tests, read from their syntax trees."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "infra").glob("*.py"), ROOT / "__main__.py"])
TOKEN = re.compile(r"bluegreen:infra:[A-Z][A-Za-z]+")


def trees() -> list[tuple[str, ast.Module]]:
    return [(path.name, ast.parse(path.read_text())) for path in SOURCES]


def components() -> list[tuple[str, ast.ClassDef]]:
    return [
        (name, node)
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith("ComponentResource") for base in node.bases)
    ]


COMPONENTS = components()
IDS = [node.name for _, node in COMPONENTS]


def constructor(node: ast.ClassDef) -> ast.FunctionDef:
    (found,) = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    return found


def calls(node: ast.AST, name: str) -> list[ast.Call]:
    return [
        each for each in ast.walk(node) if isinstance(each, ast.Call) and ast.unparse(each.func).split(".")[-1] == name
    ]


def test_there_are_components() -> None:
    assert len(COMPONENTS) >= 12


@pytest.mark.parametrize(("file", "node"), COMPONENTS, ids=IDS)
def test_a_component_registers_its_outputs_once_and_last(file: str, node: ast.ClassDef) -> None:
    assert len(calls(node, "register_outputs")) == 1, file
    assert calls(constructor(node).body[-1], "register_outputs")


@pytest.mark.parametrize(("file", "node"), COMPONENTS, ids=IDS)
def test_a_component_takes_name_arguments_and_options(file: str, node: ast.ClassDef) -> None:
    arguments = constructor(node).args
    assert [each.arg for each in arguments.args] == ["self", "name", "args", "opts"], file
    assert arguments.vararg is None
    assert arguments.kwarg is None
    assert ast.unparse(arguments.args[2].annotation or ast.Constant("")) == f"{node.name}Args"


@pytest.mark.parametrize(("file", "node"), COMPONENTS, ids=IDS)
def test_a_type_token_is_a_constant_of_three_parts_named_in_the_docstring(file: str, node: ast.ClassDef) -> None:
    (call,) = [each for each in calls(constructor(node), "__init__") if "super()" in ast.unparse(each.func)]
    token = call.args[0]
    assert isinstance(token, ast.Constant), file
    assert TOKEN.fullmatch(token.value)
    assert token.value.split(":")[2] == node.name
    assert f"`{token.value}`" in (ast.get_docstring(node) or "")


def test_no_two_components_share_a_token() -> None:
    assert len({node.name for _, node in COMPONENTS}) == len(COMPONENTS)


@pytest.mark.parametrize(("file", "node"), COMPONENTS, ids=IDS)
def test_children_have_only_the_component_as_parent(file: str, node: ast.ClassDef) -> None:
    for options in calls(node, "ResourceOptions"):
        parents = [ast.unparse(each.value) for each in options.keywords if each.arg == "parent"]
        assert parents == ["self"], file
    assert not calls(node, "merge")
    # The caller's options are for the component alone.
    assert len([each for each in ast.walk(constructor(node)) if isinstance(each, ast.Name) and each.id == "opts"]) == 1


@pytest.mark.parametrize(("file", "tree"), trees(), ids=[path.name for path in SOURCES])
def test_nothing_asks_aws_and_nothing_decides_inside_apply(file: str, tree: ast.Module) -> None:
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert not [name for name in imported if name.split(".")[0] in ("boto3", "botocore", "local", "rehearsal")], file
    assert not calls(tree, "apply")
    assert not calls(tree, "error")


@pytest.mark.parametrize(("file", "tree"), trees(), ids=[path.name for path in SOURCES])
def test_no_branch_is_for_the_embedded_aws(file: str, tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, (ast.If, ast.IfExp, ast.Match)):
            test = ast.unparse(node.subject if isinstance(node, ast.Match) else node.test)
            assert not re.search(r"\blocal|stack ==|\bendpoint\b", test), f"{file}:{node.lineno}"


@pytest.mark.parametrize("path", [each for each in SOURCES if each.parent.name == "infra"], ids=lambda path: path.name)
def test_importing_does_nothing(path: Path) -> None:
    for node in ast.parse(path.read_text()).body:
        assert not isinstance(node, (ast.Expr, ast.For, ast.With)) or isinstance(node.value, ast.Constant), path.name


def test_the_entry_point_only_composes() -> None:
    text = (ROOT / "__main__.py").read_text()
    assert len(text.splitlines()) < 80
    assert not [each for each in ast.walk(ast.parse(text)) if isinstance(each, (ast.If, ast.FunctionDef, ast.For))]


def test_every_test_file_is_one_that_pytest_collects() -> None:
    helpers = {"recording.py", "program.py", "cutter.py", "conftest.py"}
    names = {path.name for path in Path(__file__).parent.glob("*.py")}
    assert not [name for name in names - helpers if not name.startswith("test_")]


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("test_*.py")), ids=lambda path: path.name)
def test_mocks_are_only_set_where_they_are_also_taken_away(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not calls(tree, "set_mocks"), "use tests.unit.program"


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("test_*.py")), ids=lambda path: path.name)
def test_no_test_leaves_an_assertion_to_an_apply(path: Path) -> None:
    """Asserts are made on what was recorded: one in an apply that never runs would pass."""
    assert not calls(ast.parse(path.read_text()), "apply")
