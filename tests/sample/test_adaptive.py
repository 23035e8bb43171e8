"""Steps that every clip chooses for itself: the pair, the controller, and that no clip sees another."""

import math

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.core.protocols import Posterior
from rheos.core.time_field import expand
from rheos.denoise.oracle import MixtureOracle
from rheos.process import Process
from rheos.process.schedule import SCHEDULES, CondOT, Cosine, Linear
from rheos.sample import Preset, probe, sample, variance_ratio
from rheos.sample.correction import Langevin
from rheos.sample.driver import Adaptive, Parallel, adaptive
from rheos.sample.grid import LogSNR
from rheos.sample.path import Pyramid
from rheos.sample.solver import DDIM, Ancestral, Exponential, SingleStep

F64 = torch.float64
ENDS = torch.tensor([0.9, 0.05], dtype=F64)
RANGE = LogSNR(highest=80.0, lowest=0.005)


def answer(u, t):
    """Smooth, not affine, and of the very time of every row."""
    return torch.sin(2.0 * u) * (1 - expand(t, u)) + 0.3


def lam(schedule, t):
    return 0.5 * schedule.log_snr(torch.as_tensor(t, dtype=F64))


def run(denoise, u, how, order=2, schedule=None, ends=ENDS):
    """The driver on clips at the first time; also the times at which the denoiser was asked."""
    asked = []

    def counted(v, t):
        asked.append(t)
        return denoise(v, t)

    schedule = Linear() if schedule is None else schedule
    found = adaptive(counted, SingleStep(order=order), schedule, ends, u, 0, how)
    return found, asked


@pytest.mark.parametrize("schedule", [Linear(), CondOT()], ids=lambda s: s.name())
def test_the_pair_is_written_out(schedule):
    """2S with DDIM inside; 3S with 2S at a third inside: formulas of the paper in alpha, sigma and h."""
    torch.manual_seed(0)
    u = torch.randn(2, 3, 1, dtype=F64)
    s, n = 0.7, 0.4
    h = float(lam(schedule, n) - lam(schedule, s))
    alpha, sigma = (lambda t: float(schedule.alpha(t))), (lambda t: float(schedule.sigma(t)))

    def at(share):
        return schedule.time_at(2.0 * (lam(schedule, s) + share * h))

    start, e = torch.tensor(s, dtype=F64), math.expm1(-h)
    a, an = sigma(torch.tensor(n)) / sigma(start), alpha(torch.tensor(n, dtype=F64))
    a = float(schedule.sigma(torch.tensor(n, dtype=F64))) / sigma(start)
    m0 = answer(u, start)

    def inner(share):
        t = at(share)
        return sigma(t) / sigma(start) * u - alpha(t) * math.expm1(-share * h) * m0

    m1 = answer(inner(0.5), at(0.5))
    second = a * u - an * e * (m0 + (m1 - m0))
    first = a * u - an * e * m0
    third1 = answer(inner(1 / 3), at(1 / 3))
    drift = 2.0 * alpha(at(2 / 3)) * (math.expm1(-2 * h / 3) / (2 * h / 3) + 1.0)
    third2 = answer(inner(2 / 3) + drift * (third1 - m0), at(2 / 3))
    third = a * u - an * e * m0 + 1.5 * an * (e / h + 1.0) * (third2 - m0)
    inside = a * u - an * e * (m0 + 1.5 * (third1 - m0))
    fields = torch.tensor([s, n], dtype=F64)
    for order, high, low in ((2, second, first), (3, third, inside)):
        (move,) = (m.to(u) for m in SingleStep(order=order).plan(schedule, fields))
        found = move.pair(u, answer)
        torch.testing.assert_close(found[0], high, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(found[1], low, rtol=1e-11, atol=1e-12)


def replayed(u, how, order, schedule):
    """One row, the rule of the driver's first line written out once more."""
    t, h, trail = float(ENDS[0]), how.first, []
    stop = float(lam(schedule, ENDS[1]))
    while float(lam(schedule, t)) < stop - 1e-12:
        here = float(lam(schedule, t))
        h = min(h, stop - here) if here + 1.001 * h < stop else stop - here
        after = float(ENDS[1]) if here + h == stop else float(schedule.time_at(torch.tensor(2 * (here + h))))
        fields = torch.tensor([[t], [after]], dtype=F64)
        (move,) = (m.to(u) for m in SingleStep(order=order).plan(schedule, fields))
        high, low = move.pair(u, answer)
        scale = how.absolute + how.relative * torch.maximum(low.abs(), u.abs())
        error = float(((high - low) / scale).norm()) / math.sqrt(u.numel())
        trail.append((t, error))
        if error <= 1.0:
            u, t = high, after
        h *= min(5.0, max(0.2, 0.9 * error ** (-1.0 / order)))
    return answer(u, torch.tensor(t, dtype=F64)), trail


@pytest.mark.parametrize("order", [2, 3])
def test_steps_are_those_of_the_rule(order):
    torch.manual_seed(3)
    u, how, schedule = 2.0 * torch.randn(1, 4, 2, dtype=F64), Adaptive(first=1.5, relative=0.02), Linear()
    exact, trail = replayed(u, how, order, schedule)
    assert any(error > 1 for _, error in trail)  # a step was refused on the way
    found, asked = run(answer, u, how, order)
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-7)
    assert len(asked) == order * len(trail) + 1
    assert [float(t[0]) for t in asked[:-1:order]] == pytest.approx([t for t, _ in trail], rel=1e-5)


