"""Pictures of field forecasts: a strip of lead times, and an animation beside the truth."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheos.report.content import FieldForecast
from rheos.report.style import INK, LAND, MUTED, few_colors, new_figure, pixels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_COLUMNS = 6
_WIDTH = 10.4
_HISTORY_FRAMES = 6
_FRAMES = 32
# Two color maps of this many colors leave room for the letters among the 256 of a palette.
_COLORS = 80
# Flat steps of color make an animation several times smaller.
_FILM_COLORS = 56
_FILM_DPI = (150, 110, 80, 60)
_FRAME_MS = 260
_PAUSE_MS = 1100


@dataclass(frozen=True, slots=True)
class _Scale:
    """Colors of one kind of panel."""

    low: float
    high: float
    colors: str

    def draw(self, axes: "Axes", values: np.ndarray, field: FieldForecast, steps: int = _COLORS) -> Any:
        from matplotlib import colormaps

        smooth = np.isfinite(values).all() and max(values.shape) <= 128
        image = axes.imshow(
            values,
            cmap=colormaps[self.colors].resampled(steps).with_extremes(bad=LAND),
            vmin=self.low,
            vmax=self.high,
            origin="lower" if field.y is None or len(field.y) < 2 or field.y[-1] > field.y[0] else "upper",
            interpolation="bicubic" if smooth else "nearest",
            extent=_extent(field),
            aspect="auto",
        )
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.set_xticks([])
        axes.set_yticks([])
        return image


def _extent(field: FieldForecast) -> tuple[float, float, float, float]:
    """Edges of the outer cells: left, right, bottom, top."""
    rows, columns = field.members.shape[-2:]

    def edges(axis: np.ndarray | None, count: int) -> tuple[float, float]:
        if axis is None or count < 2:
            return -0.5, count - 0.5
        half = abs(float(axis[-1]) - float(axis[0])) / (count - 1) / 2
        return float(min(axis[0], axis[-1])) - half, float(max(axis[0], axis[-1])) + half

    return (*edges(field.x, columns), *edges(field.y, rows))


def _value_scale(field: FieldForecast) -> _Scale:
    """One scale for truth, mean and members: diverging about zero where values take both signs."""
    seen = field.members if field.truth is None else field.truth
    low, high = (float(v) for v in np.nanquantile(seen, (0.005, 0.995)))
    if low < 0 < high and min(-low, high) > 0.2 * max(-low, high):
        reach = max(-low, high)
        return _Scale(-reach, reach, "RdBu_r")
    return _Scale(low, high, "viridis")


def _spread_scale(spread: np.ndarray) -> _Scale:
    return _Scale(0.0, float(np.nanquantile(spread, 0.995)), "BuPu")


def _panel_height(field: FieldForecast, width: float) -> float:
    left, right, bottom, top = _extent(field)
    return float(np.clip(width * (top - bottom) / (right - left), 0.5, 3.2))


def _coordinates(axes: "Axes", field: FieldForecast) -> None:
    """Number the corner panel's axes where the data has coordinates."""
    from matplotlib.ticker import MaxNLocator

    for axis, values, label in ((axes.xaxis, field.x, field.x_label), (axes.yaxis, field.y, field.y_label)):
        if values is not None:
            axis.set_major_locator(MaxNLocator(nbins=3))
            axis.set_tick_params(labelsize=7, length=2)
            axis.set_label_text(label, fontsize=8)


def _rows(field: FieldForecast) -> list[tuple[str, np.ndarray, _Scale]]:
    """Name, values `(S, y, x)` and colors of each row of the strip."""
    values = _value_scale(field)
    mean = field.members.mean(0)
    spread = field.members.std(0, ddof=1) if len(field.members) > 1 else np.zeros_like(mean)
    rows = [("truth", field.truth, values)] if field.truth is not None else []
    rows += [("ensemble\nmean", mean, values), ("member 1", field.members[0], values)]
    if len(field.members) > 1:
        rows += [("member 2", field.members[1], values)]
    scale = _spread_scale(spread if field.truth is None else np.abs(mean - field.truth))
    rows += [("spread", spread, scale)]
    if field.truth is not None:
        rows += [("error of\nthe mean", np.abs(mean - field.truth), scale)]
    return rows


