"""Fractions skill score and contingency against loops over cells, and the values of the method card."""

import numpy as np
import pytest

from rheos.core.errors import InputError
from rheos.score import Contingency, Fractions, contingency, fractions

RNG = np.random.default_rng(0)


def pixel(*place, shape=(21, 21)):
    field = np.zeros(shape)
    field[place] = 1.0
    return field


@pytest.mark.parametrize(("size", "expected"), [(1, 0.0), (3, 1 / 3), (5, 0.6), (9, 7 / 9)])
def test_two_pixels_two_cells_apart(size, expected):
    """Boxes of side n overlap in n (n - 2) of n^2 cells: FSS = max(0, 1 - 2/n)."""
    found = fractions(pixel(10, 9)[None], pixel(10, 11), 0.5, size)
    assert found.skill == pytest.approx(expected, abs=1e-12)
    assert found.skill == pytest.approx(max(0.0, 1 - 2 / size), abs=1e-12)


def shares(above, size):
    """Mean of a box about every cell, zeros outside, by loops."""
    half, out = size // 2, np.zeros(above.shape)
    for y, x in np.ndindex(above.shape):
        for dy in range(-half, half + 1):
            for dx in range(-half, half + 1):
                if 0 <= y + dy < above.shape[0] and 0 <= x + dx < above.shape[1]:
                    out[y, x] += above[y + dy, x + dx] / size**2
    return out


@pytest.mark.parametrize("members", [1, 3])
def test_fractions_by_loops(members):
    """Sums over all cases before the ratio; what is missing is above in neither map."""
    ensemble, truth = RNG.normal(size=(members, 2, 6, 7)), RNG.normal(size=(2, 6, 7))
    truth[0, 2, 3] = np.nan
    ensemble[0, 1, 0, 0] = np.nan
    error = reference = 0.0
    for case in range(2):
        seen = np.isfinite(truth[case]) & np.isfinite(ensemble[:, case]).all(0)
        p = shares(np.mean([seen & (m[case] >= 0.3) for m in ensemble], axis=0), 3)
        o = shares((seen & (truth[case] >= 0.3)).astype(float), 3)
        error, reference = error + ((p - o) ** 2).sum(), reference + (p**2 + o**2).sum()
    whole = fractions(ensemble, truth, 0.3, 3)
    assert whole.error == pytest.approx(error)
    assert whole.reference == pytest.approx(reference)
    parts = [fractions(ensemble[:, case], truth[case], 0.3, 3) for case in range(2)]
    assert sum(parts, Fractions()).skill == pytest.approx(whole.skill)


def test_fractions_at_the_ends():
    truth = RNG.normal(size=(9, 9))
    assert fractions(truth[None], truth, 0.0, 5).skill == 1
    assert np.isnan(fractions(truth[None], truth, 99.0, 5).skill)
    assert fractions(pixel(2, 2)[None], pixel(2, 2), 1.0, 1).skill == 1, "the threshold itself is above it"
    for size, field in ((4, truth), (0, truth), (3, truth[0])):
        with pytest.raises(InputError, match="odd size"):
            fractions(field[None], field, 0.0, size)


def test_counts_by_loops():
    ensemble, truth = (
        RNG.integers(0, 5, size=(3, 40)).astype(float),
        RNG.integers(0, 5, size=40).astype(float),
    )
    truth[3], ensemble[1, 5] = np.nan, np.nan
    h = m = f = c = 0
    for member in ensemble:
        for i, (x, y) in enumerate(zip(member, truth, strict=True)):
            if i in (3, 5):
                continue
            h += x >= 2 and y >= 2
            m += x < 2 and y >= 2
            f += x >= 2 and y < 2
            c += x < 2 and y < 2
    found = contingency(ensemble, truth, 2.0)
    assert found == Contingency(h, m, f, c)
    halves = contingency(ensemble[:, :20], truth[:20], 2.0) + contingency(ensemble[:, 20:], truth[20:], 2.0)
    assert halves == found


def test_ratios_of_a_published_table():
    """Finley's tornado forecasts of 1884: H 28, F 72, M 23, C 2680 (Wilks, ch. 9)."""
    finley = Contingency(28, 23, 72, 2680)
    assert finley.csi == pytest.approx(0.228, abs=5e-4)
    assert finley.pod == pytest.approx(0.549, abs=5e-4)
    assert finley.far == pytest.approx(0.720, abs=5e-4)
    assert finley.bias == pytest.approx(1.96, abs=5e-3)
    assert finley.hss == pytest.approx(0.355, abs=5e-4)
    assert finley.ets == pytest.approx(0.216, abs=5e-4)


def test_ratios_of_nothing_are_missing():
    never = Contingency(0, 0, 0, 9)
    for name in ("csi", "pod", "far", "bias", "hss", "ets"):
        assert np.isnan(getattr(never, name))
    assert np.isnan(Contingency().ets)