@pytest.fixture(scope="module")
def rig():
    """Eight dimensions, four components, from 0.9 to 0.05: the denoiser, a start, and where it leads."""
    torch.manual_seed(0)
    weights, means = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=F64), torch.randn(4, 8, 1, dtype=F64)
    oracle = MixtureOracle(
        weights, means, torch.tensor([0.36, 0.64, 0.25, 0.49], dtype=F64), Process(Linear())
    )
    u = torch.randn(8, 8, 1, dtype=F64)

    def denoise(v, t):
        return oracle(v, t).mean

    return denoise, u, at_the_end(denoise, u, Adaptive(absolute=1e-7, relative=1e-7), 3)[0]


def at_the_end(denoise, u, how, order):
    """The clip at the last time, which the last call is about; and the number of calls before it."""
    clips = []

    def kept(v, t):
        clips.append(v)
        return denoise(v, t)

    _, asked = run(kept, u, how, order)
    return clips[-1], len(asked) - 1


@pytest.mark.parametrize("order", [2, 3])
def test_the_error_follows_the_tolerance(rig, order):
    denoise, u, exact = rig
    errors, calls = [], []
    for k in range(5):
        how = Adaptive(absolute=0.0078 / 2**k, relative=0.05 / 2**k)
        found, spent = at_the_end(denoise, u, how, order)
        errors.append(float((found - exact).square().mean().sqrt()))
        calls.append(spent)
    slope = math.log2(errors[0] / errors[-1]) / 4
    # In the limit a step's error is that of order k - 1 and the clip's of order k: both go as h^k, slope 1.
    assert 0.95 <= slope <= 1.5
    assert calls == sorted(calls)


@pytest.mark.parametrize("schedule", [cls() for cls in SCHEDULES], ids=lambda s: s.name())
@pytest.mark.parametrize("order", [2, 3])
def test_point_data_are_exact_without_a_refusal(schedule, order):
    torch.manual_seed(1)
    point, u = torch.randn(2, 3, 2, 1, dtype=F64)
    ends = torch.tensor([schedule.t_max, schedule.t_min], dtype=F64)
    found, asked = run(lambda v, t: point.expand_as(v), u, Adaptive(), order, schedule, ends=ends)
    torch.testing.assert_close(found, point.expand_as(u), rtol=1e-12, atol=1e-12)
    # Steps of 0.05, 0.25, 1.25, ... until the way is done, each taken at once.
    way, length, steps = float(lam(schedule, ends[1]) - lam(schedule, ends[0])), 0.05, 0
    while way > 1e-9:
        way, length, steps = way - length, 5 * length, steps + 1
    assert len(asked) == order * steps + 1


def drawn(rows, preset, order=slice(None), context=None):
    """Clips of some members, each with data of a scale of its own."""
    scale = torch.logspace(-1, 1, 7)[torch.tensor(rows)]

    def denoise(u, t, context):
        alpha, sigma = expand(Cosine().alpha(t), u), expand(Cosine().sigma(t), u)
        size = scale.to(u)[:, None, None]
        mean = alpha * size**2 / (alpha**2 * size**2 + sigma**2) * u + 0.3 * torch.sin(u)
        return Posterior(mean=mean)

    key = Key.cat([Key.of(0, torch.tensor([row])) for row in rows])
    return sample(denoise, (len(rows), 3, 2), key=key, process=Process(), preset=preset, context=context)


