"""The card of a model: what a person should know before using it."""

from collections.abc import Mapping
from typing import Any

import yaml

from rheos.data.bounds import told
from rheos.data.dataset import Layout
from rheos.data.late import late_words
from rheos.forecast.recipe import Recipe, differences

_TEMPLATE = """# Forecast model of {what}

Fitted by Rheos with the `{process}` process and the `{network}` network ({parameters:,} parameters).

| | |
| --- | --- |
| valid horizon | {horizon} frames{step}; longer ones are reached block by block and grow less certain |
| history needed | {history} frames, better {reach} |
| variables | {channels} |
| known ahead | {known_future} |
| data | {source}, {first} to {last}, {frames:,} frames |
| fingerprint of the data | `{fingerprint}` |
| kept out of fitting | last {holdout} frames |
| training | {steps:,} steps in {seconds:.0f} s; weights of step {best_step:,}{energy} |
| calibration | {calibration} |
| physical limits | {limits} |
| codes | {codes} |
| what comes late or irregularly | {missing} |
| license of the data | {license} |

## Recipe

```yaml
{recipe}```
"""


def card(recipe: Recipe, layout: Layout, history: Mapping[str, Any]) -> str:
    """The text of the model's README.md."""
    names = ", ".join(layout.channels[:12]) + (", ..." if len(layout.channels) > 12 else "")
    return _TEMPLATE.format(
        what=names,
        process=recipe.process.kind,
        network=recipe.network.kind,
        parameters=history["parameters"],
        horizon=recipe.horizon,
        step=f" of {layout.frequency}" if layout.frequency else "",
        history=recipe.history,
        reach=recipe.window.reach,
        channels=f"{len(layout.channels)}: {names}",
        known_future=", ".join(layout.known_future) or "the calendar only",
        source=history["source"] or "data in memory",
        first=history["span"][0],
        last=history["span"][1],
        frames=history["frames"],
        fingerprint=history["fingerprint"],
        holdout=recipe.holdout,
        steps=history["steps"],
        seconds=history["seconds"],
        best_step=history["best_step"],
        energy=energy(history),
        calibration=history["calibration"].get("note", "none"),
        limits=limits(layout, history),
        codes=codes(recipe, history),
        missing=irregular(recipe) or "nothing",
        license=layout.attributes.get("license", "not stated in the data"),
        recipe=yaml.safe_dump(differences(recipe), sort_keys=False),
    )


def energy(history: Mapping[str, Any]) -> str:
    """What was learned beside the denoiser of tokens, "" where nothing was asked for."""
    if not history["contrast"]:
        return ""
    step, score = min(history["contrast"], key=lambda pair: pair[1])
    if step == 0:
        return "; an energy of tokens learned nothing and was dropped"
    return f"; an energy of tokens, weights of its step {step:,}, {-score:.3f} nats better than a coin"


def codes(recipe: Recipe, history: Mapping[str, Any]) -> str:
    """What the network sees in the place of the data, and what is not in it."""
    links = ", ".join(link.kind for link in recipe.codec)
    lost = history["lost"]
    return links if lost == 0.0 else f"{links}; {lost:.1%} of the data's variance is not in them"


def irregular(recipe: Recipe) -> str:
    """How irregular stamps and late columns were taken, "" where there are none."""
    cells = recipe.data.cells
    words = [f"irregular stamps lie in cells of {cells}"] if cells else []
    return "; ".join([*words, *late_words(recipe.late)])


def limits(layout: Layout, history: Mapping[str, Any]) -> str:
    """What the variables obey, and how far members were from it before they were moved."""
    parts = []
    if bounds := history["bounds"]:
        often = max(share for _, _, share in bounds.values())
        pairs = {name: (low, high) for name, (low, high, _) in bounds.items()}
        parts.append(f"{told(pairs)}; at most {often:.1%} of a variable's values drawn lay outside")
    parts += [
        f"{name}; members drawn missed it by {off:.2g} standard deviations of its terms"
        for name, off in history["sums"].items()
    ]
    parts += [
        f"{name} is a direction, from 0 up to {period:g}"
        for name, period in zip(layout.channels, layout.circular, strict=True)
        if period
    ]
    return ". ".join(parts) or "none"
