import numpy as np
import pytest
from scipy.integrate import solve_ivp

from rheos.data.generator.lorenz import Lorenz63, Lorenz96, runge_kutta


def test_lorenz63_rests_at_its_fixed_points() -> None:
    method = Lorenz63()
    side = np.sqrt(method.aspect * (method.rayleigh - 1))
    points = np.array([[0, 0, 0], [side, side, 27.0], [-side, -side, 27.0]])
    np.testing.assert_allclose(method.rate(points), 0, atol=1e-12)


def test_lorenz63_contracts_volume_at_a_constant_rate() -> None:
    method, state, step = Lorenz63(), np.array([3.0, -2.0, 20.0]), 1e-6
    jacobian = [(method.rate(state + e) - method.rate(state - e)) / (2 * step) for e in step * np.eye(3)]
    assert np.trace(jacobian) == pytest.approx(-(method.prandtl + 1 + method.aspect), abs=1e-6)
    np.testing.assert_allclose(np.array(jacobian)[:2, 1], [method.rayleigh - 20, -1], atol=1e-6)


def test_lorenz96_advection_keeps_energy_and_the_rest_damps_and_forces() -> None:
    method = Lorenz96(sites=7, force=5.0)
    state = np.random.default_rng(0).standard_normal((4, 7))
    np.testing.assert_allclose(
        (state * method.rate(state)).sum(-1), (5.0 * state - state**2).sum(-1), atol=1e-12
    )
    one_hot = np.array([2.0, 3.0, 5.0, 0, 0, 0, 0])
    assert method.rate(one_hot)[1] == (5.0 - 0.0) * 2.0 - 3.0 + 5.0
    assert method.rate(one_hot)[2] == (0.0 - 2.0) * 3.0 - 5.0 + 5.0


@pytest.mark.parametrize("method", [Lorenz63(), Lorenz96(sites=5)])
def test_integration_agrees_with_scipy_and_is_of_fourth_order(method: Lorenz63 | Lorenz96) -> None:
    size = 3 if isinstance(method, Lorenz63) else 5
    start = np.arange(1.0, size + 1)
    exact = solve_ivp(lambda _, x: method.rate(x), (0, 0.5), start, rtol=1e-12, atol=1e-12).y[:, -1]
    errors = [np.abs(runge_kutta(method.rate, start, 0.5 / n, n) - exact).max() for n in (50, 100, 200)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.4)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(4, abs=0.4)


def test_frames_lie_one_interval_apart() -> None:
    method = Lorenz63(frames=4, trajectories=2, interval=0.1, spin_up=5)
    data = method.generate(3)
    values = data.recordings[1].values
    assert values.shape == (4, 3)
    flow = solve_ivp(lambda _, x: method.rate(x), (0, 0.3), values[0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(values[3], flow.y[:, -1], atol=1e-3)


def test_lorenz63_has_its_known_climate() -> None:
    values = np.concatenate([r.values for r in Lorenz63(frames=800, trajectories=6).generate(0).recordings])
    assert values[:, 2].mean() == pytest.approx(23.55, abs=0.4)
    assert values[:, 0].std() == pytest.approx(7.92, abs=0.25)


def test_lorenz96_data_set_and_seed() -> None:
    method = Lorenz96(sites=6, frames=3, trajectories=2, spin_up=1)
    data = method.generate(0)
    assert data.layout.channels == ("x0", "x1", "x2", "x3", "x4", "x5")
    np.testing.assert_array_equal(data.recordings[0].values, method.generate(0).recordings[0].values)
    assert np.abs(data.recordings[0].values - method.generate(1).recordings[0].values).max() > 0.01
