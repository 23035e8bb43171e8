"""Gradients through sampling: checkpointed ones are exact, the adjoint's are the equation's."""

import itertools
import math
import weakref

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.denoise.denoiser import Denoiser
from rheos.process import Process
from rheos.process.schedule import EDM, CondOT, Linear
from rheos.sample import Preset, sample
from rheos.sample.correction import Langevin
from rheos.sample.driver import adjoint, checkpointed, sequential, truncated
from rheos.sample.grid import LogSNR
from rheos.sample.solver import (
    Ancestral,
    DPMpp2M,
    Exponential,
    HeavyBall,
    Heun,
    LeastDifference,
    Midpoint,
    State,
    UniPC,
    ready,
)

F64 = torch.float64


class Network(nn.Module):
    """Wide enough for its graph to outweigh a clip."""

    def __init__(self, width=64):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(4, width), nn.Linear(width, 4)

    def forward(self, x, level, context):
        hidden = torch.tanh(self.inner(x.flatten(2)) + level[..., None] / 20)
        shift = 0.0 if context.history is None else context.history.mean((1, 2))[:, None, None]
        return self.outer(hidden).reshape(x.shape) + shift


def denoiser(schedule):
    return Denoiser(Network(), Process(schedule)).to(F64)


def gradient(schedule, solver, how, evaluations=9):
    """Gradients of a loss with respect to weights and history, and what was stored on the way."""
    model = denoiser(schedule)
    history = torch.linspace(-1, 1, 24, dtype=F64).reshape(3, 2, 4).requires_grad_()
    stored = 0

    def pack(tensor):
        nonlocal stored
        stored += tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        drawn = sample(
            model,
            (3, 6, 4),
            key=Key.of(0, 3),
            context=Context(history_frames=2, history=history),
            preset=Preset(solver=solver, grid=LogSNR(highest=1e5), evaluations=evaluations),
            dtype=F64,
            gradients=how,
        )
    weight = torch.linspace(0.5, 1.5, drawn.clips.numel(), dtype=F64).reshape(drawn.clips.shape)
    (drawn.clips.square() * weight)[:, 2:].sum().backward()
    return drawn.clips.detach(), [*(p.grad for p in model.parameters()), history.grad], stored


@pytest.mark.parametrize(
    "solver",
    [
        DPMpp2M(),
        Exponential(order=3, eta=0.5),
        Ancestral(),
        Heun(churn=2.0),
        UniPC(),
        HeavyBall(),
        LeastDifference(),
    ],
    ids=lambda s: s.name(),
)
def test_checkpointed_gradients_are_plain_ones(solver):
    plain, exact, kept = gradient(Linear(), solver, "stored")
    again, found, less = gradient(Linear(), solver, "checkpointed")
    assert torch.equal(plain, again)
    for a, b in zip(found, exact, strict=True):
        assert float(b.abs().max()) > 0
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    assert less < 0.35 * kept


@pytest.mark.parametrize("schedule", [EDM(), CondOT()], ids=lambda s: s.name())
def test_the_adjoint_reaches_weights_and_history(schedule):
    """Its forward bits are the midpoint solver's; its gradients tend to those through the steps."""
    worst = []
    for evaluations in (59, 119):
        plain, exact, _ = gradient(schedule, Midpoint(), "stored", evaluations)
        again, found, _ = gradient(schedule, Midpoint(), "adjoint", evaluations)
        assert torch.equal(plain, again)
        worst.append(max(float((a - b).norm() / b.norm()) for a, b in zip(found, exact, strict=True)))
    assert worst[1] < 0.02
    assert worst[0] / worst[1] > 3.0


def mixture_denoiser(schedule, shift=0.0, width=1.0):
    """The exact denoiser of four Gaussians, moved by `shift` (a condition), `width` times as wide."""
    torch.manual_seed(0)
    means, weights = torch.randn(4, 8, dtype=F64), torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=F64)
    variances = torch.tensor([0.6, 0.8, 0.5, 0.7], dtype=F64) ** 2

    def denoise(u, t):
        t = t.flatten()[0]
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        v = alpha**2 * width**2 * variances + sigma**2
        away = u.flatten(1)[:, None] - alpha * (means + shift)
        fit = weights.log() - away.square().sum(-1) / (2 * v) - 4 * v.log()
        score = -(torch.softmax(fit, 1)[..., None] * away / v[:, None]).sum(1)
        return ((u.flatten(1) + sigma**2 * score) / alpha).reshape(u.shape)

    return denoise


def nodes(schedule, steps):
    """From t = 0.9 to 0.05, even in the fifth root of S, then to data."""
    ends = torch.exp(-0.5 * schedule.log_snr(torch.tensor([0.9, 0.05], dtype=F64))) ** 0.2
    roots = torch.linspace(float(ends[0]), float(ends[1]), steps + 1, dtype=F64)
    times = schedule.time_at(-10.0 * torch.log(roots))
    times[0], times[-1] = 0.9, 0.05
    return torch.cat((times, torch.zeros(1, dtype=F64)))


