import sys
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from report_example import leads, sea_surface

from rheos.report import figures
from rheos.report.content import Coverage, Fan, LeadScores, RankHistogram, SolverBias, Training, WindowScores
from rheos.report.style import ACCENT, FORECAST, svg_uri


def line(figure: Any, label: str, axes: int = 0) -> Any:
    return next(found for found in figure.axes[axes].lines if found.get_label() == label)


def plain_fan(members: np.ndarray, truth: np.ndarray | None = None) -> Fan:
    horizon = members.shape[1]
    return Fan(
        channel="load",
        unit="MW",
        history_time=np.arange(5),
        history=np.arange(5.0),
        time=np.arange(5, 5 + horizon),
        members=members,
        truth=truth,
    )


def test_fan_draws_the_quantiles_it_names_from_the_last_observation_on() -> None:
    members = np.random.default_rng(0).normal(size=(50, 3))
    figure = figures.fan_chart(plain_fan(members, truth=np.array([4.0, 5.0, 6.0])))
    median = line(figure, "median")
    np.testing.assert_array_equal(median.get_xdata(), [4, 5, 6, 7])
    np.testing.assert_allclose(median.get_ydata(), [4.0, *np.quantile(members, 0.5, axis=0)])
    np.testing.assert_allclose(line(figure, "truth").get_ydata(), [4.0, 4.0, 5.0, 6.0])
    for band, label, (low, high) in zip(
        figure.axes[0].collections, ("80 % band", "50 % band"), ((0.1, 0.9), (0.25, 0.75)), strict=True
    ):
        assert band.get_label() == label
        corners = band.get_paths()[0].vertices
        for step in range(3):
            heights = corners[corners[:, 0] == 5 + step, 1]
            edges = np.quantile(members[:, step], (low, high))
            np.testing.assert_allclose((heights.min(), heights.max()), edges)
    assert figure.axes[0].get_ylabel() == "load (MW)"


def test_fan_keeps_gaps_as_gaps() -> None:
    fan = plain_fan(np.ones((4, 2)))
    figure = figures.fan_chart(replace(fan, history=np.array([0, 1, np.nan, 3, 4.0])))
    assert np.isnan(line(figure, "history").get_ydata()[2])


def test_paths_are_whole_members() -> None:
    members = np.arange(12.0).reshape(4, 3)
    figure = figures.path_chart(plain_fan(members), paths=3)
    np.testing.assert_array_equal(line(figure, "one member of 4").get_ydata(), [4, 0, 1, 2])
    thin = [found.get_ydata() for found in figure.axes[0].lines if found.get_linewidth() == 0.7]
    np.testing.assert_array_equal(thin, [[4, 3, 4, 5], [4, 6, 7, 8]])


def test_dates_are_dates() -> None:
    figure = figures.fan_chart(sea_surface(0))
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"2004", "2006"} <= set(labels)


def test_rank_bars_are_shares_over_expected_shares() -> None:
    counts = np.arange(1, 42)
    figure = figures.rank_chart(RankHistogram(counts=counts, independent_cases=100))
    bars = figure.axes[0].patches
    assert len(bars) == 20
    heights = np.array([bar.get_height() for bar in bars])
    widths = np.array([bar.get_width() for bar in bars])
    assert widths.sum() == pytest.approx(1)
    assert (heights * widths).sum() == pytest.approx(1)
    assert heights[0] == pytest.approx((1 + 2 + 3) / counts.sum() / (3 / 41))


def test_rank_band_holds_nine_of_ten_chance_histograms() -> None:
    ranks = RankHistogram(counts=np.full(10, 20), independent_cases=200)
    axes = figures.rank_chart(ranks).axes[0]
    low, high = (axes.lines[i].get_ydata()[0] for i in (0, 1))
    draws = np.random.default_rng(0).multinomial(200, np.full(10, 0.1), 20_000) / 20
    inside = ((draws >= low) & (draws <= high)).mean()
    assert inside == pytest.approx(0.9, abs=0.03)


def test_window_stems_have_the_color_of_the_better_score() -> None:
    scores = WindowScores(
        origins=("a", "b", "c"),
        rheos=np.array([1.0, 2.0, 3.0]),
        baseline=np.array([2.0, 1.0, 4.0]),
        baseline_name="seasonal",
    )
    ours, theirs = figures.window_chart(scores).axes[0].collections
    assert [segment[0][0] for segment in ours.get_segments()] == [0, 2]
    assert [segment[0][0] for segment in theirs.get_segments()] == [1]
    assert mpl.colors.to_hex(ours.get_color()[0]) == FORECAST
    assert mpl.colors.to_hex(theirs.get_color()[0]) == ACCENT


def test_lead_charts_draw_what_they_are_given() -> None:
    values = leads()
    figure = figures.lead_chart(values)
    for name, scores in values.crps.items():
        np.testing.assert_array_equal(line(figure, name).get_ydata(), scores)
    assert line(figure, "rheos").get_linewidth() > line(figure, "seasonal").get_linewidth()
    spread = figures.spread_chart(values)
    np.testing.assert_array_equal(line(spread, "spread").get_ydata(), values.spread)
    np.testing.assert_array_equal(line(spread, "error of the mean").get_ydata(), values.error)
    with pytest.raises(ValueError, match="both"):
        figures.spread_chart(replace(values, spread=None))


def test_single_lead_time_is_visible() -> None:
    values = LeadScores(lead=np.array([1]), lead_unit="h", crps={"rheos": np.ones(1), "seasonal": np.ones(1)})
    assert {found.get_marker() for found in figures.lead_chart(values).axes[0].lines} == {"o"}


def test_coverage_names_the_curve_by_whether_it_was_calibrated() -> None:
    nominal = np.array([0.5, 0.9])
    plain = figures.coverage_chart(Coverage(nominal=nominal, after=nominal - 0.1))
    np.testing.assert_allclose(line(plain, "as forecast").get_ydata(), [0.4, 0.8])
    both = figures.coverage_chart(Coverage(nominal=nominal, after=nominal, before=nominal - 0.2))
    np.testing.assert_allclose(line(both, "before calibration").get_ydata(), [0.3, 0.7])
    np.testing.assert_allclose(line(both, "after calibration").get_ydata(), nominal)


def test_training_marks_the_chosen_step_and_smooths_by_the_median() -> None:
    loss = np.array([5.0, 4.0, 40.0, 4.0, 3.0])
    figure = figures.training_chart(Training(step=np.arange(5), loss=loss, chosen_step=3))
    raw, smooth, chosen = figure.axes[0].lines
    np.testing.assert_array_equal(raw.get_ydata(), loss)
    np.testing.assert_array_equal(smooth.get_ydata(), [5, 5, 4, 4, 3])
    assert list(chosen.get_xdata()) == [3, 3]
    assert len(figure.axes) == 1


def test_worst_mode_is_the_one_farthest_from_one() -> None:
    bias = SolverBias(ratio=np.array([1.01, 0.95, 1.03]), solver="heun", evaluations=8, bound=0.03)
    axes = figures.bias_chart(bias).axes[0]
    assert axes.texts[0].get_text() == "worst mode −5.00 %"
    assert tuple(axes.texts[0].xy) == (2, 0.95)
    low, high = axes.get_ylim()
    assert low < 0.95 < 1.03 < high


def test_figures_leave_the_global_state_alone() -> None:
    before = dict(mpl.rcParams)
    svg_uri(figures.fan_chart(sea_surface(0)))
    assert dict(mpl.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []
