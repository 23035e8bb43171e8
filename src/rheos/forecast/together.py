"""What goes together in a recipe: a process that is not of clips and noise brings an objective of its own.

Its word alone stands for all of it; what is said beside it has to be the same.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rheos.denoise import EndsObjective, MaskedCrossEntropy, PlanLikelihood
from rheos.forecast.override import merge
from rheos.process import BridgePlan, Masked, TwoSided

if TYPE_CHECKING:
    from rheos.forecast.recipe import Recipe

_BROUGHT = {
    Masked.name(): {
        "codec": "tokens",
        "anchor": "none",
        "network": "series",
        "objective": MaskedCrossEntropy.name(),
        "calibration": "none",
    },
    TwoSided.name(): {"objective": EndsObjective.name()},
    BridgePlan.name(): {"objective": PlanLikelihood.name()},
}
_NEEDS = {
    Masked.name(): "draws whole numbers, which need",
    TwoSided.name(): "goes from clips of one law to clips of another, which needs",
    BridgePlan.name(): "is trained by its plan's likelihood, which needs",
}
_ARE_FOR = {
    Masked.name(): "whole numbers, which process={} does not draw",
    TwoSided.name(): "ways from clips to clips, which process={} does not go",
    BridgePlan.name(): "plans between clips, which process={} does not have",
}
_NO_AGENTS = {
    TwoSided.name(): "answers for both ends, on clips of twice the channels, which agents are not",
    BridgePlan.name(): "has a mixture of clips of fixed entries, and agents come and go",
}
_PAIRS = {
    Masked.name(): "draws whole numbers without noise",
    TwoSided.name(): "starts from past errors and not from noise",
    BridgePlan.name(): "has no path to straighten",
}


def process_named(content: Mapping[str, Any]) -> Any:
    """The word of the process that options name, None where they name none."""
    process = content.get("process")
    return process.get("kind") if isinstance(process, Mapping) else process


def draws_tokens(content: Mapping[str, Any]) -> bool:
    """Whether options name the process of whole numbers."""
    return bool(process_named(content) == Masked.name())


def with_companions(content: Any) -> Any:
    """Options with what the process they name brings along; a network is proposed from the data."""
    if not isinstance(content, Mapping):
        return content
    word = process_named(content)
    brought = _BROUGHT.get(word, {}) if isinstance(word, str) else {}
    return merge({name: kind for name, kind in brought.items() if name != "network"}, content)


def require_companions(recipe: "Recipe") -> None:
    """See that process, objective and the rest go together.

    Raises:
        ValueError: they do not.
    """
    word = recipe.process.kind
    kinds = {name: getattr(recipe, name).kind for name in _BROUGHT[Masked.name()] if name != "codec"}
    kinds["codec"] = ",".join(link.kind for link in recipe.codec)
    for other, brought in _BROUGHT.items():
        for name in ("codec", "objective"):
            if other != word and brought.get(name, "none") in kinds[name].split(","):
                raise ValueError(
                    f"{name}={kinds[name]} is for {_ARE_FOR[other].format(word)}; use process={other}"
                )
    for name, kind in _BROUGHT.get(word, {}).items():
        if kinds[name] != kind:
            raise ValueError(
                f"process={word} {_NEEDS[word]} {name}={kind}, not {kinds[name]}; leave {name} out, or take "
                "another process"
            )
    if word == Masked.name() and recipe.sums:
        raise ValueError("process=masked draws whole numbers, which sums would move; leave out one of them")
    if word in _PAIRS and recipe.training.reflow > 0.0:
        raise ValueError(
            f"process={word} {_PAIRS[word]}, so training.reflow has no pairs to go on with; leave out one of "
            "them"
        )
    if word in _NO_AGENTS and recipe.network.kind == "equivariant":
        raise ValueError(f"process={word} {_NO_AGENTS[word]}; use another process with network=equivariant")
