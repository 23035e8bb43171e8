"""Exponential-integrator coefficients for any (alpha, sigma): one kernel for every multistep solver.

With lambda = log(alpha / sigma), h = lambda_n - lambda_s, c = 1 + eta, the exact step from s to n is

    x_n = (sigma_n / sigma_s) e^(-eta h) x_s + alpha_n int_0^h c e^(-c (h - u)) D(lambda_s + u) du
          + sigma_n sqrt(1 - e^(-2 eta h)) z,

and order k replaces D by its interpolant at the last k nodes u_j (DEIS, arXiv 2204.13902; DPM-Solver,
2206.00927; SA-Solver, 2309.05019). All is float64 on the CPU and computed once per grid.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rheos.core.errors import IncompatibleError
from rheos.process.schedule import Schedule

FAR = 50.0
"""A longer step in lambda counts as infinite: nothing of the past survives it, order 1 is exact."""
SPAN = 10.0
"""Nodes further back than this many steps are dropped: extrapolating from them would amplify errors."""
_SERIES_BELOW = 1.0
_SERIES_TERMS = 24


@dataclass(frozen=True, slots=True)
class Path:
    """alpha and sigma at every node a solver visits; float64 `(steps + 1, *field)` unless said.

    Attributes:
        time: the time fields.
        alpha: signal.
        sigma: noise.
        log_ratio: lambda = log(alpha / sigma), infinite where either is 0.
    """

    time: Tensor
    alpha: Tensor
    sigma: Tensor
    log_ratio: Tensor

    @classmethod
    def of(cls, schedule: Schedule, fields: Tensor) -> "Path":
        """The path of a schedule along time fields.

        Args:
            schedule: the noise schedule.
            fields: float64 `(steps + 1, *field)`, falling or equal from one row to the next.

        Raises:
            IncompatibleError: a time rises; these solvers run from noise to data.
        """
        if bool((fields.diff(dim=0) > 0).any()):
            raise IncompatibleError("a time field rises along the grid: generation needs falling times.")
        clean = fields == 0
        alpha = torch.where(clean, 1.0, schedule.alpha(fields))
        sigma = torch.where(clean, 0.0, schedule.sigma(fields))
        log_ratio = torch.where(clean, math.inf, 0.5 * schedule.log_snr(fields))
        return cls(fields, alpha, sigma, log_ratio)

    @property
    def steps(self) -> int:
        """How many steps the path has."""
        return len(self.time) - 1

    @property
    def still(self) -> Tensor:
        """Where a step does not move (clean frames), bool `(steps, *field)`: it is the identity there."""
        return self.time[1:] == self.time[:-1]

    @property
    def length(self) -> Tensor:
        """h >= 0 `(steps, *field)`: 0 where still, infinite from pure noise or to clean data."""
        return torch.where(self.still, 0.0, self.log_ratio[1:] - self.log_ratio[:-1])

    @property
    def decay(self) -> Tensor:
        """A = sigma_n / sigma_s `(steps, *field)`, 1 where still."""
        return torch.where(self.still, 1.0, self.sigma[1:] / self.sigma[:-1])


def moments(x: Tensor, count: int) -> Tensor:
    """J_m(x) = int_0^1 x e^(-x (1 - v)) v^m dv for m < count.

    J_0 = 1 - e^(-x), J_m = 1 - (m / x) J_(m-1); the recursion cancels for small |x|, where the series
    sum_q x (-x)^q m! / (m + q + 1)! serves.

    Args:
        x: c h, of either sign.
        count: how many moments.

    Returns:
        `(count, *x.shape)`.
    """
    small = x.abs() < _SERIES_BELOW
    safe, short = torch.where(small, 1.0, x), torch.where(small, x, 0.0)
    rows = [-torch.expm1(-x)]
    recursion = -torch.expm1(-safe)
    for m in range(1, count):
        recursion = 1.0 - m / safe * recursion
        series = sum(
            (-short) ** q * short * (math.factorial(m) / math.factorial(m + q + 1))
            for q in range(_SERIES_TERMS)
        )
        rows.append(torch.where(small, series, recursion))
    return torch.stack(rows)


def usable_nodes(path: Path, order: int) -> tuple[Tensor, Tensor]:
    """The nodes an order-k step can interpolate through, newest first, in units of its length.

    Returns:
        v_j = u_j / h `(order, steps, *field)` and how many of them are usable `(steps, *field)`: at
        least 1, fewer than `order` while history is short, after an infinite step or past a gap.
    """
    length = path.length
    moving = (length > 0) & (length <= FAR)
    unit = torch.where(moving, length, 1.0)
    nodes, count = [torch.zeros_like(length)], torch.ones_like(length)
    usable = moving
    for back in range(1, order):
        distance = torch.full_like(length, -math.inf)
        earlier = path.log_ratio[: max(path.steps - back, 0)]
        distance[back:] = earlier - path.log_ratio[back : path.steps]
        node = distance / unit
        usable = usable & (node >= -SPAN) & (node < nodes[-1])
        nodes.append(node)
        count = count + usable
    return torch.stack(nodes), count


def adams_bashforth(path: Path, order: int, eta: float = 0.0) -> Tensor:
    """Weights of the last `order` denoiser answers, newest first, `(order, steps, *field)`.

    Solves sum_j w_j v_j^m = J_m(c h), m < k, with k the usable nodes of each step and entry.

    Args:
        path: where the solver goes.
        order: k, 1 to 4.
        eta: noise level, 0 for the ordinary differential equation.
    """
    nodes, count = usable_nodes(path, order)
    return _quadrature(path, nodes, count, 1.0 + eta, newest=0) * path.alpha[1:]


def adams_bashforth_noise(path: Path, order: int) -> Tensor:
    """The same for x_n = (alpha_n / alpha_s) x_s + sum_j w_j eps_j, eps = (x - alpha D) / sigma.

    The exact step -sigma_n int_0^h e^(h - u) eps(lambda_s + u) du grows where that of D decays: moments
    J_m(-h). An infinite step has no such form and gets weights of 0.
    """
    nodes, count = usable_nodes(path, order)
    near = (path.length > 0) & (path.length <= FAR)
    return torch.where(near, _quadrature(path, nodes, count, -1.0, newest=0) * path.sigma[1:], 0.0)


def adams_moulton(path: Path, order: int, eta: float = 0.0) -> Tensor:
    """Weights that also use the answer where the step ends, which comes first, `(order, steps, *field)`.

    The system of :func:`adams_bashforth` with the further node v = 1. Where a step is infinite that
    answer is of no use and gets weight 0.

    Args:
        path: where the solver goes.
        order: number of answers, at least 2.
        eta: noise level.
    """
    older, count = usable_nodes(path, order - 1)
    near = (path.length > 0) & (path.length <= FAR)
    weights = _quadrature(
        path, torch.cat((torch.ones_like(older[:1]), older)), count + near, 1.0 + eta, newest=1
    )
    return weights * path.alpha[1:]


def _quadrature(path: Path, nodes: Tensor, count: Tensor, rate: float, newest: int) -> Tensor:
    """sum_j w_j v_j^m = J_m(rate h) through the first `count` nodes; all on `newest` where there is one."""
    length = path.length
    near = (length > 0) & (length <= FAR)
    right = moments(rate * torch.where(near, length, 1.0), len(nodes))
    weights = torch.zeros_like(nodes)
    weights[newest] = -torch.expm1(-rate * length)
    for k in range(2, len(nodes) + 1):
        chosen = near & (count == k)
        spare = -torch.arange(k, dtype=torch.float64).reshape((k,) + (1,) * length.ndim)
        v = torch.where(chosen, nodes[:k], spare).movedim(0, -1)
        powers = torch.stack([v**m for m in range(k)], dim=-2)
        solved = torch.linalg.solve(powers, right[:k].movedim(0, -1)).movedim(-1, 0)
        weights[:k] = torch.where(chosen, solved, weights[:k])
    return weights


def corrected(predictor: Tensor, corrector: Tensor, scale: Tensor) -> Tensor:
    """A predictor and a corrector, one answer a step, as the weights of one multistep formula.

    The answer D_n at the predicted p_n corrects u_n = p_n + sum_j (b_j - a_j) D_(n-j) before the next
    step p_(n+1) = A u_n + sum_j a_j D_(n-j); both are linear, so p_(n+1) follows from p_n at once.

    Args:
        predictor: a `(order, steps, *field)`, newest answer first.
        corrector: b `(order + 1, steps, *field)`, the answer where the step ends first.
        scale: A `(steps, *field)`.

    Returns:
        `(order + 1, steps, *field)`.
    """
    change = corrector.clone()
    change[1:] -= predictor
    weights = torch.cat((predictor, torch.zeros_like(predictor[:1])))
    weights[:, 1:] += scale[1:] * change[:, :-1]
    return weights


def noise_level(path: Path, eta: float) -> tuple[Tensor, Tensor]:
    """e^(-eta h) and sigma_n sqrt(1 - e^(-2 eta h)), each `(steps, *field)`: what a noise level adds."""
    if eta == 0:
        return torch.ones_like(path.length), torch.zeros_like(path.length)
    length = path.length
    return torch.exp(-eta * length), path.sigma[1:] * torch.sqrt(-torch.expm1(-2.0 * eta * length))
