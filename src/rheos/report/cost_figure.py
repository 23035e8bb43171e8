"""Skill against cost: what a forecaster gains, and the seconds that it takes for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheos.report.style import BASELINES, FORECAST, INK, MUTED, WIDE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Priced:
    """One forecaster in the picture.

    Attributes:
        name: how it is called.
        gain: over the reference, a share; the ends of its 90 % interval are NaN where there is none.
        low: lower end.
        high: upper end.
        training_seconds: to fit it.
        forecast_seconds: for one window.
        own: whether it is a model of Rheos.
    """

    name: str
    gain: float
    low: float
    high: float
    training_seconds: float
    forecast_seconds: float
    own: bool


_OWN, _OTHERS = "*pXhP8d", "osD^v"
_LEAST = 1e-3  # seconds; what takes less is drawn there


@styled
def cost_chart(points: list[Priced], reference: str, size: tuple[float, float] = WIDE) -> "Figure":
    """Gain over the reference with its interval, against seconds to fit and seconds a window."""
    figure = new_figure(size)
    left, right = figure.subplots(1, 2, sharey=True)
    known = [point for point in points if np.isfinite(point.gain)]
    _panel(left, known, [point.training_seconds for point in known])
    _panel(right, known, [point.forecast_seconds for point in known])
    left.set_title("Skill against the cost of fitting")
    left.set_xlabel("seconds to fit")
    left.set_ylabel(f"gain on {reference}, %")
    right.set_title("Skill against the cost of forecasting")
    right.set_xlabel("seconds a window")
    # One legend for both: names beside the points would lie on each other where methods are alike.
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    return figure


def _panel(axes: "Axes", points: list[Priced], seconds: list[float]) -> None:
    axes.axhline(0, color=MUTED, lw=0.8)
    from matplotlib.ticker import FuncFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
    count = {True: 0, False: 0}
    for point, x in zip(points, seconds, strict=True):
        place_in_kind = count[point.own]
        count[point.own] += 1
        color = FORECAST if point.own else BASELINES[place_in_kind % len(BASELINES)]
        marker = _OWN[place_in_kind % len(_OWN)] if point.own else _OTHERS[place_in_kind // 6 % len(_OTHERS)]
        place = max(x, _LEAST)
        if np.isfinite((point.low, point.high)).all():
            axes.plot([place, place], [100 * point.low, 100 * point.high], color=color, lw=1.6, alpha=0.55)
        axes.plot(
            [place], [100 * point.gain], marker, color=color, ms=11 if point.own else 7,
            mec=INK, mew=0.5, ls="", label=point.name,
        )  # fmt: skip
    axes.margins(x=0.12, y=0.12)
