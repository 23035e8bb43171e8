import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from report_example import vortices

from rheos.report.content import FieldForecast
from rheos.report.field_figures import animation, filmstrip, moments, still
from rheos.report.style import LAND, few_colors, pixels


def small(**changes: object) -> FieldForecast:
    members = np.arange(2 * 3 * 4 * 5, dtype=float).reshape(2, 3, 4, 5)
    field = FieldForecast(channel="depth", unit="m", leads=("+1 h", "+2 h", "+3 h"), members=members)
    return replace(field, **changes)


def panels(figure: object) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array().filled(np.nan)) for axes in figure.axes if axes.images]


def test_strip_holds_truth_mean_members_spread_and_error_by_lead() -> None:
    field = small(truth=np.full((3, 4, 5), 7.0))
    drawn = panels(filmstrip(field))[:18]
    mean = field.members.mean(0)
    spread = np.full((3, 4, 5), 60 / np.sqrt(2))
    expected = [field.truth, mean, field.members[0], field.members[1], spread, np.abs(mean - 7.0)]
    for row, series in enumerate(expected):
        for column in range(3):
            np.testing.assert_allclose(drawn[3 * row + column], series[column])


def test_strip_without_truth_shows_no_error() -> None:
    figure = filmstrip(small())
    names = [axes.get_ylabel() for axes in figure.axes]
    assert "truth" not in names
    assert not any("error of" in name for name in names)
    assert [axes.get_title() for axes in figure.axes[:3]] == ["+1 h", "+2 h", "+3 h"]


def test_colors_are_diverging_about_zero_only_where_both_signs_occur() -> None:
    one_sided = filmstrip(small()).axes[0].images[0]
    assert one_sided.get_cmap().name.startswith("viridis")
    centered = filmstrip(small(members=small().members - 60)).axes[0].images[0]
    low, high = centered.get_clim()
    assert low == -high


@pytest.mark.parametrize(("y", "origin"), [([10, 20, 30, 40], "lower"), ([40, 30, 20, 10], "upper")])
def test_north_is_up_whichever_way_latitude_runs(y: list[int], origin: str) -> None:
    field = small(y=np.array(y, float), x=np.arange(5.0), y_label="latitude (°)")
    axes = filmstrip(field).axes
    assert axes[0].images[0].origin == origin
    assert axes[0].images[0].get_extent() == [-0.5, 4.5, 5.0, 45.0]
    assert any(one.get_ylabel() == "latitude (°)" for one in axes)


def test_missing_areas_are_grey() -> None:
    members = np.ones((2, 1, 8, 8)) * np.arange(8.0)
    members[..., :4, :4] = np.nan
    field = FieldForecast(channel="ice", leads=("+1 d",), members=members)
    picture = np.asarray(pixels(filmstrip(field), 60))
    grey = np.array([int(LAND[i : i + 2], 16) for i in (1, 3, 5)])
    share = (picture == grey).all(-1).mean()
    assert share > 0.05


def test_animation_runs_through_history_and_leads_and_stays_small() -> None:
    field = vortices(frames=2)
    assert moments(field) == [-6, -5, -4, -3, -2, -1, 0, 1]
    content = animation(field)
    film = Image.open(io.BytesIO(content))
    assert film.n_frames == 8
    assert film.info["loop"] == 0
    smaller = animation(field, most_bytes=len(content) - 1)
    assert len(smaller) < len(content)


def test_still_shows_the_last_lead() -> None:
    field = small(truth=small().members[1])
    truth, member, mean, spread = panels(still(field))
    np.testing.assert_array_equal(truth, field.members[1, 2])
    np.testing.assert_array_equal(member, field.members[0, 2])
    np.testing.assert_array_equal(mean, field.members[:, 2].mean(0))
    np.testing.assert_allclose(spread, 60 / np.sqrt(2))


def test_few_colors_keep_the_frequent_ones_and_replace_the_rest_by_their_nearest() -> None:
    common = np.stack(np.meshgrid(range(0, 256, 17), range(0, 256, 17)), -1).reshape(-1, 2)
    pixels_ = np.zeros((2, 300, 3), np.uint8)
    pixels_[:, :256, :2] = common
    near = pixels_[0, :44].astype(int)
    pixels_[0, 256:] = np.where(near < 128, near + 2, near - 2)
    again = np.asarray(few_colors([Image.fromarray(pixels_)])[0].convert("RGB"))
    np.testing.assert_array_equal(again[:, :256], pixels_[:, :256])
    np.testing.assert_array_equal(again[0, 256:], pixels_[0, :44])
