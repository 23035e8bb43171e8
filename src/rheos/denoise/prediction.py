"""What a network's output means: one table for every parametrization.

With u = alpha u_0 + sigma z, a raw output F gives the mean of u_0 as `skip * u + out * F`, and what F
should be is `data * u_0 + noise * z`. Rows (s_d the data's standard deviation, V = alpha^2 s_d^2 + sigma^2,
W = sigma' alpha - sigma alpha', a prime for d/dt):

    word            target                    skip               out
    preconditioned  (u_0 - skip u) / out      alpha s_d^2 / V    sigma s_d / sqrt(V)
    x0              u_0                       0                  1
    noise           z                         1 / alpha          -sigma / alpha
    v               alpha z - sigma u_0       alpha / (alpha^2 + sigma^2), -sigma / (alpha^2 + sigma^2)
    velocity        alpha' u_0 + sigma' z     sigma' / W         -sigma / W
    score           -z / sigma                1 / alpha          sigma^2 / alpha

Karras et al. 2022, arXiv 2206.00364, table 1 (for any alpha, sigma); Salimans and Ho 2022, arXiv 2202.00512.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rheos.core.errors import IncompatibleError
from rheos.process.noise import White
from rheos.process.process import Process
from rheos.process.schedule import Schedule

Prediction = Literal["preconditioned", "x0", "noise", "v", "velocity", "score"]

SMALLEST_ALPHA = 1e-3


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The table's row at a time field; float64 on the CPU, of the field's own shape.

    On clean entries (t = 0) the mean is u itself: skip = 1, and the others are 0.

    Attributes:
        skip: factor of u in the mean.
        out: factor of the raw output in the mean.
        data: factor of u_0 in the raw output's target.
        noise: factor of z in the raw output's target.
    """

    skip: Tensor
    out: Tensor
    data: Tensor
    noise: Tensor


def coefficients(prediction: Prediction, schedule: Schedule, t: Tensor, sigma_data: float) -> Coefficients:
    """The conversion table at a time field.

    Args:
        prediction: what the network's output means.
        schedule: alpha and sigma.
        t: time field, any shape.
        sigma_data: standard deviation of canonical data; only "preconditioned" depends on it.
    """
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    zero, one = torch.zeros_like(alpha), torch.ones_like(alpha)
    match prediction:
        case "preconditioned":
            total = (alpha * sigma_data) ** 2 + sigma**2
            skip = alpha * sigma_data**2 / total
            out = sigma * sigma_data / total.sqrt()
            data, noise = sigma / (sigma_data * total.sqrt()), -alpha * sigma_data / total.sqrt()
        case "x0":
            skip, out, data, noise = zero, one, one, zero
        case "noise":
            skip, out, data, noise = 1.0 / alpha, -sigma / alpha, zero, one
        case "v":
            total = alpha**2 + sigma**2
            skip, out, data, noise = alpha / total, -sigma / total, -sigma, alpha
        case "velocity":
            data, noise = schedule.d_alpha(t), schedule.d_sigma(t)
            wronskian = noise * alpha - sigma * data
            skip, out = noise / wronskian, -sigma / wronskian
        case "score":
            skip, out, data, noise = 1.0 / alpha, sigma**2 / alpha, zero, -1.0 / sigma
    clean = sigma == 0.0
    return Coefficients(
        skip=torch.where(clean, one, skip),
        out=torch.where(clean, zero, out),
        data=torch.where(clean, zero, data),
        noise=torch.where(clean, zero, noise),
    )


def input_scale(schedule: Schedule, t: Tensor, sigma_data: float) -> Tensor:
    """c_in = 1 / sqrt(alpha^2 s_d^2 + sigma^2), which gives the network's input unit variance."""
    return torch.rsqrt((schedule.alpha(t) * sigma_data) ** 2 + schedule.sigma(t) ** 2)


def check_prediction(prediction: Prediction, process: Process) -> None:
    """Refuse predictions that would divide by a vanishing signal where generation starts, or are no score.

    Raises:
        IncompatibleError: "noise" or "score" with alpha(t_max) < 1e-3; "score" of other than white noise.
    """
    schedule = process.schedule
    if prediction == "score" and not isinstance(process.noise, White):
        raise IncompatibleError(
            f"prediction='score' is read as -z / sigma, which is the score of white noise and not of "
            f"{process.noise.name()!r} noise; predict 'preconditioned', 'x0', 'noise', 'v' or 'velocity'."
        )
    alpha = float(schedule.alpha(torch.tensor(schedule.t_max, dtype=torch.float64)))
    if prediction in ("noise", "score") and alpha < SMALLEST_ALPHA:
        raise IncompatibleError(
            f"prediction={prediction!r} divides by the signal, which is only {alpha:.1g} where the "
            f"{schedule.name()!r} schedule starts; predict 'preconditioned', 'x0', 'v' or 'velocity'."
        )