@styled
def filmstrip(field: FieldForecast, columns: int = _COLUMNS) -> "Figure":
    """Truth, ensemble mean, members, spread and absolute error (rows) at some lead times (columns)."""
    steps = len(field.leads)
    shown = np.unique(np.linspace(0, steps - 1, min(columns, steps)).round().astype(int))
    rows = _rows(field)
    height = _panel_height(field, 0.85 * _WIDTH / len(shown))
    figure = new_figure((_WIDTH, height * len(rows) + 0.6))
    grid = figure.subplots(len(rows), len(shown), squeeze=False)
    images: dict[_Scale, Any] = {}
    members: dict[_Scale, list[Any]] = {}
    for line, (name, values, scale) in zip(grid, rows, strict=True):
        for axes, step in zip(line, shown, strict=True):
            images[scale] = scale.draw(axes, values[step], field)
        line[0].set_ylabel(name, color=INK, rotation=0, ha="right", va="center", fontsize=9)
        members.setdefault(scale, []).extend(line)
    for axes, step in zip(grid[0], shown, strict=True):
        axes.set_title(field.leads[step], loc="center", fontsize=9)
    _coordinates_of_corner(grid[-1, -1], field)
    for scale, image in images.items():
        what = field.channel if scale is rows[0][2] else "spread, error"
        bar = figure.colorbar(image, ax=members[scale], shrink=0.85, aspect=28, pad=0.012)
        _finish_bar(bar, what, field.unit)
    return figure


def _coordinates_of_corner(axes: "Axes", field: FieldForecast) -> None:
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    _coordinates(axes, field)


def _finish_bar(bar: Any, what: str, unit: str) -> None:
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=7.5)
    bar.set_label(f"{what} ({unit})" if unit else what, fontsize=8)


class _Film:
    """The animation's panels, drawn once; `show` changes what they hold."""

    def __init__(self, field: FieldForecast) -> None:
        self.field = field
        mean = field.members.mean(0)
        spread = field.members.std(0, ddof=1) if len(field.members) > 1 else np.zeros_like(mean)
        values, doubt = _value_scale(field), _spread_scale(spread)
        panels = [("truth", field.truth, values)] if field.truth is not None else []
        panels += [("one member", field.members[0], values), ("ensemble mean", mean, values)]
        panels += [("spread", spread, doubt)]
        self.series = [series for _, series, _ in panels]
        self.images: list[Any] = []
        self.figure, self.caption = self._draw([(name, scale) for name, _, scale in panels])

    @styled
    def _draw(self, panels: list[tuple[str, _Scale]]) -> "tuple[Figure, Text]":
        figure = new_figure((_WIDTH, _panel_height(self.field, 0.97 * _WIDTH / len(panels)) + 0.55))
        line = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, scale), series in zip(line, panels, self.series, strict=True):
            self.images.append(scale.draw(axes, series[-1], self.field, _FILM_COLORS))
            axes.set_title(name, loc="center")
        caption = figure.supxlabel("frame", x=0.012, ha="left", fontsize=10, fontweight="bold")
        # The layout is found once; it would otherwise be most of the work of every frame.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        return figure, caption

    def show(self, moment: int) -> "Figure":
        """Show a lead time or, where negative, a frame of the history (without spread)."""
        history = self.field.history
        if moment < 0 and history is not None:
            now = history[moment]
            shown = [now] * (len(self.images) - 1) + [np.where(np.isnan(now), np.nan, 0.0)]
            self.caption.set(text=f"observed, frame {moment + 1}".replace("-", "−"), color=MUTED)
        else:
            shown = [series[moment] for series in self.series]
            self.caption.set(text=f"forecast, {self.field.leads[moment]}", color=INK)
        for image, values in zip(self.images, shown, strict=True):
            image.set_data(np.ma.masked_invalid(values))
        return self.figure


def moments(field: FieldForecast) -> list[int]:
    """Moments of the animation: the last history frames (negative), then the lead times."""
    past = 0 if field.history is None else min(_HISTORY_FRAMES, len(field.history))
    leads = np.unique(
        np.linspace(0, len(field.leads) - 1, min(_FRAMES, len(field.leads))).round().astype(int)
    )
    return [*range(-past, 0), *leads.tolist()]


def still(field: FieldForecast) -> "Figure":
    """The animation's last moment, for paper and for readers who want no motion."""
    return _Film(field).show(len(field.leads) - 1)


def animation(field: FieldForecast, most_bytes: int = 1_100_000) -> bytes:
    """An endless animated PNG of truth, one member, mean and spread, within a size where possible.

    Args:
        field: the forecast.
        most_bytes: coarser pictures are tried until the file is no larger.

    Returns:
        The PNG file.
    """
    times = moments(field)
    durations = [_FRAME_MS] * len(times)
    durations[-1] = _PAUSE_MS
    film = _Film(field)
    content = b""
    for dpi in _FILM_DPI:
        first, *others = few_colors([pixels(film.show(moment), dpi) for moment in times])
        stream = io.BytesIO()
        first.save(stream, "PNG", save_all=True, append_images=others, duration=durations, loop=0)
        content = stream.getvalue()
        if len(content) <= most_bytes:
            break
    return content
