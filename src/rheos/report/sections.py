"""The sections of a chapter: which pictures it has, and the sentence that says how to read each."""

from dataclasses import dataclass, replace

import numpy as np

from rheos.report import field_figures, figures
from rheos.report.content import Content, Cost, Fan, FieldForecast, ScoreRow, Verdict, percent
from rheos.report.style import WIDE, data_uri, png_bytes, svg_uri

_RECENT = 3  # history of small charts, in horizons
_COLUMNS = {
    "crps": ("CRPS", "lower is better"),
    "wql": ("weighted quantile loss", "lower is better"),
    "crps_sum": ("CRPS of the sum", "lower is better"),
    "rmse": ("RMSE", "lower is better"),
    "coverage_90": ("90 % coverage", "ideal 90 %"),
    "spread_skill": ("spread / skill", "ideal 1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of the page.

    Attributes:
        title: above it.
        caption: how to read it, one sentence.
        alt: what it shows, for those who cannot see it.
        source: the picture as a data address.
        narrow: another one for narrow screens.
        still: another one for paper and readers who want no motion.
        wide: takes the whole width.
        beside: stands alone in its row, its words beside it.
    """

    title: str
    caption: str
    alt: str
    source: str
    narrow: str = ""
    still: str = ""
    wide: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number of the score table: its text, bar length in percent, and whether it is the column's best."""

    text: str
    bar: float | None = None
    best: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The score table."""

    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """The skill's interval on a line, positions in percent of its width."""

    low: float
    high: float
    skill: float
    zero: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, its pictures and, in one of them, the table."""

    title: str
    lead: str
    pictures: tuple[Picture, ...] = ()
    table: Table | None = None
    tiles: tuple[tuple[str, str], ...] = ()


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}".replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds in the unit one would say."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _cell(column: str, value: float | None, values: list[float]) -> Cell:
    if value is None or not np.isfinite(value):
        return Cell(text="–")
    if column == "coverage_90":
        return Cell(text=percent(value), best=abs(value - 0.9) == min(abs(v - 0.9) for v in values))
    if column == "spread_skill":
        return Cell(text=number(value), best=abs(value - 1) == min(abs(v - 1) for v in values))
    bar = 100 * value / max(values) if column == "crps" and max(values) > 0 else None
    return Cell(text=number(value), bar=bar, best=value == min(values))


def score_table(scores: tuple[ScoreRow, ...], unit: str) -> Table:
    """The rows as given; columns that no row has are left out."""

    def known(column: str) -> list[float]:
        values = (getattr(row, column) for row in scores)
        return [v for v in values if v is not None and np.isfinite(v)]

    columns = [column for column in _COLUMNS if known(column)]
    rows = tuple((row.name, tuple(_cell(c, getattr(row, c), known(c)) for c in columns)) for row in scores)
    return Table(heads=tuple(_COLUMNS[c] for c in columns), rows=rows, unit=unit)


def gauge(verdict: Verdict) -> Gauge | None:
    """Where skill, its interval and zero lie on a line that shows them all; None without an interval."""
    if not np.isfinite((verdict.skill, verdict.low, verdict.high)).all():
        return None
    reach = 1.15 * max(abs(verdict.low), abs(verdict.high), abs(verdict.skill), 0.02)
    low, high, skill = (
        round(50 + 50 * value / reach, 2) for value in (verdict.low, verdict.high, verdict.skill)
    )
    return Gauge(low=low, high=high, skill=skill, zero=50.0)


def _recent(fan: Fan) -> Fan:
    """Less history, so that the forecast takes its share of a small chart."""
    kept = _RECENT * len(fan.time)
    return replace(fan, history_time=fan.history_time[-kept:], history=fan.history[-kept:])


def _fan_picture(fan: Fan, wide: bool) -> Picture:
    if fan.truth is None:
        caption = "Half of the members lie in the dark band, eight of ten in the pale one."
    else:
        caption = "The truth should leave the pale band in about one frame of five, now above and now below."
    truth = "" if fan.truth is None else " and the truth"
    small = svg_uri(figures.fan_chart(_recent(fan)))
    return Picture(
        title=f"Forecast: {fan.title or fan.channel}",
        caption=caption,
        alt=f"Fan chart of {fan.channel}: history, then the median with 50 % and 80 % bands{truth}, "
        f"{len(fan.time)} frames ahead.",
        source=svg_uri(figures.fan_chart(fan, WIDE)) if wide else small,
        narrow=small if wide else "",
        wide=wide,
    )


def _path_picture(fan: Fan, wide: bool) -> Picture:
    small = svg_uri(figures.path_chart(_recent(fan)))
    return Picture(
        title=f"Possible futures: {fan.title or fan.channel}",
        caption="Each thin line is one whole future; wiggles and turning points should look like history's.",
        alt=f"Line chart of single ensemble members of {fan.channel}.",
        source=svg_uri(figures.path_chart(_recent(fan), WIDE)) if wide else small,
        narrow=small if wide else "",
        wide=wide,
    )


def _heading(field: FieldForecast) -> str:
    return field.channel[:1].upper() + field.channel[1:]


def _film(field: FieldForecast) -> Picture:
    beside = "the truth, " if field.truth is not None else ""
    return Picture(
        title=f"{_heading(field)}, forecast" + (" beside the truth" if beside else ""),
        caption="One member is as sharp as the real thing, the mean blurs where members disagree, and the "
        "spread shows where; missing areas are grey.",
        alt=f"Animation of {field.channel}: {beside}one member, the ensemble mean and the spread over "
        f"{len(field.leads)} lead times.",
        source=data_uri(field_figures.animation(field), "image/png"),
        still=data_uri(png_bytes(field_figures.still(field)), "image/png"),
        wide=True,
    )


def _strip(field: FieldForecast) -> Picture:
    return Picture(
        title=f"{_heading(field)} by lead time",
        caption="Spread and error share one color scale: where the ensemble is unsure is where it should err."
        if field.truth is not None
        else "Where the members agree the spread is pale; where they part it is dark.",
        alt=f"Panels of {field.channel} at several lead times, {field.leads[0]} to {field.leads[-1]}: "
        "rows for truth, mean, members, spread and error as far as known.",
        source=data_uri(png_bytes(field_figures.filmstrip(field)), "image/png"),
        wide=True,
    )


def _forecast_section(content: Content) -> Section:
    pictures = [_film(field) for field in content.fields[:1]]
    pictures += [_strip(field) for field in content.fields]
    for fan in content.fans[:1]:
        pictures += [_fan_picture(fan, wide=True), _path_picture(fan, wide=len(content.fans) % 2 == 1)]
    pictures += [_fan_picture(fan, wide=False) for fan in content.fans[1:]]
    return Section(
        title="The forecast",
        lead="What may happen, as an ensemble of whole futures.",
        pictures=tuple(pictures),
    )


def _skill_section(content: Content) -> Section:
    pictures = []
    if content.leads is not None and content.leads.crps:
        pictures.append(
            Picture(
                title="Score by lead time",
                caption="Lower is better; the thick line should run below every dashed one, above all at "
                "short leads.",
                alt="Line chart of CRPS by lead time for " + ", ".join(content.leads.crps) + ".",
                source=svg_uri(figures.lead_chart(content.leads)),
            )
        )
    if content.window_scores is not None:
        scores = content.window_scores
        wins = int((scores.rheos < scores.baseline).sum())
        pictures.append(
            Picture(
                title=f"Window by window: better in {wins} of {len(scores.rheos)}",
                caption=f"Each stem joins the two scores of one window and has the color of the better one; "
                f"diamonds are {scores.baseline_name}.",
                alt=f"Paired scores of {len(scores.rheos)} windows; rheos is better than "
                f"{scores.baseline_name} in {wins}.",
                source=svg_uri(figures.window_chart(scores)),
            )
        )
    return Section(
        title="How good it is",
        lead="Scored on frames kept out of everything that was fitted.",
        pictures=tuple(pictures),
        table=score_table(content.scores, content.score_unit) if content.scores else None,
    )


def _trust_section(content: Content) -> Section:
    pictures = []
    if content.ranks is not None:
        pictures.append(
            Picture(
                title="Where the truth ranks among the members",
                caption="Bars should stay in the grey band: a valley means too little spread, a hill "
                "too much, a slope a bias.",
                alt="Rank histogram with its 90 % band of chance.",
                source=svg_uri(figures.rank_chart(content.ranks)),
            )
        )
    if content.leads is not None and content.leads.spread is not None and content.leads.error is not None:
        pictures.append(
            Picture(
                title="Spread against error",
                caption="The two lines should coincide: spread below error means overconfidence.",
                alt="Line chart of ensemble spread and error of the ensemble mean by lead time.",
                source=svg_uri(figures.spread_chart(content.leads)),
            )
        )
    if content.coverage is not None:
        note = content.coverage.note
        note = f" {note[0].upper()}{note[1:]}" if note else ""
        pictures.append(
            Picture(
                title="Promised and kept intervals",
                caption="A point below the diagonal is an interval that is too narrow." + note,
                alt="Observed against nominal coverage of central intervals.",
                source=svg_uri(figures.coverage_chart(content.coverage)),
            )
        )
    return Section(
        title="Can its spread be trusted",
        lead="A forecast of 90 % should come true nine times in ten.",
        pictures=tuple(pictures),
    )


def cost_tiles(cost: Cost) -> tuple[tuple[str, str], ...]:
    """Label and text of each known cost."""
    tiles = (
        ("training", None if cost.training_seconds is None else duration(cost.training_seconds)),
        ("training steps", None if cost.training_steps is None else f"{cost.training_steps:,}"),
        ("parameters", None if cost.parameters is None else f"{cost.parameters:,}"),
        ("forecasting", None if cost.forecast_seconds is None else duration(cost.forecast_seconds)),
        ("evaluations a member", None if cost.evaluations is None else f"{cost.evaluations:,}"),
        ("device", cost.device or None),
    )
    return tuple((label, text) for label, text in tiles if text is not None)


def _making_section(content: Content) -> Section:
    pictures = []
    if content.training is not None:
        pictures.append(
            Picture(
                title="Training",
                caption="The held-out score decides which weights are used (dashed line), not the loss.",
                alt="Training loss and held-out score by step, the chosen step marked.",
                source=svg_uri(figures.training_chart(content.training)),
            )
        )
    if content.bias is not None:
        pictures.append(
            Picture(
                title="What the solver adds",
                caption=f"Exact answers in place of the network: {content.bias.solver} at "
                f"{content.bias.evaluations} evaluations should keep every mode's variance inside the band.",
                alt="Variance ratio of the solver for each mode, the worst mode marked.",
                source=svg_uri(figures.bias_chart(content.bias)),
            )
        )
    return Section(
        title="How it was made",
        lead="Training, sampling and what they cost.",
        pictures=tuple(pictures),
        tiles=() if content.cost is None else cost_tiles(content.cost),
    )


def _balanced(section: Section) -> Section:
    """Lay the last of an odd number of small pictures beside its words, so that no hole is left."""
    small = sum(not picture.wide for picture in section.pictures)
    if small % 2 == 0:
        return section
    return replace(section, pictures=(*section.pictures[:-1], replace(section.pictures[-1], beside=True)))


def sections(content: Content) -> tuple[Section, ...]:
    """The sections that have something to show."""
    every = (_forecast_section, _skill_section, _trust_section, _making_section)
    made = (section(content) for section in every)
    return tuple(_balanced(s) for s in made if s.pictures or s.table or s.tiles)
