"""Transport between two laws: exact laws by linear recursion, orders, limits, history, rows, refusals."""

import math
from itertools import pairwise

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.denoise import Ends
from rheos.process import CriticallyDamped, Process, TwoSided
from rheos.sample import likelihood, probe, sample, transport
from rheos.sample.transport import cosine_times

F64 = torch.float64
ENTRIES = 3
EVERY = [TwoSided(latent=math.sqrt(2)), TwoSided(gamma="parabola"), TwoSided(gamma="sine", latent=0.7)]
name = pytest.mark.parametrize("process", EVERY, ids=lambda process: process.gamma)


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


ROOT = number(0, 2 * ENTRIES, 2 * ENTRIES) / math.sqrt(ENTRIES)
JOINT = ROOT @ ROOT.mT
"""Covariance of (x_a, x_b), coupled and correlated as it may be."""
MEANS = number(1, 2, ENTRIES)


class Oracle:
    """d and n of a Gaussian pair by conditioning on x_t, the clip's one frame of three channels."""

    def __init__(self, process):
        self.process = process
        self.known = {}

    def at(self, t):
        t = float(t)
        if t not in self.known:
            eye = torch.eye(ENTRIES, dtype=F64)
            gamma = float(self.process.level(torch.tensor(t, dtype=F64)))
            way, apart = torch.cat((t * eye, (1 - t) * eye), 1), torch.cat((eye, -eye), 1)
            total = way @ JOINT @ way.mT + gamma**2 * eye
            precision = torch.linalg.inv(total)
            center = t * MEANS[0] + (1 - t) * MEANS[1]
            self.known[t] = center, apart @ JOINT @ way.mT @ precision, gamma * precision
        return self.known[t]

    def __call__(self, x, t, context):
        center, gain, noise = self.at(t.flatten()[-1])
        away = x - center
        return Ends(MEANS[0] - MEANS[1] + away @ gain.mT, away @ noise.mT)


class Basis(Key):
    """A key whose rows are chosen numbers: row `1 + step * n + i` is 1 in entry i of that step."""

    def normal(self, shape, dtype=torch.float32, device="cpu"):
        numbers = torch.zeros(len(self), math.prod(shape), dtype=dtype)
        rows = torch.arange(ENTRIES)
        numbers[1 + ENTRIES + self.step * ENTRIES + rows, rows] = 1.0
        return numbers.reshape(len(self), *shape)


def found(process, steps, epsilon=0.0, towards="data"):
    """Mean and covariance, flattened, for starts of the law they should have: the images of a basis."""
    side = 0 if towards == "data" else 1
    part = slice(side * ENTRIES, (side + 1) * ENTRIES)
    drawn = callable(epsilon) or epsilon > 0
    rows = 1 + ENTRIES + (steps * ENTRIES if drawn else 0)
    start = MEANS[side].expand(rows, 1, ENTRIES).clone()
    start[1 : 1 + ENTRIES, 0] += torch.linalg.cholesky(JOINT[part, part]).mT
    nobody = Key.of(0, rows)
    key = Basis(nobody.words, nobody.member) if drawn else None
    done = transport(Oracle(process), start, key=key, epsilon=epsilon, steps=steps, towards=towards)
    columns = (done.clips[1:] - done.clips[:1])[:, 0]
    return torch.cat((done.clips[0, 0], (columns.mT @ columns).flatten()))


def extrapolated(process, steps, rounds, towards="data", epsilon=0.0):
    """In the limit of many steps: Richardson's table, the error's powers from 2 on."""
    table = [found(process, steps * 2**k, epsilon, towards) for k in range(rounds)]
    for power in range(2, rounds + 1):
        factor = 2.0**power
        table = [(factor * fine - coarse) / (factor - 1) for coarse, fine in pairwise(table)]
    return table[0]


def exact(towards):
    """Mean and covariance where it should end, flattened."""
    side = 1 if towards == "data" else 0
    part = slice(side * ENTRIES, (side + 1) * ENTRIES)
    return torch.cat((MEANS[side], JOINT[part, part].flatten()))


both = pytest.mark.parametrize("towards", ["data", "start"])
DIFFUSIONS = {"0": 0.0, "0.3": 0.3, "1.5": 1.5, "of t": lambda t: 2.0 * t * (1.0 - t)}


@pytest.mark.parametrize("epsilon", DIFFUSIONS)
@both
@name
def test_it_is_of_second_order_whatever_the_diffusion(process, towards, epsilon):
    coarse, fine = (found(process, steps, DIFFUSIONS[epsilon], towards) for steps in (100, 200))
    coarse, fine = (float((one - exact(towards)).abs().max()) for one in (coarse, fine))
    assert fine < 1.5e-3
    assert math.log2(coarse / fine) == pytest.approx(2.0, abs=0.3)


