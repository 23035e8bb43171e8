"""Fixed sums: the weighted least-squares projection, within limits too, and nothing moved that obeys them."""

from itertools import product

import numpy as np
import pytest

from rheos.core.errors import InputError
from rheos.data.bounds import Bounds
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.sums import Sums

RNG = np.random.default_rng(0)
NAMES = ("total", "north", "south", "east", "share")
SCALE = np.array([5.0, 3.0, 1.0, 0.2, 2.0])
FREE = Bounds(np.full(5, -np.inf), np.full(5, np.inf))
WANTED = {"total": ["north", "south", "east"]}


def data(**columns):
    values = np.stack([np.asarray(c, float) for c in columns.values()], axis=1)
    return Dataset(layout=Layout(channels=tuple(columns)), recordings=(Recording.of(values),))


def brute_force(x, sums, bounds):
    """The nearest point of the polytope, over all choices of which terms lie on which limit."""
    best, found = np.inf, None
    for places in product((-1, 0, 1), repeat=len(x)):
        place = np.array(places)
        limits = np.where(place < 0, bounds.lower, bounds.upper)
        if not np.isfinite(limits[place != 0]).all():
            continue
        y = np.where(place == 0, x, limits)
        free = sums.matrix * (place == 0)
        gram = (free * sums.weight) @ free.T
        multiplier = np.linalg.pinv(gram) @ (sums.constant - sums.matrix @ y)
        y = y + sums.weight * (free.T @ multiplier)
        obeys = np.allclose(sums.matrix @ y, sums.constant, atol=1e-9)
        if obeys and (y >= bounds.lower - 1e-12).all() and (y <= bounds.upper + 1e-12).all():
            cost = ((y - x) ** 2 / sums.weight).sum()
            if cost < best:
                best, found = cost, y
    return found


def rows(values):
    """`(n, channel)` as members of one frame."""
    return values[:, None, :]


@pytest.mark.parametrize(
    "wanted", [WANTED, WANTED | {"10": ["share", "north"]}, {"total": ["north"], "3": ["north"]}]
)
def test_projection_is_the_weighted_least_squares_one(wanted):
    """Against the normal equations, solved by another route: a null-space parametrization."""
    sums = Sums.of(NAMES, wanted, SCALE)
    x = RNG.normal(size=(50, 5)) * SCALE
    y = sums.project(rows(x), FREE)[:, 0]
    np.testing.assert_allclose(
        y @ sums.matrix.T, np.broadcast_to(sums.constant, (50, len(sums.names))), atol=1e-12
    )
    point = np.linalg.lstsq(sums.matrix, sums.constant, rcond=None)[0]
    kernel = np.linalg.svd(sums.matrix)[2][np.linalg.matrix_rank(sums.matrix) :].T
    for mine, other in zip(y, x, strict=True):
        within = np.linalg.lstsq(kernel / SCALE[:, None], (other - point) / SCALE, rcond=None)[0]
        np.testing.assert_allclose(mine, point + kernel @ within, atol=1e-10)


@pytest.mark.parametrize(
    "wanted", [{"10": NAMES[1:]}, {"total": NAMES[1:4]}, {"total": NAMES[1:4], "4": ["share", "east"]}]
)
def test_projection_within_limits_is_the_nearest_point(wanted):
    sums = Sums.of(NAMES, wanted, SCALE)
    bounds = Bounds(np.array([-np.inf, 0, 0, 0, 0.5]), np.array([9.0, 6.0, 2.0, np.inf, 7.0]))
    x = 3 + RNG.normal(size=(60, 5)) * 3 * SCALE
    y = bounds.clip(sums.project(rows(x), bounds))[:, 0]
    for mine, other in zip(y, x, strict=True):
        np.testing.assert_allclose(mine, brute_force(other, sums, bounds), atol=1e-7)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("limited", [False, True])
def test_projection_is_idempotent_and_leaves_alone_what_obeys(kind, limited):
    sums = Sums.of(NAMES, WANTED | {"10": ["share", "south"]}, SCALE)
    bounds = Bounds(np.array([0.1, 0, 0.1, 0, 0]), np.full(5, np.inf)) if limited else FREE
    x = (4 + RNG.normal(size=(500, 5)) * 3).astype(kind)
    copy = x.copy()
    once = sums.project(rows(x), bounds)
    assert once.dtype == kind
    np.testing.assert_array_equal(x, copy)
    np.testing.assert_array_equal(sums.project(once, bounds), once)
    mixed = np.concatenate([once, rows(x)])
    np.testing.assert_array_equal(sums.project(mixed, bounds)[:500], once)
    missed = np.abs(once[:, 0].astype(float) @ sums.matrix.T - sums.constant)
    assert (missed <= 4 * np.finfo(kind).eps * (np.abs(once[:, 0]) @ np.abs(sums.matrix.T) + 10)).all()
    assert (once[:, 0] >= bounds.lower.astype(kind)).all()


