"""Damped modes: laws of neighbors and of far patterns, an independent fit, honest scale, land, storing."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from rheos.data.anchor import DampedAnomaly, DampedModes
from rheos.data.anchor.damped_modes import _Plane
from rheos.data.anchor.stretches import stretches
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

HISTORY, HORIZON = 3, 2


def source_of(values, periodic=(False, True)):
    """Windows of monthly fields `(frames, channel, y, x)`."""
    stamps = pd.date_range("1900-01-01", periods=len(values), freq="MS")
    channels = tuple(f"c{i}" for i in range(values.shape[1]))
    layout = Layout(
        channels=channels,
        kind="grid",
        dims=("channel", "y", "x"),
        frequency="MS",
        periodic=periodic,
    )
    data = Dataset(layout=layout, recordings=(Recording.of(values, stamps),))
    return WindowSource(data, WindowSpec(history=HISTORY, horizon=HORIZON), Scale().fit(data))


def smooth(field, width=1.0):
    return gaussian_filter(field, width, mode=("nearest", "wrap"))


def neighborly(frames=1500, seed=0):
    """x_(t+1) = 0.97 G x_t + noise of deviation 1, on a ring of rows that do not close."""
    rng = np.random.default_rng(seed)
    values = np.zeros((frames, 1, 8, 12))
    for t in range(1, frames):
        values[t, 0] = 0.97 * smooth(values[t - 1, 0]) + rng.normal(size=(8, 12))
    return values


def telling(frames=1500, seed=0):
    """A pattern in the west, drawn anew each month, that the east repeats two months later, in noise."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=frames)
    values = rng.normal(size=(frames, 1, 4, 10))
    values[:, 0, :, :4] += 2.0 * z[:, None, None]
    values[2:, 0, :, 6:] += 2.0 * z[:-2, None, None]
    return values


def errors(anchor, source, rows):
    """Root mean square by lead and cell `(S, y, x)`, in units of the data."""
    batch = source.batch(rows)
    residual = (batch.future - anchor.future(batch)) * source.codec.scale.ravel()[0]
    return np.sqrt((residual[:, :, 0] ** 2).mean(0))


def test_neighbors_are_heard_where_the_law_is_theirs():
    source = source_of(neighborly())
    training, test = np.arange(1000), np.arange(1050, len(source))
    rule, whole = (c.fit(source, training) for c in (DampedAnomaly(), DampedModes(around=1.0)))
    inside = slice(2, -2)
    # The best of forecasts errs by 1 at the first lead; 420 windows of 48 cells tell that to 1 %.
    assert errors(whole, source, test)[0, inside].mean() == pytest.approx(1.0, abs=0.03)
    assert errors(rule, source, test)[0, inside].mean() > 1.06
    own = whole.rule.damping[0, 0] + whole.addition.local[0, 0, 0]
    assert own[inside].mean() == pytest.approx(0.0, abs=0.08)
    assert whole.addition.local[1, 0, 0, inside].mean() == pytest.approx(0.97, abs=0.1)


def test_what_a_pattern_tells_from_afar_is_heard():
    source = source_of(telling(), periodic=(False, False))
    training, test = np.arange(1000), np.arange(1050, len(source))
    rule, whole = (c.fit(source, training) for c in (DampedAnomaly(), DampedModes(around=0.0)))
    east = (slice(None), slice(None), slice(6, None))
    # In the east the second lead is twice the pattern of the origin in noise of deviation 1; 16 cells of
    # the west tell the pattern to 1/8.
    assert errors(whole, source, test)[east][1].mean() == pytest.approx(np.sqrt(1 + 1 / 16), abs=0.05)
    assert errors(rule, source, test)[east][1].mean() > 2.0
    assert len(whole.addition.local) == 1
    scale = whole.scale[HISTORY:, 0] * source.codec.scale.ravel()[0]
    assert scale[east][1].mean() == pytest.approx(np.sqrt(1 + 1 / 16), abs=0.05)


