"""The loop: its schedule, its choice of weights, and runs that are cut off anywhere and continued."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from rheos.core.keys import Key, Purpose
from rheos.train.loop import Run, learning_rate, make_optimizer
from rheos.train.settings import Training, seconds, seconds_per_step


class Killed(Exception):
    """Stands for a kill: leaves the loop wherever it is."""


def make_run(folder, steps=30, die_at=None, checks=3, patience=5, scores=None):
    """A regression on keyed batches; optionally dies in the loss of one step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    target = torch.tensor([[1.0], [-2.0], [0.5]])

    def loss(net, step):
        if step == die_at:
            raise Killed
        x = Key.of(7, 16).at(Purpose.BATCH, step).normal((3,))
        return (net(x) - x @ target).square().flatten()

    held = Key.of(8, 64).normal((3,))
    given = iter(scores or [])

    def validate(net):
        return next(given) if scores else (net(held) - held @ target).square().mean()

    settings = Training(checks=checks, patience=patience, learning_rate=0.02)
    return model, Run(model, loss, validate, settings, steps, folder)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("die_at", [1, 10, 11, 29])
def test_a_killed_run_ends_with_the_same_bits(tmp_path, die_at, monkeypatch):
    monkeypatch.setattr("rheos.train.loop._SAVE_EVERY", 0.0)
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole, run = make_run(tmp_path / "whole")
    expected = run()
    cut, run = make_run(tmp_path / "cut", die_at=die_at)
    with pytest.raises(Killed):
        run()
    cut, run = make_run(tmp_path / "cut")
    record = run()
    assert torch.equal(weights(whole), weights(cut))
    assert record.losses == expected.losses
    assert record.scores == expected.scores


def test_training_learns(tmp_path):
    _, run = make_run(tmp_path, steps=300)
    record = run()
    assert record.scores[-1][1] < 0.02 * 5.25  # the target's variance


def test_the_best_average_is_kept_and_patience_ends_the_run(tmp_path):
    _, run = make_run(tmp_path, steps=100, checks=10, patience=2, scores=[9.0, 3.0, 1.0, 2.0, 2.0, 0.0])
    record = run()
    assert (record.best_step, record.stopped) == (20, 40)


def test_the_untrained_network_is_kept_where_training_only_harms(tmp_path):
    """It is a candidate but no mark: patience counts from the best of what was trained."""
    model, _ = make_run(tmp_path / "never")
    before = weights(model)
    model, run = make_run(tmp_path, steps=100, checks=10, patience=2, scores=[0.5, 3.0, 1.0, 2.0, 2.0, 0.0])
    record = run()
    assert (record.best_step, record.stopped) == (0, 40)
    assert [step for step, _ in record.scores] == [0, 10, 20, 30, 40]
    assert [step for step, _ in record.losses] == [10, 20, 30, 40]
    assert torch.equal(weights(model), before)


def test_the_untrained_network_must_be_clearly_better(tmp_path):
    """Its members know no dependence: 4 % better than what was trained is not enough."""
    _, run = make_run(tmp_path, steps=20, checks=2, scores=[0.96, 1.2, 1.0])
    assert run().best_step == 20


def test_the_rate_rises_then_falls_to_zero():
    settings = Training(learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] < 1e-3
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_only_matrices_decay():
    groups = make_optimizer(nn.Linear(3, 2), Training(weight_decay=0.1)).param_groups
    assert [(g["weight_decay"], [p.ndim for p in g["params"]]) for g in groups] == [(0.1, [2]), (0.0, [1])]


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("5m", 300), ("1.5h", 5400), (12, 12)])
def test_durations(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "5 days", "-3s", "0"])
def test_what_is_not_a_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


def test_a_step_is_timed_by_a_rehearsal(monkeypatch):
    """A clock that moves on by a second at every look; the first step, which warms up, is not looked at."""
    clock, steps = iter(range(10_000)), []
    monkeypatch.setattr("rheos.train.settings.time.perf_counter", lambda: next(clock))
    assert seconds_per_step(100.0, steps.append) == 1.0
    assert steps == [0, 1, 2, 3, 4]
