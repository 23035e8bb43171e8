"""Solvers: order, exact cases, published forms, invariances, and what a step costs."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp
from torch.utils._python_dispatch import TorchDispatchMode

from rheos.core.keys import Key
from rheos.core.method import Method
from rheos.core.time_field import expand
from rheos.denoise.oracle import GaussianOracle, MixtureOracle
from rheos.process import Process
from rheos.process.schedule import EDM, SCHEDULES, CondOT, Cosine, Linear
from rheos.sample import Preset, sample
from rheos.sample.driver import sequential
from rheos.sample.grid import Uniform
from rheos.sample.solver import (
    DDIM,
    SOLVERS,
    AdamsMoulton,
    Ancestral,
    DPMpp2M,
    DPMpp3M,
    EVODiff,
    Exponential,
    ExponentialNoise,
    HeavyBall,
    Heun,
    LeastDifference,
    Midpoint,
    SingleStep,
    UniPC,
)

F64 = torch.float64
DETERMINISTIC = [
    DDIM(),
    Heun(),
    Midpoint(),
    SingleStep(),
    SingleStep(order=3),
    *(Exponential(order=k) for k in (1, 2, 3, 4)),
    *(ExponentialNoise(order=k) for k in (1, 2, 3, 4)),
    DPMpp2M(),
    DPMpp3M(),
    DPMpp3M(legacy=True),
    *(AdamsMoulton(order=k) for k in (2, 3, 4)),
    UniPC(order=1),
    UniPC(variant="bh1"),
    UniPC(order=3),
    UniPC(corrector=False, variant="bh1"),
    HeavyBall(),
    HeavyBall(order=3, damping=0.5),
    HeavyBall(compensated=False),
    LeastDifference(over="frame"),
]
STOCHASTIC = [
    Ancestral(),
    DDIM(eta=0.5),
    Exponential(order=1, eta=1.0),
    Exponential(order=3, eta=0.4),
    ExponentialNoise(order=1, eta=1.0),
    ExponentialNoise(order=3, eta=0.4),
    DPMpp2M(eta=1.0),
    Heun(churn=8.0),
    AdamsMoulton(eta=0.6),
]
SCHEDULE_OBJECTS = [cls() for cls in SCHEDULES]


def name(method):
    if not isinstance(method, Method):
        return str(method)
    settings = method.model_dump(exclude={"kind"}, exclude_defaults=True)
    return "-".join([method.name(), *(f"{k}={v}" for k, v in settings.items())])


def never(step):
    raise AssertionError(f"a deterministic step drew noise at step {step}")


def run(solver, schedule, fields, u, denoise, draw=never):
    moves = [move.to(u) for move in solver.plan(schedule, fields)]
    return sequential(denoise, moves, u, draw)


def uniform(steps, high=0.9, low=0.05):
    return torch.linspace(high, low, steps + 1, dtype=F64)


@pytest.fixture(scope="module")
def mixture():
    torch.manual_seed(0)
    means = torch.randn(4, 8, 1, dtype=F64)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=F64)
    variances = torch.tensor([0.6, 0.8, 0.5, 0.7], dtype=F64) ** 2
    return weights, means, variances


class IsotropicMixture:
    """The mixture's denoiser written out once more, fast enough for thousands of calls."""

    def __init__(self, mixture, schedule):
        self.weights, self.means, self.variances = mixture
        self.schedule = schedule

    def __call__(self, u, t):
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        v = alpha**2 * self.variances + sigma**2
        away = u.flatten(1)[:, None] - alpha * self.means.flatten(1)
        fit = self.weights.log() - away.square().sum(-1) / (2 * v) - away.shape[-1] / 2 * v.log()
        score = -(torch.softmax(fit, 1)[..., None] * away / v[:, None]).sum(1)
        return ((u.flatten(1) + sigma**2 * score) / alpha).reshape(u.shape)


def graded(steps, high=0.9, low=0.05):
    """Nodes whose first steps are short: the first-order start of a multistep solver then costs nothing."""
    return high + (low - high) * torch.linspace(0, 1, steps + 1, dtype=F64) ** 2