@pytest.mark.parametrize("order", [2, 3])
def test_a_clip_is_the_same_whoever_is_drawn_beside_it(order):
    preset = Preset(solver=SingleStep(order=order), adaptive=Adaptive(), grid=RANGE)
    rows = [0, 1, 2, 3, 4, 5, 6]
    straight = drawn(rows, preset)
    for other in ([6, 5, 4, 3, 2, 1, 0], [3, 3, 3, 3, 3, 3, 3], [0, 6, 0, 6, 1, 1, 1]):
        again = drawn(other, preset)
        assert torch.equal(again.clips, straight.clips[torch.tensor(other)])
    alone = [drawn([row], preset) for row in rows]
    torch.testing.assert_close(torch.cat([a.clips for a in alone]), straight.clips, rtol=1e-5, atol=1e-6)
    # All are asked for until the last one is done.
    assert straight.evaluations == max(a.evaluations for a in alone)
    assert min(a.evaluations for a in alone) < straight.evaluations


def test_history_stays_and_counts_for_no_error():
    history = torch.full((4, 2, 2), 50.0)
    context = Context(history_frames=2, history=history)
    seen = []

    def denoise(u, t, context):
        seen.append(t)
        mean = 0.8 * u
        mean[:, :2] = 1e3 * torch.sin(float(len(seen)) * mean[:, :2])
        return Posterior(mean=mean)

    preset = Preset(solver=SingleStep(), adaptive=Adaptive(), grid=RANGE)
    found = sample(denoise, (4, 4, 2), key=Key.of(0, 4), process=Process(), context=context, preset=preset)
    assert torch.equal(found.clips[:, :2], history)
    assert all(float(t[:, :2].abs().max()) == 0.0 for t in seen)

    def future(u, t, context):
        return Posterior(mean=0.8 * u)

    # Sampled alone, from the same noise, the future takes the same steps.
    plain = adaptive(
        lambda u, t: 0.8 * u,
        SingleStep(),
        Cosine(),
        RANGE.times(Cosine(), 2).times,
        Process().start(context, Key.of(0, 4), (4, 4, 2), torch.float32, "cpu")[:, 2:],
        0,
        Adaptive(),
    )
    torch.testing.assert_close(found.clips[:, 2:], plain, rtol=1e-5, atol=1e-6)


def test_numbers_that_are_not_finite_end_too():
    found, asked = run(lambda v, t: torch.full_like(v, torch.nan), torch.ones(2, 1, 1, dtype=F64), Adaptive())
    assert bool(found.isnan().all())
    assert len(asked) < 100


@pytest.mark.parametrize("solver", [DDIM(), Exponential(), Ancestral()], ids=lambda s: s.name())
def test_only_an_embedded_pair_chooses_steps(solver):
    preset = Preset(solver=solver, adaptive=Adaptive())
    with pytest.raises(IncompatibleError, match="embedded pair without noise"):
        drawn([0], preset)


@pytest.mark.parametrize(
    "more",
    [{"corrections": (Langevin(),)}, {"parallel": Parallel()}, {"path": Pyramid()}],
    ids=["corrections", "parallel", "path"],
)
def test_what_follows_the_grid_is_refused(more):
    with pytest.raises(IncompatibleError, match="every clip has its own"):
        drawn([0], Preset(solver=SingleStep(), adaptive=Adaptive(), **more))


def test_gradients_trajectories_and_probes_are_refused():
    preset = Preset(solver=SingleStep(), adaptive=Adaptive())
    options = {"key": Key.of(0, 1), "process": Process(), "preset": preset}

    def denoise(u, t, context):
        return Posterior(mean=u)

    for more in ({"gradients": "stored"}, {"gradients": "checkpointed"}, {"trajectory": True}):
        with pytest.raises(IncompatibleError, match="depend on the clip"):
            sample(denoise, (1, 1, 1), **options, **more)
    with pytest.raises(IncompatibleError, match="probe needs"):
        variance_ratio(Process(), torch.ones(2), preset=preset)
    with pytest.raises(IncompatibleError, match="probe needs"):
        probe(denoise, (1, 1), process=Process(), preset=preset)


def test_it_is_stored_as_it_is():
    preset = Preset(solver=SingleStep(order=3), adaptive=Adaptive(absolute=0.001))
    assert Preset.model_validate_json(preset.model_dump_json()) == preset
