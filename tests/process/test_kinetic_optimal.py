"""The path of least energy: published numbers, limits, and no cheaper neighbor."""

import math

import numpy as np
import pytest
import torch

from rheos.core.keys import Key
from rheos.process import LeastEnergy
from rheos.process.schedule import CondOT, Cosine, KineticOptimal

INNER = torch.linspace(0.001, 0.999, 300, dtype=torch.float64)


def linear_excess(signal, level):
    """g^2 of data +-1 at angle atan(level / signal): 1 - E[(x_0 - tanh)^2] / level^2, by quadrature."""
    s = signal / level
    z, weight = np.polynomial.hermite_e.hermegauss(180)
    explained = (weight * np.tanh(s * (s + z)) ** 2).sum() / weight.sum()
    return max(1e-4, 1.0 - (1.0 - explained) / level**2)


def two_points(angles=1025):
    eta = np.linspace(0.0, math.pi / 2, angles)[1:]
    gain = [1.0, *(min(1.0, math.sqrt(linear_excess(math.cos(a), math.sin(a)))) for a in eta)]
    return KineticOptimal(gain=tuple(gain))


def explained(s):
    """lam(s) = E||E[x_0 | s x_0 + z]||^2 of data +-1."""
    z, weight = np.polynomial.hermite_e.hermegauss(180)
    return float((weight * np.tanh(s * (s + z)) ** 2).sum() / weight.sum())


def energy(path):
    """int a'^2 + m'^2 - (1 - lam(a/m)) (a' - a m'/m)^2 dt of data +-1, as the paper states it."""

    def density(t):
        at = torch.tensor(t, dtype=torch.float64)
        a, m, da, dm = (float(f(at)) for f in (path.alpha, path.sigma, path.d_alpha, path.d_sigma))
        return da**2 + dm**2 - (1.0 - explained(a / m)) * (da - a * dm / m) ** 2

    nodes, weights = np.polynomial.legendre.leggauss(60)
    return sum(w / 2 * density((n + 1) / 2) for n, w in zip(nodes, weights, strict=True))


def test_two_points_have_the_published_energy():
    """Psi = .6913, energy .4591, below the variance preserving path's .869 and the straight line's .982."""
    path = two_points()
    # The least g allowed adds 0.0017 where Gaussian-like noise leaves g at 0.
    assert path.turn - 0.0017 == pytest.approx(0.6913, abs=1e-4)
    assert 2 - 2 * math.cos(path.turn) == pytest.approx(0.4591, abs=3e-3)
    assert energy(path) == pytest.approx(0.4591, abs=2e-3)
    assert energy(Cosine(offset=0.0)) == pytest.approx(0.869, abs=2e-3)
    assert energy(CondOT()) == pytest.approx(0.982, abs=2e-3)


@pytest.mark.parametrize("gain", [(), (1.0, 1.0, 1.0, 1.0)])
def test_scattered_points_give_straight_lines(gain):
    path = KineticOptimal(gain=gain)
    torch.testing.assert_close(path.alpha(INNER), 1 - INNER, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(path.sigma(INNER), INNER, rtol=1e-12, atol=1e-12)
    assert 2 - 2 * math.cos(path.turn) == pytest.approx(2.0, abs=1e-12)


def test_gaussian_data_leave_a_variance_preserving_path():
    # g is never below 0.01, which is 2.5e-4 from the limit; the chord's angle is its integral.
    path = KineticOptimal(gain=(0.01, 0.01))
    assert path.turn == pytest.approx(0.01 * math.pi / 2, abs=1e-12)
    assert 2 - 2 * math.cos(path.turn) < 3e-4
    torch.testing.assert_close(path.alpha(INNER), torch.cos(math.pi / 2 * INNER), rtol=0, atol=2e-4)
    torch.testing.assert_close(path.sigma(INNER), torch.sin(math.pi / 2 * INNER), rtol=0, atol=2e-4)


def test_the_chord_is_walked_at_unit_speed():
    """R'^2 + R^2 g^2 eta'^2 is the squared length of the chord at every time."""
    path = KineticOptimal(gain=(1.0, 0.7, 0.2, 0.6), deviation=2.0)
    a, m = path.alpha(INNER), path.sigma(INNER) / 2.0
    da, dm = path.d_alpha(INNER), path.d_sigma(INNER) / 2.0
    radius, eta = torch.sqrt(a**2 + m**2), torch.atan2(m, a)
    along, around = (a * da + m * dm) / radius, (a * dm - m * da) / radius
    g = torch.from_numpy(np.interp(eta.numpy(), np.linspace(0, math.pi / 2, 4), path.gain))
    speed = along**2 + g**2 * around**2
    torch.testing.assert_close(speed, torch.full_like(speed, 2 - 2 * math.cos(path.turn)), rtol=1e-9, atol=0)


def test_the_estimate_from_clips_is_the_quadrature():
    """A few hundred clips of one entry +-1: g by the clips' own posterior against the exact one."""
    clips = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(400)[:, None, None] * 3.0 + 5.0
    found = KineticOptimal.of(clips, Key.of(0))
    assert found.deviation == pytest.approx(3.0, rel=1e-12)
    assert found.turn == pytest.approx(0.6913, abs=0.03)
    exact = two_points(33)
    settled = np.array(exact.gain) > 0.3
    np.testing.assert_allclose(np.array(found.gain)[settled], np.array(exact.gain)[settled], atol=0.06)


def test_few_clips_of_many_entries_are_scattered_points():
    clips = torch.randn(40, 30, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert KineticOptimal.of(clips, Key.of(0)).turn > 0.93 * math.pi / 2


def test_a_recipe_takes_its_path_from_the_data_once():
    clips = torch.randn(50, 4, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = clips.clone()
    found = LeastEnergy().estimate(clips, Key.of(1))
    assert found.schedule == KineticOptimal.of(clips, Key.of(1))
    assert found.estimate(2 * clips, Key.of(2)) == found
    assert torch.equal(clips, before)
    assert LeastEnergy.model_validate_json(found.model_dump_json()) == found


def test_energy_is_least_among_neighbors():
    """Bending the chord in the plane of (R, psi) makes it longer: the paper's own functional says so too."""
    path = two_points(257)

    class Bent(KineticOptimal):
        def _chord(self, t):
            radius, psi = super()._chord(t)
            return radius * (1 + 0.1 * torch.sin(math.pi * t)), psi

        def d_alpha(self, t):
            return (self.alpha(t + 1e-6) - self.alpha(t - 1e-6)) / 2e-6

        def d_sigma(self, t):
            return (self.sigma(t + 1e-6) - self.sigma(t - 1e-6)) / 2e-6

    assert energy(Bent(gain=path.gain)) > energy(path) + 0.01
