"""What a user names becomes who takes part: words, recipes, folders, models, baselines."""

import difflib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rheos.baseline import BASELINES, Baseline, default_baselines
from rheos.baseline.learned import LEARNED
from rheos.baseline.peer import PEERS
from rheos.core.errors import InputError
from rheos.data.dataset import Layout
from rheos.evaluation.comparison.contender import (
    BaselineContender,
    Contender,
    ModelContender,
    RecipeContender,
)
from rheos.evaluation.comparison.folder import check_names
from rheos.forecast.forecaster import Forecaster, load, options
from rheos.forecast.override import merge, parse_words

What = str | Baseline | Forecaster | Path | Mapping[str, Any] | Sequence[str]
Entry = str | Baseline | Forecaster | tuple[str, What]

DEFAULT = ("rheos", "baselines")
_WORDS: dict[str, type[Baseline]] = {method.name(): method for method in (*BASELINES, *LEARNED, *PEERS)}
_OF_ALL = ("data", "horizon", "holdout", "seed")


def asked(recipes: Sequence[str], models: Sequence[str], methods: str | None) -> list[Entry]:
    """Entries as the command line gives them: recipes, then models, then the methods' words.

    Args:
        recipes: "NAME=words".
        models: "NAME=FOLDER", or a folder that gives its own name.
        methods: words with commas; None: all baselines, and "rheos" where nothing else of Rheos' is named.

    Raises:
        InputError: one of them cannot be read.
    """
    entries: list[Entry] = []
    for text in recipes:
        name, equals, words = text.partition("=")
        if not equals:
            raise InputError(
                f"--recipe {text!r} has no name; write NAME=words, such as 'deep=network.depth=6'."
            )
        try:
            entries.append((name, shlex.split(words)))
        except ValueError:
            raise InputError(f"the words of --recipe {text!r} have a quote without its end.") from None
    for text in models:
        name, equals, folder = text.partition("=")
        entries.append((name, Path(folder)) if equals else (Path(text).name, Path(text)))
    if methods is None:
        return [*entries, *(DEFAULT[1:] if entries else DEFAULT)]
    return [*entries, *filter(None, (word.strip() for word in methods.split(",")))]


def seeds_of(text: str) -> list[int]:
    """Seeds with commas.

    Raises:
        InputError: one is no whole number.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"seeds={text!r}, but they are whole numbers with commas, such as 0,1,2.") from None


def opened(entry: Entry) -> Any:
    """An entry whose model, if it is one, is read."""
    name, what = entry if isinstance(entry, tuple) else ("model", entry)
    if isinstance(what, Path):
        return ModelContender(name, load(what), what)
    return ModelContender(name, what) if isinstance(what, Forecaster) else entry


def contenders_of(
    entries: Sequence[Any], common: Mapping[str, Any], budget: float | None, layout: Layout
) -> list[Contender]:
    """Who takes part, in the order given, each name once.

    Args:
        entries: as `compare` takes them, models opened.
        common: options of all recipes.
        budget: seconds of training, None: each one's own.
        layout: of the data, which decides what "baselines" means.

    Raises:
        InputError: a name is unknown or given twice, or a recipe changes what belongs to all.
    """
    shared = common if budget is None else merge(common, {"training": {"time": budget}})
    made: list[Contender] = []
    for entry in entries:
        if isinstance(entry, ModelContender):
            made.append(entry)
        elif isinstance(entry, Baseline):
            made.append(BaselineContender(entry.name(), entry))
        elif isinstance(entry, tuple):
            name, what = entry
            made.append(
                BaselineContender(name, what)
                if isinstance(what, Baseline)
                else RecipeContender(name, _own(name, what), shared)
            )
        elif entry == "rheos":
            made.append(RecipeContender("rheos", {}, shared))
        else:
            made += [BaselineContender(b.name(), _within(b, budget)) for b in _meant(entry, layout)]
    if not made:
        raise InputError("there is nothing to compare; name two methods or more.")
    check_names([contender.name for contender in made])
    return made


def _meant(word: Any, layout: Layout) -> Sequence[Baseline]:
    """The baselines and peers that a word names."""
    if word == "baselines":
        return default_baselines(layout)
    if word == "peers":
        return [peer() for peer in PEERS if peer.suits(layout)]
    if word in _WORDS:
        return [_WORDS[word]()]
    known = ["rheos", "baselines", "peers", *_WORDS]
    close = difflib.get_close_matches(str(word), known, 1)
    hint = f"did you mean {close[0]!r}" if close else f"known are {', '.join(known)}"
    raise InputError(f"there is no method {word!r} to compare; {hint}.")


def _within(method: Baseline, budget: float | None) -> Baseline:
    """The method with the comparison's budget, where it has one."""
    if budget is None or "time" not in type(method).model_fields:
        return method
    return method.model_copy(update={"time": budget})


def _own(name: str, what: Mapping[str, Any] | Sequence[str]) -> Mapping[str, Any]:
    """A recipe's own options, which leave alone what is the same for all."""
    own = options(what) if isinstance(what, Mapping) else parse_words(what)
    for word in _OF_ALL:
        if word in own:
            raise InputError(
                f"the recipe {name!r} sets {word}, which is the same for all; give it outside the recipe."
            )
    return own