def test_no_member_gets_further_from_a_truth_that_obeys():
    sums = Sums.of(NAMES, WANTED, SCALE)
    truth = sums.project(rows(RNG.normal(size=(200, 5)) * SCALE), FREE)[:, 0]
    x = truth + RNG.normal(size=(200, 5)) * SCALE
    y = sums.project(rows(x), FREE)[:, 0]
    before, after = (((v - truth) ** 2 / SCALE**2).sum(1) for v in (x, y))
    moved = ((y - x) ** 2 / SCALE**2).sum(1)
    np.testing.assert_allclose(after + moved, before, rtol=1e-10)


def test_a_sum_with_a_missing_term_is_no_sum():
    sums = Sums.of(NAMES, WANTED | {"10": ["share", "north"]}, SCALE)
    values = RNG.normal(size=(3, 2, 5, 4, 2)).astype(np.float32)
    values[:, :, 2, 1, 0] = np.nan  # a cell without south
    found = sums.project(values, FREE)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    np.testing.assert_array_equal(found[:, :, [0, 3], 1, 0], values[:, :, [0, 3], 1, 0])
    np.testing.assert_allclose(found[:, :, 4] + found[:, :, 1], 10, rtol=1e-6)
    whole = np.delete(found.reshape(3, 2, 5, 8), 2, axis=3)
    np.testing.assert_allclose(whole[:, :, 0], whole[:, :, 1:4].sum(2), atol=1e-5)
    assert sums.off(found)[1] < 1e-6


def test_how_far_off_is_in_standard_deviations():
    """Independent terms of unit variance miss their sum by their own standard deviation."""
    sums = Sums.of(NAMES, WANTED, SCALE)
    values = RNG.normal(size=(200_000, 1, 5)) * SCALE
    assert sums.off(values)[0] == pytest.approx(1, abs=0.01)
    assert np.isnan(sums.off(values * np.nan)[0])


def test_no_sum_is_nothing_to_do():
    values = RNG.normal(size=(2, 3, 5))
    assert Sums.of(NAMES, {}, SCALE).project(values, FREE) is values


def test_sums_are_told_in_words():
    sums = Sums.of(
        NAMES, {"total": ["north", "south"], "1.5": [["east", "share"], ["north", "share"]]}, SCALE
    )
    assert sums.names == ("total = north + south", "1.5 = east + share", "1.5 = north + share")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"total": ["nort", "south"]}, r"sums\.total: no variable is called 'nort'; did you mean 'north'"),
        ({"totl": ["north", "south"]}, "this is neither; did you mean 'total'"),
        ({"total": ["north", "north"]}, "each once"),
        ({"total": ["north", "total"]}, "each once"),
        ({"total": []}, "a sum has parts"),
    ],
)
def test_mistakes_are_one_sentence(wanted, message):
    with pytest.raises(InputError, match=message):
        Sums.of(NAMES, wanted, SCALE)


def test_training_data_must_obey():
    north, south = RNG.uniform(5, 9, size=(2, 100))
    table = {"total": north + south + 0.01, "north": north, "south": south, "wind": south}
    wanted, scale = {"total": ["north", "south"]}, np.ones(4)
    good = data(**table)
    Sums.of(good.layout.channels, wanted, scale).require(good)
    table["total"] = np.where(np.arange(100) < 7, 0.0, table["total"])
    with pytest.raises(InputError, match="7 of 100 training rows are off"):
        Sums.of(good.layout.channels, wanted, scale).require(data(**table))
    table["north"] = np.full(100, np.nan)
    with pytest.raises(InputError, match="no frame of the data holds all terms"):
        Sums.of(good.layout.channels, wanted, scale).require(data(**table))
    layout = Layout(channels=good.layout.channels, circular=(0, 0, 360, 0))
    turning = Dataset(layout=layout, recordings=good.recordings)
    with pytest.raises(InputError, match="a direction"):
        Sums.of(layout.channels, wanted, scale).require(turning)
