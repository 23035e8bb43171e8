"""Displacement errors against plain loops."""

import numpy as np
import pytest

from rheos import score
from rheos.core.errors import InputError

RNG = np.random.default_rng(2)
K, S, D, N = 5, 4, 2, 3
MEMBERS, TRUTH = RNG.normal(size=(K, S, D, N)), RNG.normal(size=(S, D, N))


def by_loops(members, truth):
    """ADE and FDE of every member and agent, `(member, agent)`."""
    ade, fde = np.zeros((2, K, N))
    for m in range(K):
        for n in range(N):
            far = [
                np.hypot(members[m, s, 0, n] - truth[s, 0, n], members[m, s, 1, n] - truth[s, 1, n])
                for s in range(S)
            ]
            ade[m, n], fde[m, n] = sum(far) / S, far[-1]
    return ade, fde


def test_errors_of_the_mean_and_the_best_member():
    found = score.displacement(MEMBERS, TRUTH)
    ade, fde = by_loops(MEMBERS, TRUTH)
    np.testing.assert_allclose(found.ade, ade.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found.fde, fde.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found.best_ade, ade.min(0), rtol=1e-14)
    np.testing.assert_allclose(found.best_fde, fde.min(0), rtol=1e-14)
    assert (ade.argmin(0) != fde.argmin(0)).any(), "the two bests should differ somewhere in this test"


def test_by_hand():
    truth = np.zeros((2, 2, 1))
    members = np.array([[[3.0, 4.0], [6.0, 8.0]], [[0.0, 9.0], [0.0, 1.0]]])[..., None]
    found = score.displacement(members, truth)
    assert [float(part[0]) for part in found] == pytest.approx([6.25, 5.5, 5.0, 1.0])
    np.testing.assert_allclose(score.distances(members, truth)[..., 0], [[5, 10], [9, 1]])


@pytest.mark.parametrize(
    ("order", "frames", "space"), [((0, 1, 2), 0, -2), ((1, 0, 2), 1, -3), ((2, 0, 1), 1, -1)]
)
def test_axes_may_lie_in_any_order(order, frames, space):
    truth = TRUTH.transpose(order)
    members = MEMBERS.transpose(0, *(1 + i for i in order))
    for found, wanted in zip(
        score.displacement(members, truth, frames, space), score.displacement(MEMBERS, TRUTH), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-14)


def test_an_agent_that_is_missing_in_a_frame_has_no_score():
    truth = TRUTH.copy()
    truth[1, 0, 2] = np.nan
    found = score.displacement(MEMBERS, truth)
    for part, whole in zip(found, score.displacement(MEMBERS, TRUTH), strict=True):
        np.testing.assert_array_equal(np.isnan(part), [False, False, True])
        np.testing.assert_array_equal(part[:2], whole[:2])
    members = MEMBERS.copy()
    members[3, 2, 1, 0] = np.nan
    assert all(np.isnan(part[0]) for part in score.displacement(members, TRUTH))


def test_one_axis_cannot_be_both():
    with pytest.raises(InputError, match="axis of frames and one of space"):
        score.displacement(MEMBERS, TRUTH, frames=1)
    with pytest.raises(InputError, match="does not fit"):
        score.displacement(MEMBERS[..., :2], TRUTH)
