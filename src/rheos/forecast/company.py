"""What a method goes with, found by trying, and how it is named where one asks for it."""

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, get_origin

from pydantic import ValidationError

from rheos.core.errors import IncompatibleError
from rheos.core.method import Method
from rheos.forecast.catalog import ROOMS
from rheos.forecast.recipe import Recipe
from rheos.forecast.told import places
from rheos.network import Shapes
from rheos.process import PROCESSES, ProcessRecipe
from rheos.sample import Preset
from rheos.sample.compatibility import compatibility, taken_by

Refusals = dict[str, str | None]

_SIZES = {"horizon": 6, "history": 12}
# Rooms whose words stand beside each other in a recipe.
_IN_RECIPE = (
    *("process", "token_process", "process_between"),
    *("codec", "anchor", "network", "objective", "calibration"),
)
_SAMPLED = ("noise", "solver", "grid", "path", "correction")
_OPTION = {"token_process": "process", "process_between": "process"}
_CLIPS = {
    "tables": Shapes(history=2, horizon=2, channels=2),
    "fields": Shapes(history=2, horizon=2, channels=1, space=(8, 8)),
    "trajectories": Shapes(history=2, horizon=2, channels=2, space=(5,)),
    "tokens": Shapes(history=2, horizon=2, channels=2, values=4),
}


def said_as(room: str, method: type[Method]) -> tuple[str, ...]:
    """How a method is named: in a recipe, a preset, a comparison, and from Python."""
    word, lines = method.name(), []
    found: dict[str, list[str]] = {}
    for option, holder in places(Recipe, method):
        found.setdefault(option, []).append(holder)
    for option, holders in found.items():
        with_these = ", ".join(f"`{option.rpartition('.')[0]}={holder}`" for holder in holders if holder)
        whole = not with_these or len(holders) == len(PROCESSES)
        lines.append(f"recipe: `{option}={word}`" + ("" if whole else f", with {with_these}"))
    for option, _ in places(Preset, method):
        one = f"{method.__name__}()"
        # Corrections are several, one after the other.
        value = f"({one},)" if get_origin(Preset.model_fields[option].annotation) is tuple else one
        lines.append(f"preset: `Preset({option}={value})`")
    if room in ("baseline", "learned_baseline", "peer"):
        lines.append(f"comparison: `rheos compare SOURCE --horizon N --methods {word}`")
    return (*lines, f"Python: `{method.__module__}.{method.__name__}`")


def company(room: str, method: type[Method]) -> tuple[str, ...]:
    """What a method goes with, a line for each other room, with the reasons where something is left out."""
    lines = []
    if issubclass(method, ProcessRecipe):
        for other, found in _of_process(method).items():
            lines.append(_line(other, found))
    if room in _SAMPLED:
        lines.append(_line("process", taken_by(room, method.name())))
    if room in _IN_RECIPE and any(places(Recipe, method)):
        lines += [_line(other, found) for other, found in _beside(room, method.name()).items()]
    if room == "network":
        lines.append(_line("clips of", {kind: _refusal(partial(_built, method, kind)) for kind in _CLIPS}))
    return tuple(lines)


@cache
def _of_process(method: type[ProcessRecipe]) -> dict[str, Refusals]:
    return compatibility(method())


def _line(room: str, found: Refusals) -> str:
    """All of a room, or all but some, or only some, and why."""
    name, out = room.replace("_", " "), [word for word, why in found.items() if why]
    if not out:
        return f"{name}: all"
    taken = [word for word in found if word not in out]
    whole = f"only {_words(taken)}" if len(taken) < len(out) else f"all but {_words(out)}"
    reasons: dict[str, list[str]] = {}
    for word in out:
        # Sentences that name nothing but their own word differently are one reason.
        why = str(found[word]) if len(out) == 1 else re.sub(rf"\b{word}\b", "it", str(found[word]))
        reasons.setdefault(why.rstrip("."), []).append(word)
    said = "; ".join(
        why if len(reasons) == 1 else f"{_words(words)}: {why}" for why, words in reasons.items()
    )
    return f"{name}: {whole if taken else 'none'} ({said})"


def _words(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _beside(room: str, word: str) -> dict[str, Refusals]:
    """By option, which words a recipe refuses beside this one; processes of tokens stand with the others."""
    option = _OPTION.get(room, room)
    found: dict[str, Refusals] = {}
    for other, name in _pairs(option):
        attempt = partial(Recipe.model_validate, {**_SIZES, option: word, other: name})
        found.setdefault(other, {})[name] = _refusal(attempt)
    return found


def _pairs(option: str) -> Iterator[tuple[str, str]]:
    for room in _IN_RECIPE:
        other = _OPTION.get(room, room)
        if other != option:
            # A recipe's list of codecs is the chain.
            yield from ((other, m.name()) for m in ROOMS[room] if m.name() != "chain")


def _built(method: Any, kind: str) -> None:
    method().build(_CLIPS[kind])


def _refusal(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except ValidationError as error:
        return str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
    except IncompatibleError as error:
        return str(error).rstrip(".")
    return None
