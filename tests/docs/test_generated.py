"""The pages made from the code say all of it: every method, option, default and command."""

import importlib.util
import math
import re
from pathlib import Path

import pytest
import torch
import typer
import yaml

from rheos.cli import app
from rheos.forecast.catalog import catalog
from rheos.forecast.forecaster import options
from rheos.forecast.override import build
from rheos.forecast.recipe import Recipe
from rheos.process import Process
from rheos.sample import Preset, variance_ratio
from rheos.sample.grid import GRIDS, LogSNR
from rheos.sample.preset import BOUNDS
from rheos.sample.solver import SOLVERS, UniPC

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
hooks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(hooks)

OPTIONS = hooks.options()
DEFAULTS = re.findall(r"^\| `([\w.]+)` \| `([^`]+)` \|", OPTIONS, re.M)


def test_pages_have_no_mark_left():
    marked = [page for page in ROOT.glob("docs/**/*.md") if hooks.MARK.search(page.read_text())]
    assert len(marked) == len(hooks.GENERATED)
    for page in marked:
        made = hooks.on_page_markdown(page.read_text(), page=None)
        assert "generated:" not in made
        assert len(made) > 1000


def test_every_method_is_in_the_catalog_with_its_line():
    text = hooks.methods()
    for room, entries in catalog().items():
        for word, line in entries.items():
            assert f"| [`{word}`](methods/{room}/{word}.md) | {hooks.cell(line)} |" in text


def test_a_method_s_page_has_its_equation_first_as_it_is_written():
    page = hooks.pages()["methods/schedule/cosine.md"]
    assert hooks.method_page(page).split("\n\n")[2] == f"```text\n{page.equation}\n```"
    assert hooks.prose("a_b * `c_d` <e>") == r"a\_b \* `c_d` &lt;e>"


def test_every_method_s_page_says_all_of_it():
    addresses = hooks.pages()
    assert len(addresses) == sum(map(len, catalog().values()))
    for address, page in addresses.items():
        made = hooks.method_page(page)
        assert f"# {page.word}\n" in made
        assert all(hooks.prose(part) in made for part in (page.summary, *page.company))
        assert all(f"| {name} | {hooks.cell(default)} |" in made for name, default, _ in page.options)
        assert f"]({address})" in hooks.methods()


def test_papers_are_those_the_file_names():
    assert "[2503.00951](https://arxiv.org/abs/2503.00951)" in hooks.methods()


def test_combinations_say_what_goes_with_every_process_and_why_not():
    text = hooks.combinations()
    for word in catalog()["process"]:
        assert f"| `{word}` | " in text
    assert "all but `noise`, `score`" in text
    assert "`pfgmpp` with `ancestral`" in text.partition("## Why not")[2]


def test_every_option_of_the_recipe_is_told():
    told = {name for name, _ in re.findall(r"^\| `([\w.]+)` \| ([^|]*) \| \S", OPTIONS, re.M)}
    assert set(Recipe.model_fields) - {"data", "training"} <= told
    assert {"training.time", "data.missing", "process.floor", "network.base", "anchor.recent"} <= told


def test_no_option_is_without_a_meaning():
    assert re.findall(r"^\| `([\w.]+)` \| [^|]* \|  \|$", OPTIONS, re.M) == []


@pytest.mark.parametrize(("name", "value"), [d for d in DEFAULTS if "." not in d[0]])
def test_defaults_are_typed_as_they_are_shown(name, value):
    recipe = {"horizon": 6, "history": 12}
    assert build(Recipe, recipe | options(None, [f"{name}={value}"]), name) == build(Recipe, recipe, name)


def test_every_command_and_option_is_told():
    text = hooks.commands()
    for name, command in typer.main.get_command(app).commands.items():
        part = text.partition(f"## rheos {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            label = parameter.opts[0] if parameter.param_type_name == "option" else parameter.name.upper()
            assert f"`{label}`" in part


def test_navigation_names_every_page_once():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    named = re.findall(r"[\w/-]+\.md", str(nav))
    assert sorted(named) == sorted(str(p.relative_to(ROOT / "docs")) for p in ROOT.glob("docs/**/*.md"))


def test_the_solvers_bias_is_what_the_probe_says():
    text = hooks.solver_bias()
    modes = torch.logspace(-3, math.log10(30.0), 40, dtype=torch.float64)
    chosen = Preset(solver=UniPC(), grid=LogSNR(), evaluations=10)
    row = re.search(r"^\| `unipc` \| `log_snr` \| (.*) \|$", text, re.M)[1].split(" | ")
    worst = variance_ratio(Process(), modes, preset=chosen, floor=0.0).worst
    assert float(row[1]) == pytest.approx(worst, rel=5e-3)
    for word, bound in BOUNDS.items():
        found = float(re.search(rf"^\| `{word}` .* \| (\S+) \|$", text, re.M)[1])
        assert abs(found - 1) < bound
    assert all(f"| `{s.name()}` | `{g.name()}` |" in text for s in SOLVERS if s().linear for g in GRIDS)
