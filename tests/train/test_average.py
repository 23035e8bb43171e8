"""The power-function average against the paper's table and the integral it stands for."""

import numpy as np
import pytest
import torch

from rheos.train.average import PowerAverage, exponent


@pytest.mark.parametrize(("width", "g"), [(0.05, 16.9722), (0.10, 6.93720), (0.20, 1.82621)])
def test_exponents_are_the_published_ones(width, g):
    assert exponent(width) == pytest.approx(g, abs=1e-4)


@pytest.mark.parametrize("width", [0.05, 0.1, 0.2])
def test_the_profile_has_the_width_asked_for(width):
    """The weight of step tau is (g+1) tau^g; its standard deviation over [0, 1] is the relative width."""
    g = exponent(width)
    mean, square = (g + 1) / (g + 2), (g + 1) / (g + 3)
    assert np.sqrt(square - mean**2) == pytest.approx(width, rel=1e-9)


def test_too_wide_a_profile_is_refused():
    with pytest.raises(ValueError, match="too wide"):
        exponent(0.4)


def test_the_average_is_the_integral_of_the_profile():
    """theta(tau) = tau/T averages to (g+1)/(g+2), and a constant to itself."""
    steps, width = 4000, 0.1
    average = PowerAverage([torch.tensor([9.0, 5.0], dtype=torch.float64)], width)
    for step in range(1, steps + 1):
        average.update([torch.tensor([step / steps, 5.0], dtype=torch.float64)], step)
    g = exponent(width)
    assert average.values[0][0].item() == pytest.approx((g + 1) / (g + 2), rel=1e-3)
    assert average.values[0][1].item() == pytest.approx(5.0, rel=1e-12)


def test_the_first_update_forgets_the_start():
    average = PowerAverage([torch.zeros(2)], 0.1)
    average.update([torch.ones(2)], 1)
    assert torch.equal(average.values[0], torch.ones(2))
