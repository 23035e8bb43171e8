"""What the pages tell people to type works: Python runs, commands parse, recipes validate, links lead on."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import typer
import yaml

from rheos.cli import app
from rheos.forecast.forecaster import options
from rheos.forecast.override import build
from rheos.forecast.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
PAGES = sorted(str(file.relative_to(ROOT)) for file in FILES)
STARTED = "docs/tasks/get-started.md"
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^(?P=indent)```$", re.M | re.S)
SIZES = {"horizon": 6, "history": 12}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page and the line it starts on."""

    page: str
    line: int
    code: str


def blocks(page: str, *languages: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 2, match["code"])
        for match in FENCE.finditer(text)
        if match["language"] in languages
    ]


def commands(page: str) -> list[tuple[str, str]]:
    """The `rheos ...` lines of a page's shell blocks, continued lines joined, with their places."""
    found = []
    for block in blocks(page, "sh", "console"):
        joined = re.sub(r"\\\n\s*", "", block.code)
        lines = (line.removeprefix("$ ").strip() for line in joined.splitlines())
        found += [(f"{page}:{block.line}", line) for line in lines if line.startswith("rheos")]
    return found


def run(page: str) -> None:
    """Run a page's Python in order, as one program."""
    module = ModuleType(f"page_{abs(hash(page))}")
    for block in blocks(page, "python"):
        source = "\n" * (block.line - 1) + block.code
        exec(compile(source, str(ROOT / page), "exec"), module.__dict__)


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as the first page leaves it; other pages go on from there."""
    folder = tmp_path_factory.mktemp("started")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(STARTED)
    return folder


@pytest.fixture
def folder(started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    target = tmp_path / "folder"
    shutil.copytree(started, target)
    monkeypatch.chdir(target)
    return target


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p, "python") and p not in (STARTED, "CONTRIBUTING.md")]
)
def test_python_runs(page, folder):
    run(page)


def test_first_page_leaves_what_the_others_use(started):
    assert {"elnino.csv", "model"} <= {path.name for path in started.iterdir()}


ALL_COMMANDS = [command for page in PAGES for command in commands(page)]


@pytest.mark.parametrize(("place", "line"), ALL_COMMANDS, ids=[f"{p} {c}" for p, c in ALL_COMMANDS])
def test_commands_parse(place, line):
    group = typer.main.get_command(app)
    _, *arguments = shlex.split(line, comments=True)
    context = group.make_context("rheos", list(arguments))
    rest = [*context._protected_args, *context.args]
    if rest:
        name, command, rest = group.resolve_command(context, rest)
        parsed = command.make_context(name, rest, parent=context)
        build(Recipe, SIZES | options(None, parsed.params.get("words") or ()), place)


RECIPES = [block for page in PAGES for block in blocks(page, "yaml")]


@pytest.mark.parametrize("block", RECIPES, ids=[f"{b.page}:{b.line}" for b in RECIPES])
def test_recipes_validate(block):
    build(Recipe, SIZES | options(yaml.safe_load(block.code)), block.page)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("#"):
            assert ((ROOT / page).parent / target.split("#")[0]).exists(), f"{page} links to {target}"