def plan(schedule, fields, u):
    return ready(Midpoint().plan(schedule, fields), u)


def solved(denoise, schedule, fields, u, inputs):
    return adjoint(denoise, plan(schedule, fields, u), schedule, fields, u, inputs)


def test_checkpoints_reach_the_start_noise():
    """A solver with history and noise, against plain gradients and against finite differences."""
    schedule = Linear()
    fields, weight = nodes(schedule, 12), torch.linspace(-1, 1, 8, dtype=F64).reshape(1, 8, 1)
    torch.manual_seed(1)
    start, noises = torch.randn(1, 8, 1, dtype=F64), torch.randn(13, 1, 8, 1, dtype=F64)
    moves = ready(Exponential(order=3, eta=0.5).plan(schedule, fields), start)

    def loss(driver, u):
        end = driver(mixture_denoiser(schedule), moves, u, lambda step: noises[step])
        return (end * weight).sum()

    found = []
    for driver in (sequential, checkpointed):
        u = start.clone().requires_grad_()
        found.append(torch.autograd.grad(loss(driver, u), u)[0])
    torch.testing.assert_close(found[1], found[0], rtol=1e-10, atol=1e-10)
    step = torch.zeros_like(start)
    step[0, 3] = 1e-5
    change = (loss(sequential, start + step) - loss(sequential, start - step)) / 2e-5
    assert float(found[1][0, 3]) == pytest.approx(float(change), rel=1e-6)


def test_the_adjoints_error_falls_with_the_square_of_the_step():
    """Of start noise, a condition and a parameter, against plain gradients through so many steps that they
    are the equation's; and cosine to its own."""
    schedule = Linear()
    torch.manual_seed(1)
    start, weight = torch.randn(2, 4, 8, 1, dtype=F64)

    def through(steps, plain):
        u = start.clone().requires_grad_()
        shift = torch.zeros(8, dtype=F64, requires_grad=True)
        width = torch.ones((), dtype=F64, requires_grad=True)
        denoise, fields = mixture_denoiser(schedule, shift, width), nodes(schedule, steps)
        if plain:
            end = sequential(denoise, plan(schedule, fields, u), u, lambda step: u)
        else:
            end = solved(denoise, schedule, fields, u, [shift, width])
        return torch.autograd.grad((end * weight).sum(), (u, shift, width))

    truth = through(1500, plain=True)
    found = [through(n, plain=False) for n in (20, 40, 80, 160)]
    for which, exact in enumerate(truth):
        errors = [float((one[which] - exact).norm() / exact.norm()) for one in found]
        slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
        assert min(slopes) > 1.8, (which, errors)
        assert errors[-1] < (1e-4 if which == 0 else 1e-3), (which, errors)
    for own, ours in zip(through(50, plain=True), through(50, plain=False), strict=True):
        assert float(torch.cosine_similarity(ours.flatten(), own.flatten(), 0)) > 0.999


class Held:
    """A stored tensor that counts towards what is stored at once."""

    now, most = 0, 0

    def __init__(self, tensor):
        self.tensor = tensor
        Held.now += tensor.numel()
        Held.most = max(Held.most, Held.now)

    def __del__(self):
        Held.now -= self.tensor.numel()


def test_the_adjoints_memory_does_not_grow_with_the_steps():
    """What is stored between the passes, and the most that is stored at once on the way back."""
    kept, back = [], []
    for steps in (20, 200):
        kept.append(gradient(Linear(), Midpoint(), "adjoint", 2 * steps - 1)[2])
        model, Held.most = denoiser(Linear()), 0
        u = torch.ones(2, 3, 4, dtype=F64, requires_grad=True)
        fields, inputs = nodes(Linear(), steps), list(model.parameters())
        with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
            end = solved(lambda v, t, m=model: m(v, t).mean, Linear(), fields, u, inputs)
            end.sum().backward()
        back.append(Held.most)
    assert kept[1] == kept[0]
    assert back[1] <= 1.2 * back[0]


class Living(TorchDispatchMode):
    """Counts the bytes of all tensors made under it that are still alive, whoever holds them."""

    def __init__(self):
        super().__init__()
        self.now, self.most, self.known = 0, 0, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, torch.Tensor):
                self._count(made.untyped_storage())
        return result

    def _count(self, storage):
        if storage.data_ptr() not in self.known:
            self.known.add(storage.data_ptr())
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._forget, storage.data_ptr(), storage.nbytes())

    def _forget(self, place, size):
        self.known.discard(place)
        self.now -= size


