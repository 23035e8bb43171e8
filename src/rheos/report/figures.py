"""The charts: each takes a value of `rheos.report.content` and returns a matplotlib figure.

No figure touches matplotlib's global state; show one in a notebook, save it, or let the page embed it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from rheos.report.content import (
    Coverage,
    Fan,
    LeadScores,
    RankHistogram,
    SolverBias,
    Training,
    WindowScores,
)
from rheos.report.style import (
    ACCENT,
    BAND,
    BASELINES,
    DASHES,
    FORECAST,
    GRID,
    HALF,
    INK,
    MUTED,
    TRUTH,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BARS = 20  # as many as scorecards keep bins, so that their bars are alike
_Z90 = 1.645


def _label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _time_axis(axes: "Axes", time: np.ndarray) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if np.issubdtype(time.dtype, np.datetime64):
        locator = AutoDateLocator(minticks=3, maxticks=8)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        axes.set_xlabel("frame")


def _legend_above(axes: "Axes", columns: int) -> None:
    # Above the axes: it can then never lie on the data.
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.2, handlelength=1.6,
        columnspacing=1.2,
    )  # fmt: skip


def _joined(fan: Fan, values: np.ndarray) -> np.ndarray:
    """Forecast values `(..., S)` led by the last observed one, if any: the line starts at the origin."""
    last = fan.history[-1:]
    return np.concatenate((np.broadcast_to(last, (*values.shape[:-1], len(last))), values), axis=-1)


def _history_and_truth(axes: "Axes", fan: Fan) -> np.ndarray:
    """Draw what was observed; return the forecast's times led by the origin."""
    time = np.concatenate((fan.history_time[-1:], fan.time))
    if len(fan.history):
        axes.plot(fan.history_time, fan.history, color=MUTED, lw=1.3, label="history")
        axes.axvline(fan.history_time[-1], color=MUTED, lw=0.8, ls=":")
    if fan.truth is not None:
        axes.plot(time, _joined(fan, fan.truth), color=TRUTH, lw=1.7, label="truth", zorder=5)
    axes.set_ylabel(_label(fan.channel, fan.unit))
    axes.margins(x=0.01)
    _time_axis(axes, np.asarray(fan.time))
    return time


@styled
def fan_chart(fan: Fan, size: tuple[float, float] = HALF) -> "Figure":
    """History, the forecast's median and its 50 % and 80 % bands, and the truth where known."""
    figure = new_figure(size)
    axes = figure.subplots()
    time = np.concatenate((fan.history_time[-1:], fan.time))
    low, lower, median, upper, high = (
        _joined(fan, np.nanquantile(fan.members, q, axis=0)) for q in (0.1, 0.25, 0.5, 0.75, 0.9)
    )
    axes.fill_between(time, low, high, color=FORECAST, alpha=0.16, lw=0, label="80 % band")
    axes.fill_between(time, lower, upper, color=FORECAST, alpha=0.30, lw=0, label="50 % band")
    axes.plot(time, median, color=FORECAST, lw=1.7, label="median")
    _history_and_truth(axes, fan)
    _legend_above(axes, 5)
    return figure


@styled
def path_chart(fan: Fan, size: tuple[float, float] = HALF, paths: int = 24) -> "Figure":
    """The first members as whole paths, one of them heavier than the others, beside the truth."""
    figure = new_figure(size)
    axes = figure.subplots()
    time = np.concatenate((fan.history_time[-1:], fan.time))
    members = _joined(fan, fan.members[:paths])
    axes.plot(time, members[1:].T, color=FORECAST, lw=0.7, alpha=0.38)
    axes.plot(time, members[0], color=FORECAST, lw=1.7, label=f"one member of {len(fan.members)}")
    _history_and_truth(axes, fan)
    _legend_above(axes, 3)
    return figure


