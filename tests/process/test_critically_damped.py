"""Critically damped diffusion: its marginals against the equation, its limits, and its linear face."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.denoise import GaussianOracle
from rheos.denoise.denoiser import Denoiser
from rheos.process import CriticallyDamped, LinearFace
from rheos.process.critically_damped import cholesky

F64 = torch.float64
PROCESSES = [
    CriticallyDamped(),
    CriticallyDamped(mass=1.0, rate=2.0, initial=0.5),
    CriticallyDamped(friction=3.0),
    CriticallyDamped(friction=0.2, mass=0.5),
]
IDS = ["published", "heavy", "overdamped", "underdamped"]


def dynamics(process):
    f = np.array([[0.0, 1 / process.mass], [-1.0, -process.damping / process.mass]])
    return f, np.diag([0.0, 2 * process.damping])


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
def test_marginals_follow_the_equation(process):
    """dm/dL = F m and dC/dL = F C + C F' + diag(0, 2 G), by another package's integrator."""
    f, q = dynamics(process)

    def slope(_, y):
        m, c = y[:2], y[2:].reshape(2, 2)
        return np.concatenate((f @ m, (f @ c + c @ f.T + q).ravel()))

    t = np.array([0.0, 1e-3, 0.01, 0.1, 0.3, 0.7, 1.0])
    begin = [1.0, 0.0, 0.0, 0.0, 0.0, process.initial * process.mass]
    solved = solve_ivp(slope, (0, process.rate), begin, t_eval=process.rate * t, rtol=1e-12, atol=1e-16).y.T
    known = process.operators(torch.from_numpy(t))
    np.testing.assert_allclose(known.a, solved[:, :2], rtol=1e-8, atol=1e-11)
    covariance = (known.b @ known.b.mT).flatten(1)
    np.testing.assert_allclose(covariance, solved[:, 2:], rtol=1e-7, atol=1e-11)
    assert bool((known.b[:, 0, 1] == 0).all())


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
@pytest.mark.parametrize("backwards", [False, True])
def test_short_and_long_steps_are_van_loans(process, backwards):
    """Both ways of finding the noise's covariance, on either side of where one takes over from the other."""
    f, q = dynamics(process)
    f = f * np.array([[1, -1], [-1, 1]]) if backwards else f
    for length in (1e-6, 1e-3, 0.05, 0.1, 0.3):
        whole = expm(np.block([[-f, q], [np.zeros((2, 2)), f.T]]) * length)
        exact = whole[2:, 2:].T @ whole[:2, 2:]
        flow, covariance = process.moved(torch.tensor(length, dtype=F64), backwards)
        np.testing.assert_allclose(flow, expm(f * length), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(covariance, exact, rtol=1e-9, atol=0)


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
def test_it_comes_to_rest_at_unit_clips_and_velocities_of_variance_mass(process):
    f, q = dynamics(process)
    rest = np.diag([1.0, process.mass])
    np.testing.assert_allclose(f @ rest + rest @ f.T + q, 0.0, atol=1e-15)
    flow, covariance = process.moved(torch.tensor(400.0, dtype=F64))
    np.testing.assert_allclose(flow, 0.0, atol=1e-12)
    np.testing.assert_allclose(covariance, rest, atol=1e-12)


def test_published_settings_are_critically_damped():
    process = CriticallyDamped()
    assert (process.rate, 1 / process.mass, process.damping, process.initial) == (4.0, 4.0, 1.0, 0.04)
    assert process.damping**2 == 4 * process.mass
    # Both eigenvalues of F are -1 / sqrt(M): e^(F L) = e^(-w L) (1 + (F + w) L).
    length, w = torch.tensor(0.8, dtype=F64), 1 / math.sqrt(process.mass)
    nilpotent = process.drift() + w * torch.eye(2, dtype=F64)
    flow, _ = process.moved(length)
    torch.testing.assert_close(flow, math.exp(-0.8 * w) * (torch.eye(2, dtype=F64) + 0.8 * nilpotent))
    last = process.operators(torch.tensor(1.0, dtype=F64))
    assert float(last.a[0]) == pytest.approx(9 * math.exp(-8), rel=1e-12)


def test_a_light_velocity_is_ordinary_diffusion():
    """M -> 0 at fixed G: x alone is variance preserving, alpha = exp(-b t / G), and the rest falls with M."""
    t, g, b = torch.linspace(0.2, 1.0, 5, dtype=F64), 1.5, 2.0
    alpha = torch.exp(-b * t / g)
    errors = []
    for mass in (1e-3, 1e-4):
        known = CriticallyDamped(mass=mass, friction=g, rate=b).operators(t)
        variance = known.b[:, 0, :].square().sum(-1)
        errors.append(float(((known.a[:, 0] - alpha).abs() + (variance - 1 + alpha**2).abs()).max()))
    assert errors[1] < 2e-4
    assert errors[0] / errors[1] == pytest.approx(10.0, rel=0.05)


@pytest.mark.parametrize("process", PROCESSES, ids=IDS)
def test_derivatives_are_differences(process):
    t, h = torch.tensor([0.02, 0.3, 0.9], dtype=F64), 1e-6
    known, above, below = (process.operators(s) for s in (t, t + h, t - h))
    torch.testing.assert_close(known.d_a, (above.a - below.a) / (2 * h), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(known.d_b, (above.b - below.b) / (2 * h), rtol=1e-6, atol=1e-7)


def test_the_velocity_given_the_state_carries_the_marginals():
    """d state / dt = A' m + B' B^-1 (state - A m), m the clip's mean: affine for Gaussian data."""
    process, mean, spread = CriticallyDamped(), 0.7, 0.6

    def law(t):
        known = process.operators(t)
        a = known.a.numpy()
        return mean * a, spread**2 * np.outer(a, a) + (known.b @ known.b.mT).numpy()

    def slope(t, y):
        t = torch.tensor(t, dtype=F64)
        known = process.operators(t)
        center, covariance = law(t)
        a, d_a, b, d_b = (one.numpy() for one in (known.a, known.d_a, known.b, known.d_b))
        root = d_b @ np.linalg.inv(b)
        gain = spread**2 * np.linalg.solve(covariance, a)
        matrix = root + np.outer(d_a - root @ a, gain)
        moved = (d_a - root @ a) * (mean - gain @ center)
        m, c = y[:2], y[2:].reshape(2, 2)
        return np.concatenate((matrix @ m + moved, (matrix @ c + c @ matrix.T).ravel()))

    begin, end = (law(torch.tensor(t, dtype=F64)) for t in (0.9, 0.05))
    solved = solve_ivp(
        slope, (0.9, 0.05), np.concatenate((begin[0], begin[1].ravel())), rtol=1e-10, atol=1e-12
    ).y[:, -1]
    np.testing.assert_allclose(solved, np.concatenate((end[0], end[1].ravel())), rtol=1e-6, atol=1e-8)


def test_the_score_is_the_gradient_of_the_log_density():
    process, t = CriticallyDamped(), torch.tensor([0.05, 0.6], dtype=F64)
    torch.manual_seed(0)
    state = torch.randn(2, 3, 4, dtype=F64)
    clip = torch.randn(2, 3, 2, dtype=F64)
    found = process.score(state, clip, t)
    for row in range(2):
        known = process.operators(t[row])
        covariance = known.b @ known.b.mT
        for i in range(3):
            for c in range(2):
                pair = state[row, i, [c, 2 + c]]
                exact = -torch.linalg.solve(covariance, pair - known.a * clip[row, i, c])
                torch.testing.assert_close(found[row, i, [c, 2 + c]], exact, rtol=1e-9, atol=1e-9)


def test_lifting_diffusing_and_reading():
    process = CriticallyDamped()
    torch.manual_seed(1)
    x0 = torch.randn(20_000, 2, 3)
    key = Key.of(0, len(x0))
    state = process.lift(x0, key)
    assert torch.equal(process.read(state), x0)
    v = process.split(state)[1]
    # Standard error 0.0004 of a variance of 0.01 from 120 000 numbers: five of them.
    assert float(v.var()) == pytest.approx(process.initial * process.mass, rel=0.02)
    assert abs(float((v * x0).mean())) < 0.0015
    fields = torch.tensor([[0.0, 0.5]], dtype=F64)
    z = key.at(key.purpose, 3).normal((2, 6))
    moved = process.diffuse(x0, fields, z)
    assert torch.equal(process.read(moved)[:, 0], x0[:, 0])
    known = process.operators(torch.tensor(0.5, dtype=F64))
    residual = moved[:, 1] - torch.cat([float(a) * x0[:, 1] for a in known.a], 1)
    pairs = residual.reshape(-1, 2, 3).movedim(1, 2).reshape(-1, 2).to(F64)
    torch.testing.assert_close(pairs.T.cov(), known.b @ known.b.mT, rtol=0.03, atol=0.02)


def test_the_start_is_the_last_law_with_history_at_rest():
    process = CriticallyDamped()
    torch.manual_seed(2)
    history = torch.randn(5000, 1, 2, dtype=F64)
    context = Context(history_frames=1, history=history)
    state = process.start(context, Key.of(0, 5000), (5000, 3, 2), F64)
    x, v = process.split(state)
    assert torch.equal(x[:, :1], history)
    assert float(v[:, :1].abs().max()) == 0.0
    assert float(x[:, 1:].var()) == pytest.approx(1.0, rel=0.05)
    assert float(v[:, 1:].var()) == pytest.approx(0.25, rel=0.05)
    field = process.field(torch.tensor(0.4, dtype=F64), 3, context)
    assert field.tolist() == [[0.0, 0.4, 0.4]]
    with pytest.raises(IncompatibleError, match="history"):
        process.start(Context(history_frames=1), Key.of(0, 2), (2, 3, 2))


def test_its_level_falls_and_its_factors_hold_up_where_nothing_varies():
    process = CriticallyDamped()
    level = process.level(torch.linspace(0.0, 1.0, 200, dtype=F64))
    assert float(level[0]) == math.inf
    assert bool((level.diff() < 0).all())
    assert torch.equal(cholesky(torch.zeros(2, 2, dtype=F64)), torch.zeros(2, 2, dtype=F64))
    signal, precision = process.pull(torch.tensor([0.0, 0.5], dtype=F64))
    assert float(signal[0].abs().max()) == float(precision[0].abs().max()) == 0.0


def test_what_needs_alpha_and_sigma_is_told_why_there_is_none():
    process = CriticallyDamped()
    assert isinstance(process, LinearFace)
    with pytest.raises(IncompatibleError, match=r"no alpha\(t\)"):
        Denoiser(torch.nn.Identity(), process)
    with pytest.raises(IncompatibleError, match=r"no alpha\(t\)"):
        GaussianOracle(torch.zeros(1), torch.eye(1), process)
    with pytest.raises(InputError, match="parts along channels"):
        process.split(torch.zeros(1, 2, 3))
