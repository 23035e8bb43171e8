"""Words, files and proposals become one recipe; mistakes become one sentence."""

import shlex

import pytest
from pydantic import BaseModel, ConfigDict

from rheos.core.errors import InputError
from rheos.data.options import DataOptions, option_line
from rheos.forecast.override import build, merge, parse_words, read_yaml
from rheos.forecast.recipe import Recipe, differences


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    floor: float = 0.5


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: Inner = Inner()
    steps: int = 3


def test_words_nest():
    words = ["a.b=1", "a.c=[x, y]", "roles.T (degC) v1.5=past", "d=true", "anchor.of.T v1.5=T.f"]
    assert parse_words(words) == {
        "anchor": {"of": {"T v1.5": "T.f"}},
        "a": {"b": 1, "c": ["x", "y"]},
        "data": {"roles": {"T (degC) v1.5": "past"}},
        "d": True,
    }


def test_a_word_for_a_method_meets_its_options():
    assert parse_words(["process=dydiff", "process.floor=0.7"]) == {
        "process": {"kind": "dydiff", "floor": 0.7}
    }
    assert parse_words(["process.floor=0.7", "process=dydiff"]) == {
        "process": {"kind": "dydiff", "floor": 0.7}
    }


def test_another_kind_replaces_the_method_whole():
    base = {"process": {"kind": "dydiff", "floor": 0.7}, "x": 1}
    assert merge(base, {"process": "plain"}) == {"process": {"kind": "plain"}, "x": 1}
    assert merge(base, {"process": {"floor": 0.2}})["process"] == {"kind": "dydiff", "floor": 0.2}
    assert base == {"process": {"kind": "dydiff", "floor": 0.7}, "x": 1}


@pytest.mark.parametrize("word", ["floor", "=3", "a=[1"])
def test_what_is_not_an_override_is_refused(word):
    with pytest.raises(InputError):
        parse_words([word])


def test_an_unknown_key_names_the_nearest_one():
    with pytest.raises(InputError, match=r"unknown key 'inner\.flor'; did you mean 'floor'"):
        build(Outer, {"inner": {"flor": 1}}, "the recipe")
    with pytest.raises(InputError, match="did you mean 'steps'"):
        build(Outer, {"step": 1}, "the recipe")


def test_a_wrong_value_names_its_place():
    with pytest.raises(InputError, match="the recipe, steps: "):
        build(Outer, {"steps": "many"}, "the recipe")


def test_recipe_files(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("process: {kind: plain}\n")
    assert read_yaml(path) == {"process": {"kind": "plain"}}
    for text in ("- a\n", "a: [", "!!python/object/apply:os.system ['true']\n"):
        path.write_text(text)
        with pytest.raises(InputError):
            read_yaml(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml")


def test_a_recipe_without_its_defaults_reads_back():
    given = {
        "horizon": 3,
        "history": 4,
        "network": {"kind": "field"},
        "process": "plain",
        "codec": ["log", "scale"],
    }
    recipe = build(Recipe, given, "the recipe")
    short = differences(recipe)
    assert short["network"] == {"kind": "field"}
    assert build(Recipe, short, "the recipe") == recipe


def test_a_columns_name_keeps_its_dots():
    words = ["roles.max. wind=past", "bounds.max. wind=[0,null]"]
    expected = {"data": {"roles": {"max. wind": "past"}}, "bounds": {"max. wind": [0, None]}}
    assert parse_words(words) == expected


def test_short_words_reach_what_they_stand_for():
    words = ["process=plain", "prior=ornstein_uhlenbeck", "prior.length=3", "times=per_frame"]
    noise = {"kind": "ornstein_uhlenbeck", "length": 3}
    assert parse_words(words) == {
        "process": {"kind": "plain", "noise": noise},
        "objective": {"times": "per_frame"},
    }
    recipe = build(Recipe, {"horizon": 2, "history": 2, **parse_words(words)}, "words")
    assert recipe.process.noise.name() == "ornstein_uhlenbeck"
    assert recipe.objective.times.name() == "per_frame"


def test_a_process_without_a_schedule_is_refused_with_its_reason():
    for given in ("critically_damped", {"kind": "critically_damped", "mass": 1.0}):
        with pytest.raises(InputError, match=r"no alpha\(t\).*sample_states\.$") as refused:
            build(Recipe, {"horizon": 2, "history": 2, "process": given}, "the recipe")
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "mend",
    [
        {"decimal": ","},
        {"thousands": ".", "decimal": ","},
        {"thousands": "'"},
        {"time_format": "%d.%m.%Y"},
        {"time_format": "%d/%m/%Y %H:%M"},
        {"missing": [-9999.0, "NA"]},
        {"missing": ["-", "n. a.", "?"]},
        {"missing": ["no", "null", "it's"]},
        {"series": ["store", "item no"]},
        {"roles": {"a column": "ignore"}},
    ],
)
def test_a_remedy_can_be_typed_into_a_shell_as_it_is_told(mend):
    typed = parse_words(shlex.split(option_line(mend)))
    assert DataOptions.of(typed["data"]) == DataOptions().amended(mend)


@pytest.mark.parametrize("text", ["[1", "{a: 1", " [1"])
def test_a_list_that_does_not_close_is_refused(text):
    with pytest.raises(InputError, match="not YAML"):
        parse_words([f"lags={text}"])