@pytest.mark.parametrize("schedule", [Linear(), CondOT()], ids=lambda s: s.name())
def test_measured_order_is_the_declared_one(mixture, schedule):
    """Slope of log error against log N on the mixture, reference by DOP853 on dy/dlog S = S eps."""
    oracle = IsotropicMixture(mixture, schedule)
    torch.manual_seed(1)
    u = torch.randn(6, 8, 1, dtype=F64)
    public = MixtureOracle(*mixture, Process(schedule))(u, torch.tensor(0.4, dtype=F64)).mean
    torch.testing.assert_close(oracle(u, torch.tensor(0.4, dtype=F64)), public, rtol=1e-9, atol=1e-11)
    ends = uniform(1)
    alpha, ratio = schedule.alpha(ends), torch.exp(-0.5 * schedule.log_snr(ends))

    def rhs(log_ratio, y):
        t = schedule.time_at(torch.tensor(-2.0 * log_ratio, dtype=F64))
        y = torch.from_numpy(y).reshape(6, 8, 1)
        return (y - oracle(schedule.alpha(t) * y, t)).flatten().numpy()

    solved = solve_ivp(
        rhs,
        ratio.log().tolist(),
        (u / alpha[0]).flatten().numpy(),
        method="DOP853",
        rtol=1e-11,
        atol=1e-12,
    )
    truth = float(alpha[1]) * torch.from_numpy(solved.y[:, -1]).reshape(6, 8, 1)
    for solver in DETERMINISTIC:
        # The least-difference mix settles late where the first steps are short.
        nodes = uniform if isinstance(solver, LeastDifference) else graded
        errors = torch.tensor(
            [float((run(solver, schedule, nodes(n), u, oracle) - truth).norm()) for n in (160, 320)]
        )
        slope = float((errors[-2] / errors[-1]).log2())
        # The fourth order is still settling here; the released 3M crosses zero error on its way to 2.
        settled = 0.25 if solver.declared_order < 4 else 0.4
        allowed = 0.6 if getattr(solver, "legacy", False) else settled
        assert slope == pytest.approx(solver.declared_order, abs=allowed), name(solver)


@pytest.mark.parametrize("schedule", SCHEDULE_OBJECTS, ids=lambda s: s.name())
@pytest.mark.parametrize("solver", DETERMINISTIC, ids=name)
def test_point_data_is_solved_exactly_on_any_grid(solver, schedule):
    """A constant answer m gives alpha_n m + (sigma_n / sigma_s)(u - alpha_s m), in one step or many."""
    torch.manual_seed(2)
    point, u = torch.randn(2, 1, 3, 2, dtype=F64)
    fields = torch.tensor([0.95, 0.9, 0.5, 0.49, 0.2, 0.05], dtype=F64)
    alpha, sigma = schedule.alpha(fields), schedule.sigma(fields)
    exact = alpha[-1] * point + sigma[-1] / sigma[0] * (u - alpha[0] * point)
    found = run(solver, schedule, fields, u, lambda v, t: point.expand_as(v))
    torch.testing.assert_close(found, exact, rtol=1e-11, atol=1e-12)
    to_data = run(solver, schedule, torch.cat((fields, torch.zeros(1))), u, lambda v, t: point.expand_as(v))
    torch.testing.assert_close(to_data, point, rtol=0, atol=0)


@pytest.mark.parametrize("solver", [Ancestral(), DDIM(eta=1.0), Exponential(order=1, eta=1.0)], ids=name)
@pytest.mark.parametrize("schedule", [Cosine(), Linear()], ids=lambda s: s.name())
def test_eta_one_is_the_ddpm_posterior(schedule, solver):
    fields = uniform(7)
    alpha, sigma, lam = schedule.alpha(fields), schedule.sigma(fields), 0.5 * schedule.log_snr(fields)
    e2h = torch.exp(-2.0 * lam.diff())
    for i, move in enumerate(solver.plan(schedule, fields)):
        assert float(move.scale) == pytest.approx(
            float(alpha[i] / alpha[i + 1] * (sigma[i + 1] / sigma[i]) ** 2), rel=1e-12
        )
        assert float(move.weights[0]) == pytest.approx(float(alpha[i + 1] * (1 - e2h[i])), rel=1e-11)
        assert float(move.noise) == pytest.approx(float(sigma[i + 1] * torch.sqrt(1 - e2h[i])), rel=1e-12)


def test_ddim_formula_at_an_eta_between():
    schedule, eta = CondOT(), 0.6
    s, n = torch.tensor([0.8, 0.5], dtype=F64)
    torch.manual_seed(3)
    u, clean, z = torch.randn(3, 1, 2, 3, dtype=F64)
    eps = (u - schedule.alpha(s) * clean) / schedule.sigma(s)
    h = 0.5 * (schedule.log_snr(n) - schedule.log_snr(s))
    st = eta * schedule.sigma(n) * torch.sqrt(1 - torch.exp(-2 * h))
    exact = schedule.alpha(n) * clean + torch.sqrt(schedule.sigma(n) ** 2 - st**2) * eps + st * z
    found = run(DDIM(eta=eta), schedule, torch.stack([s, n]), u, lambda v, t: clean, lambda step: z)
    torch.testing.assert_close(found, exact, rtol=1e-12, atol=1e-13)


