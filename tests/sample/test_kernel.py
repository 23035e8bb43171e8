"""Exponential-integrator coefficients against quadrature, exact cases and each other."""

import math

import pytest
import torch
from scipy.integrate import quad

from rheos.core.errors import IncompatibleError
from rheos.process.schedule import EDM, SCHEDULES, CondOT, Cosine, Linear
from rheos.sample.solver import DPMpp3M, Exponential
from rheos.sample.solver.kernel import (
    Path,
    adams_bashforth,
    adams_moulton,
    corrected,
    moments,
    noise_level,
    usable_nodes,
)

F64 = torch.float64


def ragged(schedule, steps=9, low=0.05, high=0.9):
    """Falling nodes of uneven spacing."""
    unit = torch.linspace(0, 1, steps + 1, dtype=F64)
    return high + (low - high) * (unit + 0.08 * torch.sin(7.0 * unit) * unit * (1 - unit))


@pytest.mark.parametrize("x", [1e-8, 1e-3, 0.3, 0.999, 1.001, 4.0, 45.0, -0.3, -1.001, -4.0, -45.0])
def test_moments_are_their_integrals(x):
    found = moments(torch.tensor([x], dtype=F64), 4)[:, 0]
    for m in range(4):
        exact = quad(lambda v, m=m: x * math.exp(-x * (1 - v)) * v**m, 0, 1, epsabs=0, epsrel=1e-13)[0]
        assert float(found[m]) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.6])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("schedule", [Linear(), CondOT()], ids=lambda s: s.name())
def test_weights_integrate_polynomials_in_log_ratio(schedule, order, eta):
    """sum_j w_j p(lambda_j) is alpha_n int c e^(-c (h - u)) p(lambda_s + u) du for p of degree below k."""
    path = Path.of(schedule, ragged(schedule))
    weights = adams_bashforth(path, order, eta)
    implicit = adams_moulton(path, order, eta) if order > 1 else None
    lam, c = path.log_ratio, 1.0 + eta
    for i in (order - 1, order, 7):
        h = float(lam[i + 1] - lam[i])
        for degree in range(order):
            exact = quad(
                lambda u, i=i, h=h, d=degree: c * math.exp(-c * (h - u)) * float(lam[i] + u) ** d,
                0,
                h,
                epsabs=0,
                epsrel=1e-13,
            )[0]
            found = sum(weights[j, i] * lam[i - j] ** degree for j in range(order))
            assert float(found) == pytest.approx(float(path.alpha[i + 1]) * exact, rel=1e-9, abs=1e-12)
            if order > 1:
                found = sum(implicit[j, i] * lam[i + 1 - j] ** degree for j in range(order))
                assert float(found) == pytest.approx(float(path.alpha[i + 1]) * exact, rel=1e-8, abs=1e-12)


def test_history_grows_one_answer_a_step_and_order_falls_at_infinite_ends():
    # alpha = 0 at t = 1, sigma = 0 at t = 0: h is infinite on the first and on the last step.
    fields = torch.tensor([1.0, 0.8, 0.6, 0.4, 0.2, 0.0], dtype=F64)
    path = Path.of(CondOT(), fields)
    _, count = usable_nodes(path, 4)
    assert count.tolist() == [1, 1, 2, 3, 1]
    weights = adams_bashforth(path, 4)
    assert torch.isfinite(weights).all()
    assert weights[:, 0].tolist() == pytest.approx([0.2, 0, 0, 0])
    assert weights[:, 4].tolist() == pytest.approx([1.0, 0, 0, 0])
    assert path.decay.tolist() == pytest.approx([0.8, 0.75, 2 / 3, 0.5, 0.0])


