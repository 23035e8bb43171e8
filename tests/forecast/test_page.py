"""The page of every method: equation, options, company and source, whole and told in the terminal."""

import json
import re
from collections import Counter

import pytest

from rheos.cli import main
from rheos.forecast.catalog import ROOMS
from rheos.forecast.page import page_of, pages_for
from rheos.forecast.recipe import Recipe
from rheos.process import PROCESSES
from rheos.sample.compatibility import compatibility

PAGES = {(room, m.name()): page_of(room, m) for room, registry in ROOMS.items() for m in registry}
IN_SYMBOLS = {
    *("process", "schedule", "coordinates", "noise", "codec", "anchor", "time_sampler", "times"),
    *("grid", "path", "solver", "correction", "guidance"),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: f"{page.room}-{page.word}")
def test_a_page_says_what_why_and_how(page):
    assert page.equation
    assert page.summary
    assert page.summary != page.equation
    assert page.said
    assert page.sourced, "name the paper or the book, or say that it is Rheos' own"
    assert [name for name, _, meaning in page.options if not meaning] == []
    if page.room in IN_SYMBOLS:
        assert re.search("=|~|<-", page.equation), page.equation


def test_no_two_methods_of_a_room_have_one_equation():
    told = Counter((page.room, page.equation) for page in PAGES.values())
    assert [each for each, times in told.items() if times > 1] == []


def test_options_are_all_fields_with_their_defaults():
    for room, registry in ROOMS.items():
        for method in registry:
            options = {name.strip("`"): default for name, default, _ in PAGES[room, method.name()].options}
            assert set(options) == set(method.model_fields) - {"kind"}
    assert ("`floor`", "`0.5`") in {row[:2] for row in PAGES["process", "dydiff"].options}


def test_company_of_a_process_is_what_the_trials_find():
    for recipe in PROCESSES:
        lines = dict(line.split(": ", 1) for line in PAGES["process", recipe.name()].company)
        for room, found in compatibility(recipe()).items():
            refused = [word for word, why in found.items() if why]
            assert (lines[room] == "all") == (not refused)
            assert all(f"`{word}`" in lines[room] or lines[room].startswith("only") for word in refused)


def test_company_is_seen_from_both_sides():
    assert PAGES["solver", "ancestral"].company[0].startswith("process: all but `pfgmpp` (solver 'ancestral'")
    assert "clips of: only `tables` " in " ".join(PAGES["network", "causal"].company)
    assert any(
        line.startswith("network: only `series` (") for line in PAGES["token_process", "masked"].company
    )
    assert PAGES["grid", "karras"].company == ("process: all",)


def test_a_method_is_named_as_it_can_be():
    recipe = Recipe(horizon=2, history=2, process={"kind": "plain", "schedule": {"kind": "cond_ot"}})
    assert recipe.process.schedule.name() == "cond_ot"
    said = PAGES["schedule", "cond_ot"].said[0]
    assert said.startswith("recipe: `process.schedule=cond_ot`, with `process=dydiff`, `process=plain`")
    assert "`process=edm`" not in said
    assert "preset: `Preset(corrections=(Langevin(),))`" in PAGES["correction", "langevin"].said
    assert PAGES["coordinates", "bridge"].said == ("Python: `rheos.process.coordinates.bridge.Bridge`",)


def test_the_terminal_tells_the_same(capsys):
    with pytest.raises(SystemExit) as left:
        main(["methods", "edm"])
    assert not left.value.code
    shown = " ".join(capsys.readouterr().out.split())
    for room in ("process", "schedule"):
        page = PAGES[room, "edm"]
        for part in (page.equation, page.summary, *page.body, *page.company):
            assert " ".join(part.replace("`", "").split()) in shown
        for name, default, meaning in page.options:
            assert f"{name} = {default}: {meaning}".replace("`", "") in shown
    with pytest.raises(SystemExit):
        main(["methods", "edm", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert [page["word"] for page in told] == ["edm", "edm"]
    assert [page.room for page in pages_for("edm")] == ["process", "schedule"]


def test_a_word_that_is_none_is_told_so(capsys):
    with pytest.raises(SystemExit) as left:
        main(["methods", "dydif"])
    assert left.value.code == 2
    assert capsys.readouterr().err == "rheos: there is no method 'dydif'; did you mean 'dydiff'?\n"