def test_ddim_is_euler_of_the_flow_on_the_linear_path():
    schedule = CondOT()
    s, n = torch.tensor([0.8, 0.5], dtype=F64)
    torch.manual_seed(4)
    u, clean = torch.randn(2, 1, 2, 3, dtype=F64)
    velocity = (u - clean) / s
    found = run(DDIM(), schedule, torch.stack([s, n]), u, lambda v, t: clean)
    torch.testing.assert_close(found, u + (n - s) * velocity, rtol=1e-12, atol=1e-13)


def edm_sampler(denoise, sigmas, x, noise, churn=0.0, low=0.0, high=math.inf, s_noise=1.0):
    """Algorithm 2 of Karras et al. 2022, line by line; `sigmas` ends with 0."""
    steps = len(sigmas) - 1
    for i in range(steps):
        gamma = min(churn / steps, math.sqrt(2.0) - 1.0) if low <= sigmas[i] <= high else 0.0
        hat = sigmas[i] * (1 + gamma)
        if gamma > 0:
            x = x + math.sqrt(hat**2 - sigmas[i] ** 2) * s_noise * noise[i]
        d = (x - denoise(x, hat)) / hat
        after = x + (sigmas[i + 1] - hat) * d
        if sigmas[i + 1] > 0:
            d2 = (after - denoise(after, sigmas[i + 1])) / sigmas[i + 1]
            after = x + (sigmas[i + 1] - hat) * (d + d2) / 2
        x = after
    return x


@pytest.mark.parametrize(
    "settings", [{}, {"churn": 5.0, "churn_from": 0.05, "churn_to": 50.0, "churn_noise": 1.003}]
)
def test_heun_is_edms_sampler(mixture, settings):
    schedule = EDM()
    oracle = IsotropicMixture(mixture, schedule)
    sigmas = [*schedule.sigma(torch.linspace(1.0, schedule.t_min, 12, dtype=F64)).tolist(), 0.0]
    fields = torch.cat((torch.linspace(1.0, schedule.t_min, 12, dtype=F64), torch.zeros(1, dtype=F64)))
    torch.manual_seed(5)
    u, noise = 80.0 * torch.randn(2, 8, 1, dtype=F64), torch.randn(12, 2, 8, 1, dtype=F64)
    found = run(Heun(**settings), schedule, fields, u, oracle, noise.__getitem__)
    exact = edm_sampler(
        lambda x, s: oracle(x, schedule.time_at(torch.tensor(-2 * math.log(s), dtype=F64))),
        sigmas,
        u,
        noise,
        churn=settings.get("churn", 0.0),
        low=settings.get("churn_from", 0.0),
        high=settings.get("churn_to", math.inf),
        s_noise=settings.get("churn_noise", 1.0),
    )
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-9)


class Even(Key):
    """A key whose rows are the quantiles of the normal law, evenly spread."""

    def normal(self, shape, dtype=torch.float32, device="cpu"):
        share = (torch.arange(len(self), dtype=F64) + 0.5) / len(self)
        return torch.special.ndtri(share).reshape(len(self), *shape).to(dtype)


@pytest.mark.parametrize(("evaluations", "tolerance"), [(35, 1.5e-3), (399, 3e-4)])
def test_as_much_ends_at_each_mode_as_it_weighs(evaluations, tolerance):
    """EDM's grid and Heun on .3 N(.7, s^2) + .7 N(-.3, s^2), from every 4000th of the noise, to one or so."""
    weights, means = torch.tensor([0.3, 0.7], dtype=F64), torch.tensor([[0.7], [-0.3]], dtype=F64)
    oracle = MixtureOracle(weights, means, torch.full((2,), 0.003, dtype=F64), Process(EDM()))
    plain, rows = Key.of(0, 4000), 4000
    drawn = sample(
        oracle,
        (rows, 1, 1),
        key=Even(plain.words, plain.member),
        preset=Preset(solver=Heun(), grid=Uniform(), evaluations=evaluations),
        dtype=F64,
    )
    assert drawn.evaluations == evaluations
    upper = drawn.clips.flatten() > 0.2
    assert float(upper.double().mean()) == pytest.approx(0.3, abs=tolerance)
    assert float(drawn.clips.flatten()[upper].mean()) == pytest.approx(0.7, abs=10 * tolerance)