@styled
def window_chart(scores: WindowScores, size: tuple[float, float] = HALF) -> "Figure":
    """Each window's score by Rheos and by the best baseline, joined by a line in the better one's color."""
    figure = new_figure(size)
    axes = figure.subplots()
    place = np.arange(len(scores.rheos))
    for ours, color in ((True, FORECAST), (False, ACCENT)):
        which = (scores.rheos < scores.baseline) == ours
        axes.vlines(
            place[which], scores.rheos[which], scores.baseline[which], color=color, lw=2.2, alpha=0.35
        )
    axes.plot(place, scores.baseline, "D", ms=4, mfc="white", mec=ACCENT, mew=1.2, label=scores.baseline_name)
    axes.plot(place, scores.rheos, "o", ms=5, color=FORECAST, label="rheos")
    shown = np.unique(np.linspace(0, len(place) - 1, min(len(place), 4)).round().astype(int))
    axes.set_xticks(shown, [scores.origins[i] for i in shown])
    axes.grid(axis="x", visible=False)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(_label("CRPS", scores.unit))
    axes.set_xlabel("forecast origin")
    _legend_above(axes, 2)
    return figure


def _groups(ranks: int) -> list[np.ndarray]:
    """Neighbouring ranks put together, into at most `_MOST_BARS` groups."""
    return np.array_split(np.arange(ranks), min(ranks, _MOST_BARS))


@styled
def rank_chart(ranks: RankHistogram, size: tuple[float, float] = HALF) -> "Figure":
    """Share of each rank over its expected share, with the band that chance alone would fill (90 %)."""
    figure = new_figure(size)
    axes = figure.subplots()
    groups = _groups(len(ranks.counts))
    share = np.array([len(g) for g in groups]) / len(ranks.counts)
    observed = np.array([ranks.counts[g].sum() for g in groups]) / ranks.counts.sum()
    edges = np.concatenate(([0.0], share.cumsum()))
    width = _Z90 * np.sqrt((1 - share) / (share * ranks.independent_cases))
    axes.bar(edges[:-1], observed / share, share, align="edge", color=FORECAST, alpha=0.6, ec="white", lw=0.8)
    low, high = (np.append(edge, edge[-1]) for edge in (np.maximum(1 - width, 0), 1 + width))
    axes.fill_between(
        edges, low, high, step="post", color=BAND, lw=0, zorder=0.6, label="90 % band of chance"
    )
    for edge in (low, high):
        axes.step(edges, edge, where="post", color=MUTED, lw=0.9)
    axes.axhline(1, color=INK, lw=1, ls="--", label="perfect")
    axes.set(
        xlim=(0, 1), ylim=(0, max(1.6, 1.12 * float((observed / share).max()), 1 + 1.2 * float(width.max())))
    )
    axes.set_xticks([0, 0.5, 1], ["below all\nmembers", "rank of the truth", "above all\nmembers"])
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("share over expected share")
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    _legend_above(axes, 2)
    return figure


@styled
def lead_chart(leads: LeadScores, size: tuple[float, float] = HALF) -> "Figure":
    """CRPS by lead time, Rheos against the baselines."""
    figure = new_figure(size)
    axes = figure.subplots()
    # A single lead time is a point, which a line alone would not show.
    marker = "o" if len(leads.lead) == 1 else None
    if "rheos" in leads.crps:
        ours = leads.crps["rheos"]
        axes.plot(leads.lead, ours, color=FORECAST, lw=2.4, marker=marker, label="rheos", zorder=5)
    baselines = [name for name in leads.crps if name != "rheos"]
    for i, name in enumerate(baselines):
        color, dash = BASELINES[i % len(BASELINES)], DASHES[i % len(DASHES)]
        axes.plot(leads.lead, leads.crps[name], color=color, ls=dash, lw=1.3, marker=marker, label=name)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(_label("lead time", leads.lead_unit))
    axes.set_ylabel(_label("CRPS", leads.unit))
    _whole_numbers(axes)
    _legend_above(axes, 3)
    return figure


