"""Particles against closed forms (springs, Kepler's orbits), conservation laws and another integrator."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from rheos.core.keys import Key, Purpose
from rheos.data.generator.charged import Charged
from rheos.data.generator.gravity import Gravity
from rheos.data.generator.particles import Particles, leapfrog
from rheos.data.generator.springs import Springs

METHODS = [
    Charged(particles=4, systems=3, softening=0.3),
    Springs(particles=6, systems=3, dimensions=2, strength=0.7),
    Gravity(particles=5, systems=3),
]


def begun(method: Particles) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    key = Key.of(5, method.systems, "test").at(Purpose.DATA)
    return *method.start(key), method.couplings(key.at(Purpose.DATA, 1))[0]


def moved(method: Particles, time: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    position, velocity, coupling = begun(method)
    return leapfrog(lambda x: method.acceleration(x, coupling), position, velocity, time / steps, steps)


def turn(position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Angular momentum, all components."""
    outer = np.einsum("sni,snj->sij", position, velocity)
    return outer - outer.swapaxes(-1, -2)


@pytest.mark.parametrize("method", METHODS)
def test_force_is_the_slope_of_the_energy(method: Particles) -> None:
    position, velocity, coupling = begun(method)
    pull, step = method.acceleration(position, coupling), 1e-5
    for particle in range(method.particles):
        for axis in range(method.dimensions):
            moved = np.zeros_like(position)
            moved[:, particle, axis] = step
            up, down = (method.energy(position + s * moved, velocity, coupling) for s in (1, -1))
            np.testing.assert_allclose(-(up - down) / (2 * step), pull[:, particle, axis], atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_momentum_and_angular_momentum_are_kept_to_rounding(method: Particles) -> None:
    position, velocity, _ = begun(method)
    end, speed = moved(method, 3.0, 100)
    assert np.abs(end - position).max() > 0.5
    np.testing.assert_allclose(speed.sum(1), velocity.sum(1), atol=1e-12)
    np.testing.assert_allclose(turn(end, speed), turn(position, velocity), atol=1e-11)


@pytest.mark.parametrize("method", METHODS)
def test_energy_errors_fall_with_the_square_of_the_step_and_do_not_grow(method: Particles) -> None:
    position, velocity, coupling = begun(method)
    first = method.energy(position, velocity, coupling)
    errors = [np.abs(method.energy(*moved(method, 1.0, n), coupling) - first) for n in (500, 1000, 2000)]
    ratios = np.array([errors[0] / errors[1], errors[1] / errors[2]])
    np.testing.assert_allclose(ratios, 4.0, rtol=0.1)


def test_energy_of_an_orbit_does_not_drift_in_sixty_turns() -> None:
    method = Gravity(particles=2, softening=0.0)
    position = np.array([[[0.5, 0, 0], [-0.5, 0, 0]]])
    velocity = np.array([[[0, 0.5, 0], [0, -0.5, 0]]])
    coupling = method.pairs(np.ones((1, 2)), np.ones((1, 2)))
    energies = [method.energy(position, velocity, coupling)[0]]
    for _ in range(3000):
        position, velocity = leapfrog(lambda x: method.acceleration(x, coupling), position, velocity, 0.01, 5)
        energies.append(method.energy(position, velocity, coupling)[0])
    errors = np.abs(np.array(energies) - energies[0])
    assert errors.max() < 2e-3
    assert errors[-500:].max() < 1.2 * errors[:500].max()


@pytest.mark.parametrize("method", METHODS)
def test_what_is_run_backwards_comes_back(method: Particles) -> None:
    position, _, coupling = begun(method)
    end, speed = moved(method, 2.0, 200)
    back, _ = leapfrog(lambda x: method.acceleration(x, coupling), end, -speed, 0.01, 200)
    np.testing.assert_allclose(back, position, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_motion_is_that_of_another_integrator_to_second_order(method: Particles) -> None:
    position, velocity, coupling = begun(method)

    def rate(_: float, state: np.ndarray) -> np.ndarray:
        x, v = state.reshape(2, *position.shape)
        apart = x[:, :, None] - x[:, None]
        square = (apart**2).sum(-1) + np.eye(method.particles)
        pull = -np.einsum("sij,sij,sijd->sid", coupling, method.force(square), apart)
        return np.stack((v, pull)).ravel()

    start = np.stack((position, velocity)).ravel()
    exact = solve_ivp(rate, (0, 1), start, rtol=1e-11, atol=1e-12).y[:, -1].reshape(2, *position.shape)
    errors = [np.abs(moved(method, 1.0, n)[0] - exact[0]).max() for n in (200, 400)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] < 1e-3


def test_springs_swing_in_the_modes_of_their_graph() -> None:
    method = Springs(particles=6, systems=2, strength=0.7)
    position, velocity, coupling = begun(method)
    laplacian = np.eye(6) * coupling.sum(-1)[:, None] - coupling
    squares, modes = np.linalg.eigh(laplacian)
    rate, time = np.sqrt(np.maximum(squares, 0))[..., None], 4.0
    x, v = (modes.swapaxes(-1, -2) @ part for part in (position, velocity))
    glide = np.where(rate > 1e-6, np.sin(rate * time) / np.maximum(rate, 1e-6), time)
    exact = modes @ (np.cos(rate * time) * x + glide * v)
    np.testing.assert_allclose(moved(method, time, 4000)[0], exact, atol=3e-6)


@pytest.mark.parametrize("slower", [1.0, 0.7])
def test_two_bodies_come_back_after_keplers_period(slower: float) -> None:
    """From apoapsis at distance 1 with relative speed `slower` times the circular one, masses 1 and 1."""
    method = Gravity(particles=2, softening=0.0, strength=1.3)
    position = np.array([[[0.5, 0, 0], [-0.5, 0, 0]]])
    speed = slower * np.sqrt(1.3 * 2 / 1.0) / 2
    velocity = np.array([[[0, speed, 0], [0, -speed, 0]]])
    axis = 1 / (2 - slower**2)
    period = 2 * np.pi * np.sqrt(axis**3 / (1.3 * 2))
    coupling = method.pairs(np.ones((1, 2)), np.ones((1, 2)))

    def after(time: float) -> np.ndarray:
        steps = 20_000
        return leapfrog(lambda x: method.acceleration(x, coupling), position, velocity, time / steps, steps)[
            0
        ]

    np.testing.assert_allclose(after(period), position, atol=2e-6)
    # Half a period on they stand at periapsis, 2 a - 1 apart on the other side.
    np.testing.assert_allclose(after(period / 2), position * (1 - 2 * axis), atol=2e-6)


def test_opposite_charges_attract_and_equal_ones_repel() -> None:
    method = Charged(particles=2, softening=0.0, strength=2.0)
    position = np.array([[[1.0, 0, 0], [-1.0, 0, 0]]] * 2)
    charge = np.array([[1.0, -1.0], [1.0, 1.0]])
    pull = method.acceleration(position, method.pairs(-charge, charge))
    np.testing.assert_allclose(pull[:, 0, 0], [-0.5, 0.5], atol=1e-15)


def test_starts_have_the_speeds_they_say() -> None:
    charged = Charged(systems=50, speed=0.4)
    position, velocity, coupling = begun(charged)
    np.testing.assert_allclose(np.linalg.norm(velocity, axis=-1), 0.4)
    assert position.std() == pytest.approx(1.0, abs=0.1)
    np.testing.assert_array_equal(coupling, coupling.swapaxes(-1, -2))
    _, velocity, _ = begun(Gravity(systems=50, speed=2.0))
    np.testing.assert_allclose(velocity.mean(1), 0, atol=1e-14)
    assert velocity.std() == pytest.approx(2.0 * np.sqrt(0.9), rel=0.06)
    joined = begun(Springs(particles=20, systems=20, chance=0.3, strength=1.0))[2]
    assert joined.sum() / (20 * 20 * 19) == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(joined, joined.swapaxes(-1, -2))


@pytest.mark.parametrize("method", [Charged, Springs, Gravity])
def test_a_system_depends_on_the_seed_and_its_number_alone(method: type[Particles]) -> None:
    data = method(frames=3, systems=3, dt=0.01).generate(1)
    alone = method(frames=3, systems=1, dt=0.01).generate(1)
    other = method(frames=3, systems=1, dt=0.01).generate(2)
    assert data.features == (3, method().particles)
    assert (data.layout.kind, data.layout.dims) == ("trajectory", ("channel", "agent"))
    assert data.layout.channels == ("x", "y", "z")
    np.testing.assert_array_equal(data.recordings[0].values, alone.recordings[0].values)
    np.testing.assert_array_equal(data.recordings[0].static, alone.recordings[0].static)
    assert np.abs(data.recordings[0].values - other.recordings[0].values).max() > 0.1
    assert np.abs(data.recordings[0].values - data.recordings[1].values).max() > 0.1


def test_frames_lie_one_interval_apart_and_charges_are_recorded() -> None:
    method = Charged(frames=3, systems=2, interval=0.05, dt=0.01, particles=4)
    data = method.generate(0)
    recording = data.recordings[1]
    assert data.layout.static == tuple(f"charge[{i}]" for i in range(4))
    assert set(np.abs(recording.static)) == {1.0}
    coupling = method.pairs(-recording.static, recording.static)
    frames = recording.values.swapaxes(-1, -2)
    # The middle frame's acceleration from its neighbors.
    found = (frames[0] - 2 * frames[1] + frames[2]) / 0.05**2
    np.testing.assert_allclose(found, method.acceleration(frames[1], coupling), rtol=0.02, atol=0.005)