def test_heun_on_gaussian_data_falls_with_slope_two():
    """On N(0, d^2) x(s) = x(s_max) sqrt((d^2 + s^2) / (d^2 + s_max^2)); slopes 2.05, 2.02, 2.01."""
    schedule, d = EDM(), 0.5
    u = torch.ones(1, 1, 1, dtype=F64)

    def denoise(v, t):
        return v * d**2 / (d**2 + schedule.sigma(t) ** 2)

    exact = math.sqrt((d**2 + 0.002**2) / (d**2 + 80.0**2))
    errors = {Heun(): [], DDIM(): []}
    for solver, found in errors.items():
        for n in (33, 65, 129, 257):
            fields = torch.linspace(1.0, schedule.t_min, n, dtype=F64)
            found.append(abs(float(run(solver, schedule, fields, u, denoise)) - exact))
    slopes = -torch.tensor(errors[Heun()]).log2().diff()
    assert slopes.tolist() == pytest.approx([2.05, 2.02, 2.01], abs=0.02)
    assert float(-torch.tensor(errors[DDIM()]).log2().diff()[-1]) == pytest.approx(1.0, abs=0.03)


def test_churn_never_leaves_the_schedule():
    schedule = CondOT()
    fields = torch.tensor([schedule.t_max, 0.99, 0.5, 0.0], dtype=F64)
    plan = Heun(churn=100.0).plan(schedule, fields)
    assert float(plan[0].time) == schedule.t_max
    assert plan[0].noise is None
    assert all(move.noise is not None for move in plan[1:])
    for move, start in zip(plan[1:], fields[1:], strict=False):
        # Raising keeps the marginal: alpha scales the signal, the variances add up.
        assert float(move.raised * schedule.alpha(start)) == pytest.approx(float(schedule.alpha(move.time)))
        variance = (move.raised * schedule.sigma(start)) ** 2 + move.noise**2
        assert float(variance) == pytest.approx(float(schedule.sigma(move.time) ** 2))