def test_nothing_is_added_where_nothing_tells():
    values = np.random.default_rng(0).normal(size=(90, 1, 12, 20))
    source = source_of(values)
    indices = np.arange(len(source))
    whole = DampedModes().fit(source, indices)
    x = whole.rule.anomaly(source.batch(indices))
    added = whole.addition.near(x) + whole.addition.far(x)
    assert np.sqrt((added**2).mean()) < 0.06
    assert np.abs(whole.addition.local).max() < 0.2


def by_hand(source, indices, modes, width):
    """Forecasts of the windows after: per entry lstsq, patterns by the SVD, shares by projection."""

    def pieces(x):
        # At the edges a mean over the cells that there are, not over what is beyond.
        edges = ("constant", "wrap")
        share = gaussian_filter(np.ones(x.shape[2:]), width, mode=edges)
        around = np.stack([gaussian_filter(frame[0], width, mode=edges) / share for frame in x])
        return x.reshape(len(x), -1), around.reshape(len(x), -1)

    def fit(x, e):
        flat, around = pieces(x)
        local = np.zeros((2, e.shape[1], flat.shape[1]))
        seen = np.isfinite(e)
        for lead, entry in np.ndindex(e.shape[1:]):
            rows = seen[:, lead, entry]
            columns = np.column_stack([flat[:, entry], around[:, entry]])[rows]
            local[:, lead, entry] = np.linalg.lstsq(columns, e[rows, lead, entry], rcond=None)[0]
        rest = np.nan_to_num(e - local[0] * flat[:, None] - local[1] * around[:, None])
        _, s, v = np.linalg.svd(flat, full_matrices=False)
        z = flat @ v[:modes].T / s[:modes]
        weights = np.einsum("nk,nse->kse", z, rest)

        def near(x):
            flat, around = pieces(x)
            return local[0] * flat[:, None] + local[1] * around[:, None]

        def far(x):
            return np.einsum("nk,kse->nse", pieces(x)[0] @ v[:modes].T / s[:modes], weights)

        return near, far

    def seen(rule, rows):
        batch = source.batch(rows)
        error = batch.future - rule.future(batch)
        return rule.anomaly(batch), error.reshape(len(rows), HORIZON, -1)

    runs = list(stretches(source, indices))
    parts = [seen(DampedAnomaly().fit(source, indices[others]), indices[mine]) for mine, others in runs]
    x, e = (np.concatenate(part) for part in zip(*parts, strict=True))
    left_out = [fit(x[others], e[others]) for _, others in runs]
    shares, rest = [], e
    for which in range(2):
        answers = np.concatenate(
            [parts[which](x[mine]) for parts, (mine, _) in zip(left_out, runs, strict=True)]
        )
        share = np.nansum(rest * answers, (0, 2)) / (answers**2).sum((0, 2), where=np.isfinite(e))
        shares.append(np.clip(share, 0, 1)[:, None])
        rest = rest - shares[-1] * answers
    last = np.arange(indices[-1] + 1, len(source))
    whole = DampedAnomaly().fit(source, indices)
    batch = source.batch(last)
    near, far = (part(whole.anomaly(batch)) for part in fit(x, e))
    return whole.future(batch).reshape(near.shape) + shares[0] * near + shares[1] * far, shares


@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_the_fit_is_that_made_by_hand(missing):
    values = neighborly(160)[60:]
    values[np.random.default_rng(3).random(values.shape) < missing] = np.nan
    source = source_of(values)
    indices = np.arange(80)
    expected, shares = by_hand(source, indices, 2, 1.5)
    fitted = DampedModes(around=1.5, modes=2, pooling=0.0).fit(source, indices)
    found = fitted.future(source.batch(np.arange(80, len(source))))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-4)
    assert all(((share > 0.05) & (share < 0.95)).any() for share in shares)