@both
@name
def test_the_flow_has_the_exact_law_in_the_limit(process, towards):
    limit = extrapolated(process, 50, 4, towards)
    torch.testing.assert_close(limit, exact(towards), rtol=0, atol=1e-8)


@pytest.mark.parametrize("process", EVERY[:1], ids=["brownian"])
@pytest.mark.parametrize("epsilon", ["1.5", "of t"])
def test_diffusions_have_the_exact_law_in_the_limit(process, epsilon):
    """The error's powers go on one by one where noise ends abruptly, so the table is taken less far."""
    limit = extrapolated(process, 20, 4, "data", DIFFUSIONS[epsilon])
    torch.testing.assert_close(limit, exact("data"), rtol=0, atol=1e-5)


def test_a_coupling_of_points_is_followed_exactly():
    """Where every x_b is x_a shifted, one step along the line is exact."""

    def shifted(x, t, context):
        return Ends(torch.full_like(x, 3.0), torch.zeros_like(x))

    start = number(2, 5, 2, 3)
    done = transport(shifted, start, process=TwoSided(), steps=1)
    torch.testing.assert_close(done.clips, start - 3.0, rtol=0, atol=1e-14)
    assert done.evaluations == 2
    back = transport(shifted, done.clips, process=TwoSided(), steps=3, towards="start")
    torch.testing.assert_close(back.clips, start, rtol=0, atol=1e-14)


def test_the_flow_back_undoes_the_flow():
    oracle, start = Oracle(EVERY[0]), number(3, 6, 1, ENTRIES)
    there = transport(oracle, start, steps=200).clips
    back = transport(oracle, there, steps=200, towards="start").clips
    assert float((back - start).abs().max()) < 1e-4
    assert float((there - start).abs().min()) > 1e-3


def test_history_is_held_rows_do_not_touch_and_noise_is_fresh():
    seen, times = [], []

    def watching(x, t, context):
        seen.append(x)
        times.append(t)
        return Ends(0.5 * x, 0.1 * x)

    start, history = number(4, 4, 3, 2), number(5, 4, 1, 2)

    def draw(rows):
        rows = torch.tensor(rows)
        return transport(
            watching,
            start[rows],
            key=Key.of(0, rows),
            process=TwoSided(),
            context=Context(history_frames=1, history=history[rows]),
            epsilon=0.4,
            steps=4,
        )

    together = draw([0, 1, 2, 3])
    assert all(torch.equal(x[:, :1], history) for x in seen)
    assert all(t.shape == (1, 3) and float(t[0, 0]) == 0.0 for t in times)
    assert [float(t[0, 1]) for t in times[::2]] == cosine_times(5)[:-1].tolist()
    assert torch.equal(together.clips[:, :1], history)
    assert together.evaluations == 8
    assert bool(torch.isfinite(together.clips).all())
    assert torch.equal(draw([2, 0]).clips, together.clips[[2, 0]])
    still = transport(
        watching, start[:1].expand(4, -1, -1), key=Key.of(0, 4), process=TwoSided(), epsilon=0.4
    )
    assert len(torch.unique(still.clips)) == 4 * 3 * 2


def test_times_go_from_one_end_to_the_other_finer_at_both():
    times = cosine_times(9)
    assert (float(times[0]), float(times[4]), float(times[-1])) == (1.0, pytest.approx(0.5), 0.0)
    lengths = -times.diff()
    assert bool((lengths > 0).all())
    torch.testing.assert_close(lengths, lengths.flip(0))
    assert float(lengths[0]) < 0.3 * float(lengths[4])


def test_what_cannot_be_is_refused_before_any_work():
    def never(x, t, context):
        raise AssertionError("no work was to be done")

    start, process = number(6, 2, 1, 3), TwoSided()
    for other in (Process(), CriticallyDamped(), None):
        with pytest.raises(IncompatibleError, match="starts from noise"):
            transport(never, start, process=other)
    for options, words in (
        ({"steps": 0}, "at least one step"),
        ({"epsilon": 0.1}, "give a key"),
        ({"epsilon": lambda t: t}, "give a key"),
        ({"epsilon": 0.1, "key": Key.of(0, 3)}, "rows"),
        ({"epsilon": -0.1}, "0 or more"),
    ):
        with pytest.raises(InputError, match=words):
            transport(never, start, process=process, **options)
    for call in (
        lambda: sample(never, (2, 1, 3), key=Key.of(0, 2), process=process),
        lambda: probe(never, (1, 3), process=process),
        lambda: likelihood(never, start, process=process),
    ):
        with pytest.raises(IncompatibleError, match="two laws of clips"):
            call()