@pytest.mark.parametrize("solver", DETERMINISTIC + STOCHASTIC, ids=name)
def test_clean_frames_are_left_bit_for_bit_and_others_as_if_alone(solver):
    """Per-frame times: each frame moves as a clip at that frame's own times would."""
    schedule = Linear()
    torch.manual_seed(6)
    u, noise = torch.randn(2, 4, 3, dtype=F64), torch.randn(7, 2, 4, 3, dtype=F64)
    columns = [torch.zeros(7, dtype=F64), uniform(6, low=0.0), uniform(6, high=0.7, low=0.1), uniform(6)]
    fields = torch.stack(columns, 1)[:, None]

    def denoise(v, t):
        alpha, sigma = expand(schedule.alpha(t), v), expand(schedule.sigma(t), v)
        return alpha * v / (alpha**2 + sigma**2)

    together = run(solver, schedule, fields, u, denoise, noise.__getitem__)
    assert torch.equal(together[:, 0], u[:, 0])
    for j in (1, 2, 3):
        alone = run(
            solver,
            schedule,
            columns[j],
            u[:, j : j + 1],
            denoise,
            lambda step, j=j: noise[step][:, j : j + 1],
        )
        torch.testing.assert_close(together[:, j : j + 1], alone, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("solver", [*DETERMINISTIC, *STOCHASTIC, EVODiff()], ids=name)
def test_a_times_shape_and_the_rows_order_do_not_matter(solver, mixture):
    schedule = Linear()
    oracle = IsotropicMixture(mixture, schedule)
    torch.manual_seed(7)
    u, noise = torch.randn(3, 8, 1, dtype=F64), torch.randn(6, 3, 8, 1, dtype=F64)
    scalar = run(solver, schedule, uniform(6), u, oracle, noise.__getitem__)
    again = run(solver, schedule, uniform(6), u, oracle, noise.__getitem__)
    assert torch.equal(scalar, again)

    def per_row(v, t):
        return oracle(v, t.flatten()[0])

    rows = run(solver, schedule, uniform(6)[:, None].expand(7, 3), u, per_row, noise.__getitem__)
    torch.testing.assert_close(rows, scalar, rtol=1e-12, atol=1e-13)
    swap = torch.tensor([2, 0, 1])
    swapped = run(solver, schedule, uniform(6), u[swap], oracle, lambda step: noise[step][swap])
    torch.testing.assert_close(swapped, scalar[swap], rtol=1e-12, atol=1e-13)


def test_declarations_are_kept():
    for solver in DETERMINISTIC + STOCHASTIC:
        plan = solver.plan(Cosine(), torch.cat((uniform(8), torch.zeros(1, dtype=F64))))
        assert solver.stochastic == any(getattr(move, "noise", None) is not None for move in plan)
        for asked in (1, 2, 7, 10):
            steps = Preset(solver=solver, evaluations=asked).steps
            spent = solver.evaluations_per_step * (steps - 1) + 1
            assert spent <= asked < spent + solver.evaluations_per_step
    assert {type(solver) for solver in DETERMINISTIC + STOCHASTIC} == set(SOLVERS) - {EVODiff}


class Counting(TorchDispatchMode):
    """Counts operations outside the network, by what they make."""

    views = ("view", "expand", "reshape", "slice", "select", "detach", "alias", "unsqueeze")

    def __init__(self, entries):
        super().__init__()
        self.entries, self.full, self.float64, self.paused = entries, 0, 0, False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not self.paused and isinstance(out, torch.Tensor):
            if out.numel() >= self.entries and not any(v in func.__name__ for v in self.views):
                self.full += 1
            self.float64 += out.dtype == F64
        return out


@pytest.mark.parametrize(
    ("solver", "most"),
    [
        (DDIM(), 2),
        (DDIM(eta=1.0), 3),
        (DPMpp2M(), 3),
        (Exponential(order=3), 4),
        (DPMpp3M(), 4),
        (Exponential(order=2, eta=1.0), 4),
        (AdamsMoulton(order=2), 3),
        (UniPC(), 4),
        (HeavyBall(), 6),
        (ExponentialNoise(order=3), 6),
        (HeavyBall(damping=1.0), 5),
        (Heun(), 4),
        (Midpoint(), 5),
    ],
    ids=name,
)
def test_a_step_costs_no_more_operations_than_its_formula(solver, most):
    """Full-size operations a step outside the network, and no float64 arithmetic in the loop."""
    u = torch.randn(2, 5, 4)
    fields = torch.stack([torch.cat((torch.zeros(2), t.expand(3))) for t in uniform(10)]).to(F64)[:, None]
    moves = [move.to(u) for move in solver.plan(Cosine(), fields)]
    noise = torch.randn(2, 5, 4)
    with Counting(u.numel()) as counting:

        def network(v, t):
            counting.paused = True
            out = torch.tanh(v)
            counting.paused = False
            return out

        sequential(network, moves, u, lambda step: noise)
    assert counting.full <= most * len(moves)
    assert counting.full > (most - 1) * (len(moves) - 2)
    assert counting.float64 == 0


@pytest.mark.parametrize("solver", [*DETERMINISTIC, *STOCHASTIC, EVODiff()], ids=name)
def test_nothing_given_is_changed_and_gradients_flow(solver):
    """A network that returns its very input must not see it change under its feet."""
    u = torch.randn(2, 3, 2, dtype=F64, requires_grad=True)
    noise = torch.randn(2, 3, 2, dtype=F64)
    before = u.detach().clone()
    kept = []

    def network(v, t):
        kept.append((v, v.detach().clone()))
        return v

    out = run(solver, Cosine(), uniform(5), u, network, lambda step: noise)
    out.sum().backward()
    assert torch.equal(u.detach(), before)
    assert all(torch.equal(v, copy) for v, copy in kept)
    assert bool((u.grad != 0).all())
    plain = [(v.detach(), copy) for v, copy in kept]
    assert len(plain) >= 5


def test_weak_order_of_noisy_steps_on_a_gaussian():
    """The sampled variance errs by a half or a quarter of it with twice the steps, as declared."""
    schedule, variance = Linear(), 0.4
    for solver in STOCHASTIC:
        errors = []
        for n in (80, 160):
            oracle = GaussianOracle(torch.zeros(1), torch.tensor([[variance]], dtype=F64), Process(schedule))
            moves = solver.plan(schedule, uniform(n))
            # Rows: the unit start, then one unit noise for each step.
            u = torch.zeros(n + 1, 1, 1, dtype=F64)
            start = variance * schedule.alpha(uniform(n)[0]) ** 2 + schedule.sigma(uniform(n)[0]) ** 2
            u[0] = float(start.sqrt())
            eye = torch.eye(n + 1, dtype=F64)[:, :, None, None]
            out = sequential(
                lambda v, t, oracle=oracle: oracle(v, t).mean,
                [move.to(u) for move in moves],
                u,
                lambda step, eye=eye: eye[step + 1],
            )
            end = uniform(n)[-1]
            exact = float(variance * schedule.alpha(end) ** 2 + schedule.sigma(end) ** 2)
            errors.append(abs(float(out.square().sum()) - exact))
        assert errors[0] / errors[1] > 2 ** (solver.declared_order - 0.2), name(solver)
        assert errors[1] < 0.02
