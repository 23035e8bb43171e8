"""Time samplers: laws by Kolmogorov-Smirnov, stratification, bounds."""

import numpy as np
import pytest
import torch
from scipy import stats

from rheos.core.keys import Key, Purpose
from rheos.denoise.time_sampler import TIME_SAMPLERS, LogitNormal, LogNormal, LogSnrUniform, Uniform
from rheos.process.schedule import EDM, SCHEDULES, CondOT, Cosine, Linear

KEY = Key.of(5, 4)


def draw(sampler, schedule, steps=60, rows=64):
    """Many batches; each is stratified, so the pooled sample is only more even than an independent one."""
    return torch.stack([sampler(schedule, rows, KEY.at(Purpose.BATCH, step)) for step in range(steps)])


def ratio(schedule, t):
    """log(sigma / alpha), from the schedule's two faces."""
    t = torch.as_tensor(t)
    return (schedule.sigma(t).log() - schedule.alpha(t).log()).numpy()


@pytest.mark.parametrize(
    ("sampler", "schedule", "law", "what"),
    [
        (Uniform(), CondOT(), stats.uniform(1e-3, 0.9989), lambda s, t: t),
        (Uniform(), EDM(), stats.uniform(EDM().t_min, 1 - EDM().t_min), lambda s, t: t),
        (LogitNormal(), CondOT(), stats.norm(0, 1), lambda s, t: np.log(t / (1 - t))),
        (LogitNormal(mean=0.5, std=0.7), CondOT(), stats.norm(0.5, 0.7), lambda s, t: np.log(t / (1 - t))),
        (LogitNormal(shift=3.0), CondOT(), stats.norm(np.log(3), 1), lambda s, t: np.log(t / (1 - t))),
        (LogNormal(), EDM(), stats.norm(-1.2, 1.2), ratio),
        (LogNormal(mean=-0.4, std=1.0), Cosine(), stats.norm(-0.4, 1.0), ratio),
        (LogNormal(mean=-0.4, std=1.0), Linear(), stats.norm(-0.4, 1.0), ratio),
        (LogSnrUniform(), EDM(), stats.uniform(np.log(0.002), np.log(40_000)), ratio),
    ],
)
def test_times_follow_their_law(sampler, schedule, law, what):
    t = draw(sampler, schedule, rows=1, steps=400).flatten().numpy()
    assert stats.kstest(what(schedule, t), law.cdf).pvalue > 0.01
    pooled = draw(sampler, schedule).flatten().numpy()
    assert stats.kstest(what(schedule, pooled), law.cdf).statistic < 0.01


@pytest.mark.parametrize("sampler", [s() for s in TIME_SAMPLERS], ids=repr)
@pytest.mark.parametrize("schedule", [s() for s in SCHEDULES], ids=repr)
def test_times_stay_where_the_schedule_is_defined(sampler, schedule):
    t = draw(sampler, schedule, steps=10, rows=257)
    assert t.dtype == torch.float64
    assert (t >= schedule.t_min).all()
    assert (t <= schedule.t_max).all()


def test_a_batch_is_stratified():
    """One time in each of B equal parts; the batch mean has variance 1/(12 B^2), not 1/(12 B)."""
    schedule, rows = CondOT(), 16
    width = schedule.t_max - schedule.t_min
    w = (draw(Uniform(), schedule, steps=400, rows=rows) - schedule.t_min) / width
    assert (torch.sort((w * rows).floor().long(), 1)[0] == torch.arange(rows)).all()
    assert float(w.mean(1).var() * 12 * rows**2) == pytest.approx(1.0, abs=0.2)


def test_steps_of_training_draw_different_times():
    first, second = (Uniform()(Cosine(), 4, KEY.at(Purpose.BATCH, step)) for step in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, Uniform()(Cosine(), 4, KEY))