def test_the_corrector_needs_a_finite_step_and_takes_what_history_there_is():
    fields = torch.tensor([1.0, 0.8, 0.6, 0.4, 0.2, 0.0], dtype=F64)
    path = Path.of(CondOT(), fields)
    weights = adams_moulton(path, 3)
    assert torch.isfinite(weights).all()
    assert weights[:, 0].tolist() == pytest.approx([0.0, 0.2, 0.0])
    assert weights[:, 4].tolist() == pytest.approx([0.0, 1.0, 0.0])
    # Steps 1 and 2 start with one and two answers of use; the weights then sum to 1 - e^(-h).
    assert weights[2].ne(0).tolist() == [False, False, True, True, False]
    total = path.alpha[1:] * -torch.expm1(-path.length)
    torch.testing.assert_close(weights.sum(0), total, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("eta", [0.0, 0.7])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_one_formula_is_predict_evaluate_correct(order, eta):
    """The folded weights against the two steps written out, each with the same noise."""
    path = Path.of(Linear(), ragged(None))
    kept, added = noise_level(path, eta)
    scale = path.decay * kept
    predictor, corrector = adams_bashforth(path, order, eta), adams_moulton(path, order + 1, eta)
    folded = corrected(predictor, corrector, scale)
    torch.manual_seed(0)
    noise, start = torch.randn(path.steps, dtype=F64), torch.tensor(0.7, dtype=F64)

    def answer(i, u):
        return torch.sin(3.0 * u) + path.time[i]

    predicted = corrected_u = start
    seen = []
    for i in range(path.steps):
        seen.insert(0, answer(i, predicted))
        if i > 0:
            corrected_u = scale[i - 1] * corrected_u + added[i - 1] * noise[i - 1]
            corrected_u = corrected_u + sum(w * d for w, d in zip(corrector[:, i - 1], seen, strict=False))
        predicted = scale[i] * corrected_u + added[i] * noise[i]
        predicted = predicted + sum(w * d for w, d in zip(predictor[:, i], seen, strict=False))
    at_once, seen = start, []
    for i in range(path.steps):
        seen.insert(0, answer(i, at_once))
        at_once = scale[i] * at_once + added[i] * noise[i]
        at_once = at_once + sum(w * d for w, d in zip(folded[:, i], seen, strict=False))
    assert float(at_once) == pytest.approx(float(predicted), rel=1e-11)


def test_far_and_repeated_nodes_are_dropped():
    lam = torch.tensor([-9.0, 0.0, 0.5, 0.5, 1.0, 1.2], dtype=F64)
    sigma = torch.exp(-lam)
    path = Path(-lam, torch.ones_like(lam), sigma, lam)
    _, count = usable_nodes(path, 3)
    # Step 1 looks 9.0 back for a length of 0.5; step 2 does not move; steps 3 and 4 meet 0.5 twice.
    assert count.tolist() == [1, 1, 1, 1, 2]
    weights = adams_bashforth(path, 3)
    assert torch.isfinite(weights).all()
    assert bool((weights[:, 2] == 0).all())


def test_each_entry_of_a_field_has_its_own_nodes():
    """Frames at different times get the coefficients they would get alone."""
    columns = [ragged(None), ragged(None, high=0.7), torch.zeros(10, dtype=F64), ragged(None, low=0.0)]
    fields = torch.stack(columns, 1)[:, None]
    together = adams_bashforth(Path.of(Cosine(), fields), 3, 0.3)
    for j, column in enumerate(columns):
        alone = adams_bashforth(Path.of(Cosine(), column), 3, 0.3)
        torch.testing.assert_close(together[:, :, 0, j], alone, rtol=1e-12, atol=1e-14)


def test_noise_level_leaves_pure_noise_marginals_alone():
    """Without data, u_n = A e^(-eta h) u + noise keeps variance sigma^2."""
    for schedule in SCHEDULES:
        path = Path.of(schedule(), ragged(None))
        for eta in (0.0, 0.4, 1.0):
            kept, added = noise_level(path, eta)
            variance = (path.decay * kept * path.sigma[:-1]) ** 2 + added**2
            torch.testing.assert_close(variance, path.sigma[1:] ** 2)


@pytest.mark.parametrize("schedule", [Cosine(), EDM(), CondOT()], ids=lambda s: s.name())
def test_third_order_kernel_is_dpmpp_3m_with_factor_two(schedule):
    fields = ragged(None, steps=12)
    ours, theirs = Exponential(order=3).plan(schedule, fields), DPMpp3M().plan(schedule, fields)
    legacy = DPMpp3M(legacy=True).plan(schedule, fields)
    for i, (a, b, c) in enumerate(zip(ours, theirs, legacy, strict=True)):
        torch.testing.assert_close(torch.stack(a.weights), torch.stack(b.weights), rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(a.scale, b.scale)
        if i > 1:
            assert not torch.allclose(torch.stack(b.weights), torch.stack(c.weights), rtol=1e-3)


def test_rising_times_are_refused():
    with pytest.raises(IncompatibleError, match="falling"):
        Path.of(Cosine(), torch.tensor([0.2, 0.4], dtype=F64))