def _whole_numbers(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.margins(x=0.02)


@styled
def spread_chart(leads: LeadScores, size: tuple[float, float] = HALF) -> "Figure":
    """Ensemble spread and error of the ensemble mean by lead time."""
    if leads.spread is None or leads.error is None:
        raise ValueError("a spread chart needs both the spread and the error by lead time.")
    figure = new_figure(size)
    axes = figure.subplots()
    axes.fill_between(leads.lead, leads.spread, leads.error, color=INK, alpha=0.08, lw=0)
    axes.plot(leads.lead, leads.error, color=TRUTH, lw=1.7, marker="s", ms=3.5, label="error of the mean")
    axes.plot(leads.lead, leads.spread, color=FORECAST, lw=2, marker="o", ms=4, label="spread")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(_label("lead time", leads.lead_unit))
    axes.set_ylabel(_label("spread and error", leads.unit))
    _whole_numbers(axes)
    _legend_above(axes, 2)
    return figure


@styled
def coverage_chart(coverage: Coverage, size: tuple[float, float] = HALF) -> "Figure":
    """Observed against nominal coverage of central intervals, before and after calibration."""
    figure = new_figure(size)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=INK, lw=1, ls="--", label="perfect")
    if coverage.before is not None:
        axes.plot(
            coverage.nominal, coverage.before, color=ACCENT, lw=1.4, ls="-.", marker="D", ms=4, mfc="white",
            label="before calibration",
        )  # fmt: skip
    after = "as forecast" if coverage.before is None else "after calibration"
    axes.plot(coverage.nominal, coverage.after, color=FORECAST, lw=2, marker="o", ms=4.5, label=after)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    names = [f"{100 * tick:.0f} %" for tick in ticks]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="interval promised", ylabel="truth found inside")
    _legend_above(axes, 3)
    return figure


def _running_median(values: np.ndarray) -> np.ndarray:
    reach = max(1, len(values) // 60)
    padded = np.pad(values, reach, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=-1)


@styled
def training_chart(training: Training, size: tuple[float, float] = HALF) -> "Figure":
    """Loss and held-out score over training, the chosen weights marked."""
    figure = new_figure(size)
    held_out = training.validation is not None and training.validation_step is not None
    stack: Any = figure.subplots(2 if held_out else 1, 1, sharex=True, squeeze=False)[:, 0]
    stack[0].plot(training.step, training.loss, color=MUTED, lw=0.6, alpha=0.45)
    stack[0].plot(training.step, _running_median(training.loss), color=INK, lw=1.5)
    if (training.loss > 0).all() and training.loss.max() > 8 * training.loss.min():
        _plain_log(stack[0])
    stack[0].set_ylabel("loss")
    if held_out:
        stack[1].plot(training.validation_step, training.validation, color=FORECAST, lw=1.8, marker="o", ms=3)
        stack[1].set_ylabel(training.score)
    if training.chosen_step is not None:
        for axes in stack:
            axes.axvline(training.chosen_step, color=ACCENT, lw=1.2, ls="--")
        stack[0].annotate(
            f"weights used: step {training.chosen_step:,}", (training.chosen_step, 1.02), color=ACCENT,
            xycoords=("data", "axes fraction"), ha="right", va="bottom", fontsize=8,
        )  # fmt: skip
    stack[-1].set_xlabel("training step")
    _whole_numbers(stack[-1])
    figure.align_ylabels(stack)
    return figure


def _plain_log(axes: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="minor", visible=False)


@styled
def bias_chart(bias: SolverBias, size: tuple[float, float] = HALF) -> "Figure":
    """Variance ratio of the solver for each mode, the promised band, and the worst mode marked."""
    figure = new_figure(size)
    axes = figure.subplots()
    mode = np.arange(1, len(bias.ratio) + 1)
    worst = int(np.nanargmax(np.abs(bias.ratio - 1)))
    axes.axhspan(1 - bias.bound, 1 + bias.bound, color=BAND, label=f"promised: within {100 * bias.bound:g} %")
    axes.axhline(1, color=INK, lw=1, ls="--")
    axes.plot(mode, bias.ratio, "o", ms=4, color=FORECAST, mec="none", alpha=0.8)
    gap = 100 * (bias.ratio[worst] - 1)
    axes.plot(mode[worst], bias.ratio[worst], "o", ms=9, mfc="none", mec=ACCENT, mew=1.6)
    axes.annotate(
        f"worst mode {gap:+.2f} %".replace("-", "−"), (mode[worst], bias.ratio[worst]), color=ACCENT,
        xytext=(10 if worst < len(mode) / 2 else -10, 0), textcoords="offset points", va="center",
        ha="left" if worst < len(mode) / 2 else "right",
    )  # fmt: skip
    reach = 1.25 * max(bias.bound, abs(gap) / 100)
    axes.set(ylim=(1 - reach, 1 + reach), xlabel="mode, largest variance first", ylabel="variance over exact")
    axes.grid(axis="x", color=GRID)
    _whole_numbers(axes)
    _legend_above(axes, 1)
    return figure