def test_the_adjoints_peak_of_live_tensors_does_not_grow_with_the_steps():
    """Both ways: what is kept by hand counts as well as what a graph keeps."""
    peak = {}
    for driver in ("adjoint", "plain"):
        for steps in (20, 200):
            model, fields = denoiser(Linear()), nodes(Linear(), steps)
            u = torch.ones(64, 3, 4, dtype=F64, requires_grad=True)
            moves = plan(Linear(), fields, u)

            def answer(v, t, m=model):
                return m(v, t).mean

            with Living() as living:
                if driver == "adjoint":
                    end = adjoint(answer, moves, Linear(), fields, u, list(model.parameters()))
                else:
                    end = sequential(answer, moves, u, lambda step, u=u: u)
                end.sum().backward()
            peak[driver, steps] = living.most
    assert peak["adjoint", 200] <= 1.2 * peak["adjoint", 20]
    assert peak["plain", 200] > 5 * peak["plain", 20]


def test_the_last_steps_alone_have_the_gradient_of_what_they_do():
    """All of them: plain gradients. One: the last answer's, from the u that led to it."""
    solver, evaluations = Exponential(order=3, eta=0.5), 9
    plain, exact, kept = gradient(Linear(), solver, "stored", evaluations)
    again, found, _ = gradient(Linear(), solver, evaluations, evaluations)
    assert torch.equal(plain, again)
    for a, b in zip(found, exact, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    same, _, less = gradient(Linear(), solver, 1, evaluations)
    assert torch.equal(plain, same)
    assert less < 0.2 * kept

    schedule, u = Linear(), torch.linspace(-1, 1, 8, dtype=F64).reshape(1, 8, 1)
    shift = torch.zeros(8, dtype=F64, requires_grad=True)
    denoise, fields = mixture_denoiser(schedule, shift), nodes(schedule, 10)
    moves, seen = ready(DPMpp2M().plan(schedule, fields), u), []
    end = truncated(denoise, moves, u, lambda step: u, seen.append, last=2)
    ours = torch.autograd.grad(end.sum(), shift)[0]
    earlier = mixture_denoiser(schedule)(seen[-4], fields[-4])
    first = moves[-2].apply(State(seen[-3], (earlier,)), denoise, lambda: u)
    by_hand = denoise(first.u, fields[-2])
    torch.testing.assert_close(by_hand, end)
    torch.testing.assert_close(ours, torch.autograd.grad(by_hand.sum(), shift)[0], rtol=1e-10, atol=1e-12)


def test_a_linear_equation_has_its_exponential_as_gradient():
    """Gaussian data: dx_0 / du = sqrt((c + S_n^2) / (c + S_0^2)) and the gain of the last answer."""
    schedule, c = EDM(), 0.7
    fields = nodes(schedule, 200)
    u = torch.ones(1, 1, 1, dtype=F64, requires_grad=True)
    first, last = (float(schedule.sigma(fields[i])) for i in (0, -2))
    end = solved(lambda v, t: v * c / (c + schedule.sigma(t) ** 2), schedule, fields, u, [])
    end.backward()
    exact = math.sqrt((c + last**2) / (c + first**2)) * c / (c + last**2)
    assert float(u.grad) == pytest.approx(exact, rel=1e-3)


def test_a_matrix_has_its_exponential_as_gradient():
    """eps = M y: dy_n / dy_0 = e^(M (S_n - S_0)), M not symmetric; then the last answer's own matrix."""
    schedule = EDM()
    ratio = torch.linspace(1.0, 0.2, 201, dtype=F64)
    fields = torch.cat((schedule.time_at(-2.0 * torch.log(ratio)), torch.zeros(1, dtype=F64)))
    torch.manual_seed(2)
    matrix = 0.8 * torch.randn(4, 4, dtype=F64)
    weight, start = torch.randn(2, 4, dtype=F64)

    def denoise(v, t):
        return v - schedule.sigma(t) * (v.flatten(1) @ matrix.mT).reshape(v.shape)

    u = start.reshape(1, 4, 1).clone().requires_grad_()
    end = solved(denoise, schedule, fields, u, [])
    (end.flatten() * weight).sum().backward()
    eye = torch.eye(4, dtype=F64)
    through = (eye - 0.2 * matrix) @ torch.linalg.matrix_exp(matrix * (0.2 - 1.0))
    torch.testing.assert_close(end.flatten(), through @ start, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(u.grad.flatten(), through.mT @ weight, rtol=1e-4, atol=1e-4)


def test_ways_that_do_not_go_together_are_refused():
    model, key = denoiser(Linear()), Key.of(0, 1)
    with pytest.raises(IncompatibleError, match="midpoint"):
        sample(model, (1, 6, 4), key=key, gradients="adjoint")
    middle, mended = Preset(solver=Midpoint()), Preset(corrections=(Langevin(),))
    with pytest.raises(IncompatibleError, match="trajectory"):
        sample(model, (1, 6, 4), key=key, preset=middle, gradients="adjoint", trajectory=True)
    for how in ("checkpointed", 2):
        with pytest.raises(IncompatibleError, match="corrections"):
            sample(model, (1, 6, 4), key=key, preset=mended, gradients=how)
    with pytest.raises(InputError, match="1 or more"):
        sample(model, (1, 6, 4), key=key, gradients=0)