def test_entries_are_drawn_toward_their_channel():
    source = source_of(neighborly(110)[50:])
    indices = np.arange(len(source))

    def spread(pooling):
        local = DampedModes(around=1.0, pooling=pooling).fit(source, indices).addition.local
        return (local.std((2, 3, 4)) / np.abs(local.mean((2, 3, 4)))).max()

    assert spread(1e9) < 1e-6
    assert spread(0.0) > 2 * spread(1.0) > 0


def test_the_scale_is_that_of_windows_to_come():
    ratios = []
    for seed in range(6):
        source = source_of(neighborly(460, seed))
        training, test = np.arange(60), np.arange(80, len(source))
        batch = source.batch(test)
        anchor, scale = DampedModes(around=1.0).fit(source, training)(batch)
        ratios.append((((batch.future - anchor[:, HISTORY:]) / scale[:, HISTORY:]) ** 2).mean())
    assert np.sqrt(np.mean(ratios)) == pytest.approx(1.0, abs=0.06)


def test_a_neighborhood_is_a_mean_over_the_cells_there_are():
    exists = np.ones((1, 5, 8), bool)
    exists[0, 1, 2] = exists[0, 4, :3] = False
    plane = _Plane(exists, (False, True), 1.2)
    land = np.where(exists, 3.0, 0.0)[None].repeat(2, 0)
    own, around = plane.features(land)
    np.testing.assert_array_equal(own, land)
    np.testing.assert_allclose(around, own, rtol=1e-9)
    spike = np.zeros((1, 1, 5, 8))
    spike[0, 0, 2, 0] = 1.0
    around = plane.features(spike)[1][0, 0]
    assert around[2, 7] == pytest.approx(around[2, 1] * _ratio(plane, spike), rel=1e-9)
    assert around[2, 4] < 1e-3 < around[3, 0]


def _ratio(plane, spike):
    """How much less of a neighborhood the cell to the right has than that beyond the seam."""
    share = gaussian_filter(plane.exists.astype(float)[0], plane.around, mode=("constant", "wrap"))
    return share[2, 1] / share[2, 7]


def test_gaps_and_land_are_finite():
    values = neighborly(120)
    values[:, 0, 0, :3] = np.nan
    values[np.random.default_rng(0).random(values.shape) < 0.2] = np.nan
    source = source_of(values)
    fitted = DampedModes().fit(source, np.arange(len(source)))
    anchor, scale = fitted(source.batch(np.arange(len(source))))
    assert np.isfinite(anchor).all()
    assert np.isfinite(scale).all()
    assert (scale > 0).all()
    assert (fitted.addition.weights[:, :, 0, 0, :3] == 0).all()


def test_too_few_windows_to_leave_some_out_add_nothing():
    source = source_of(neighborly(HISTORY + HORIZON + 1))
    fitted, rule = (c.fit(source, np.arange(len(source))) for c in (DampedModes(), DampedAnomaly()))
    batch = source.batch(np.arange(len(source)))
    np.testing.assert_array_equal(fitted.future(batch), rule.future(batch))
    np.testing.assert_array_equal(fitted.scale, rule.scale)


def test_a_window_that_no_fit_left_out_has_no_error():
    """Of eight, the second pair shares frames with so many that half of them would be left."""
    source = source_of(neighborly(HISTORY + HORIZON + 7))
    indices = np.arange(8)
    _, error, _ = DampedModes()._errors(source, indices, list(stretches(source, indices)))
    unseen = np.isnan(error).all((1, 2, 3, 4))
    assert np.flatnonzero(unseen).tolist() == [2, 3]


@pytest.mark.parametrize("config", [DampedModes(), DampedModes(around=0.0), DampedModes(modes=0)])
def test_what_is_stored_forecasts_alike(config):
    source = source_of(neighborly(120))
    fitted = config.fit(source, np.arange(len(source)))
    batch = source.batch(np.arange(5))
    again = config.restore(fitted.to_arrays())
    np.testing.assert_array_equal(again.future(batch), fitted.future(batch))
    np.testing.assert_array_equal(again.spread(batch), fitted.spread(batch))
