"""Grids: their formulas, ends, and what they refuse."""

import pytest
import torch

from rheos.core.errors import IncompatibleError, InputError
from rheos.process.schedule import EDM, SCHEDULES, CondOT, Cosine
from rheos.sample.grid import GRIDS, Karras, LogSNR, TimeGrid, Uniform

F64 = torch.float64


def ratio(schedule, times):
    return torch.exp(-0.5 * schedule.log_snr(times))


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: g.name())
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name())
def test_every_grid_falls_from_t_max_inside_the_schedule(schedule, grid, steps):
    schedule = schedule()
    times = grid().times(schedule, steps).within(schedule).times
    assert len(times) == steps
    assert times.dtype == F64
    assert float(times[0]) == schedule.t_max
    if steps > 1:
        assert float(times[-1]) >= schedule.t_min
        assert float(ratio(schedule, times[-1:])) < 0.0035


def test_karras_is_equation_5_and_edm_time_is_uniform_in_it():
    steps = torch.arange(18, dtype=F64) / 17
    sigmas = (80 ** (1 / 7) + steps * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    torch.testing.assert_close(EDM().sigma(Karras().times(EDM(), 18).times), sigmas, rtol=1e-12, atol=0)
    torch.testing.assert_close(EDM().sigma(Uniform().times(EDM(), 18).times), sigmas, rtol=1e-12, atol=0)


def test_log_snr_is_uniform_and_the_first_time_is_t_max():
    schedule = CondOT()
    logs = torch.log(ratio(schedule, LogSNR(highest=20.0, lowest=0.01).times(schedule, 11).times))
    expected = torch.log(torch.tensor(20.0, dtype=F64)) - torch.arange(11) * (
        torch.log(torch.tensor(2000.0, dtype=F64)) / 10
    )
    torch.testing.assert_close(logs[1:], expected[1:], rtol=1e-9, atol=1e-9)
    assert float(torch.exp(logs[0])) == pytest.approx(9999.0)


def test_the_range_is_limited_to_what_the_schedule_covers():
    schedule = EDM(sigma_max=10.0, sigma_min=0.05)
    sigmas = schedule.sigma(LogSNR().times(schedule, 5).times)
    assert sigmas[[0, -1]].tolist() == pytest.approx([10.0, 0.05])
    with pytest.raises(IncompatibleError, match="widen"):
        LogSNR(highest=0.04, lowest=0.01).times(schedule, 5)


def test_a_time_grid_is_a_checked_value():
    schedule = Cosine()
    with pytest.raises(InputError, match="fall"):
        TimeGrid(torch.tensor([0.5, 0.5]))
    with pytest.raises(InputError, match="axis"):
        TimeGrid(torch.zeros(2, 2))
    with pytest.raises(InputError, match="axis"):
        TimeGrid(torch.zeros(0))
    with pytest.raises(IncompatibleError, match="t_max"):
        TimeGrid(torch.tensor([0.9, 0.1], dtype=F64)).within(schedule)
    with pytest.raises(IncompatibleError, match="t_min"):
        TimeGrid(torch.tensor([schedule.t_max, 0.0], dtype=F64)).within(schedule)
