"""Imports run downhill only, and the code keeps the sizes it promises."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "rheos"
FILES = sorted(SOURCE.rglob("*.py"))
# The report's page and figures are drawn from plain content and know no model; only what assembles that
# content from models stands above them.
FLOORS = (
    {"core"},
    {"data", "process", "network", "score", "report"},
    {"denoise"},
    {"sample"},
    {"train", "calibrate"},
    {"adapt", "baseline"},
    {"forecast"},
    {"evaluation"},
    {"report.assemble"},
    {"demo"},
    {"cli"},
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module):
    """The room of a module below `rheos`: its first name, or its first two where they stand apart."""
    parts = module.split(".")
    return next((room for room in (".".join(parts[:2]), parts[0]) if room in LEVEL), module)


def module_of(path):
    """A file's module below `rheos`; "" for the package's own door, which only names what lies behind."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def imports(path):
    """`(line, module)` of everything a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.lineno, node.module


def test_every_room_has_a_floor():
    assert {room_of(module_of(path)) for path in FILES} <= set(LEVEL) | {""}


def test_imports_run_downhill():
    wrong = []
    for path in FILES:
        here = room_of(module_of(path))
        for line, module in imports(path):
            if not module.startswith("rheos.") or not here:
                continue
            there = room_of(module.removeprefix("rheos."))
            if there != here and LEVEL[there] >= LEVEL[here]:
                wrong.append(f"{path.relative_to(SOURCE)}:{line} imports {module}")
    assert wrong == []


def test_the_walk_sees_an_uphill_import(tmp_path):
    (tmp_path / "x.py").write_text("def f():\n    from rheos.forecast.engine import Engine\n")
    assert list(imports(tmp_path / "x.py")) == [(2, "rheos.forecast.engine")]
    assert LEVEL["forecast"] > LEVEL["core"]


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def arguments(function):
    given = function.args
    return [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def test_files_are_short():
    assert [str(p) for p in FILES if len(p.read_text().splitlines()) > 400] == []


def test_functions_are_short():
    long = [
        f"{path.relative_to(SOURCE)}: {f.name} has {f.end_lineno - f.lineno + 1} lines"
        for path in FILES
        for f in functions(path)
        if f.end_lineno - f.lineno + 1 > 70
    ]
    assert long == []


def test_no_function_swallows_options():
    """A misspelt option must raise: no **kwargs but those a decorator hands on as it got them."""
    swallowing = [
        f"{path.relative_to(SOURCE)}: {f.name}"
        for path in FILES
        for f in functions(path)
        if f.args.kwarg and getattr(f.args.kwarg.annotation, "attr", "") != "kwargs"
    ]
    assert swallowing == []


def test_arguments_are_few():
    """At most ten beside self; a command's are its options, a dataclass' or model's are written as fields."""
    many = [
        f"{path.relative_to(SOURCE)}:{f.lineno} {f.name}"
        for path in FILES
        for f in functions(path)
        if len([a for a in arguments(f) if a not in ("self", "cls")]) > 10
        and not any(ast.unparse(d) == "app.command()" for d in f.decorator_list)
    ]
    assert many == []


def test_every_file_says_what_it_is():
    bare = [p for p in FILES if p.read_text().strip() and not ast.get_docstring(ast.parse(p.read_text()))]
    assert bare == []


def test_no_work_is_left_lying_about():
    """No notes to do something later, no unfinished bodies, no errors swallowed whole."""
    found = []
    for path in FILES:
        text = path.read_text()
        found += [f"{path.relative_to(SOURCE)}: {word}" for word in ("TODO", "FIXME", "XXX") if word in text]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Name) and node.id == "NotImplementedError":
                found.append(f"{path.relative_to(SOURCE)}:{node.lineno} {node.id}")
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
                if broad and all(isinstance(s, ast.Pass) for s in node.body):
                    found.append(f"{path.relative_to(SOURCE)}:{node.lineno} swallows everything")
    assert found == []


HEAVY = ("torch", "matplotlib", "pandas", "xarray", "scipy", "zarr", "rich", "typer")


@pytest.mark.parametrize("statement", ["import rheos", "import rheos; dir(rheos); rheos.__version__"])
def test_the_door_opens_without_the_furniture(statement):
    """`import rheos` loads nothing heavy; what is asked for by name is loaded then."""
    told = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stderr == ""
    assert set(HEAVY) & set(told.stdout.split()) == set()
    assert not [m for m in told.stdout.split() if m.startswith("rheos.")]


def test_every_public_name_is_there():
    import rheos

    assert set(rheos.__all__) <= set(dir(rheos))
    assert all(getattr(rheos, name) is not None for name in rheos.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rheos.nothing
