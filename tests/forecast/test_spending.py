"""What a fit's time is spent on: within the budget where that can be, how it gives way where it cannot."""

import pytest

from rheos.forecast.spending import Spending
from rheos.sample.preset import preset
from rheos.train.settings import Training

ENOUGH = 8


def seconds(spending, step, batch):
    """Training, checks and calibration, reckoned apart from the code: a backward pass costs two forward."""
    row = step / batch / 3
    checks = (spending.checks + 1) * spending.windows * spending.members * preset("fast").evaluations
    calibrating = spending.calibrated * spending.calibrating * preset("balanced").evaluations
    return spending.steps * step, checks * row, calibrating * row


@pytest.mark.parametrize("step", [0.01, 0.03, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("budget", [60.0, 300.0, 3600.0])
@pytest.mark.parametrize("held_out", [6, 30, 400])
def test_a_budget_is_kept(step, budget, held_out):
    """Wherever a step of 64 rows is at most a two-hundredth of the budget, and most of it is for training."""
    if step > budget / 200:
        return
    settings = Training(time=budget)
    spending = Spending.within(step, settings, held_out, held_out // 4, ENOUGH)
    training, checks, calibrating = seconds(spending, step, settings.batch)
    assert training + checks + calibrating <= budget
    assert 0.4 * budget - step <= training <= 0.75 * budget
    assert checks <= 0.2 * budget
    assert calibrating <= 0.25 * budget


def test_a_large_field_on_a_slow_machine_overspends_little():
    """89 x 180 cells, four clips a batch, six windows held out: rows are so dear that the least is done."""
    settings = Training(time=300.0, batch=4)
    spending = Spending.within(1.43, settings, 6, 6, ENOUGH)
    assert (spending.checks, spending.windows, spending.members) == (4, 6, 4)
    assert (spending.calibrated, spending.calibrating) == (6, 2)
    assert sum(seconds(spending, 1.43, 4)) <= 1.02 * 300.0


def test_members_give_way_first_then_windows_then_checks():
    def effort(step):
        spent = Spending.within(step, Training(time=300.0), 100, 25, ENOUGH)
        return spent.members, spent.windows, spent.checks

    assert effort(0.1) == (6, 64, 12)
    assert effort(0.2) == (4, 60, 12)
    assert effort(0.8) == (4, 15, 12)
    assert effort(2.0) == (4, 12, 6)
    assert effort(20.0) == (4, 12, 4)


def test_nothing_is_saved_on_where_the_steps_are_given():
    settings = Training(steps=10)
    assert Spending.in_full(10, settings, 400, 100, ENOUGH) == Spending(10, 12, 64, 6, 80, 20)
    assert Spending.in_full(10, settings, 9, 8, ENOUGH) == Spending(10, 12, 9, 6, 8, 20)
    assert Spending.in_full(10, settings, 9, 7, ENOUGH) == Spending(10, 12, 9, 6, 7, 2)


def test_calls_are_those_of_the_presets_that_the_model_has():
    """A hundred calls a member of a check and of calibration, instead of ten and twenty: less of both."""
    settings = Training(time=300.0)
    spending = Spending.within(0.1, settings, 400, 100, ENOUGH, (100, 100))
    row = 0.1 / settings.batch / 3
    assert (spending.members, spending.windows, spending.checks) == (4, 12, 12)
    assert spending.calibrated * spending.calibrating * 100 * row <= 0.15 * 300.0
    assert Spending.within(0.1, settings, 400, 100, ENOUGH).windows == 64


@pytest.mark.parametrize("step", [1e-4, 0.01, 0.5])
def test_pairs_are_paid_for_by_steps(step):
    """Steps, those on pairs among them, and the drawing of pairs take what the steps took without reflow."""
    plain = Spending.within(step, Training(time=300.0), 200, 40, 24)
    settings = Training(time=300.0, reflow=0.4)
    found = Spending.within(step, settings, 200, 40, 24)
    row = step / settings.batch / 3
    drawing = found.pairs * row * preset("best").evaluations
    total = (found.steps + found.straight) * step + drawing
    assert 0.8 * plain.steps * step < total < 1.2 * plain.steps * step
    assert found.straight / (found.steps + found.straight) == pytest.approx(0.4, abs=0.01)
    assert (plain.straight, plain.pairs) == (0, 0)
    whole = Spending.in_full(100, settings, 200, 40, 24)
    assert (whole.steps, whole.straight, whole.pairs) == (60, 40, 40 * settings.batch)
