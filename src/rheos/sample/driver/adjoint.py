"""dw/dq = F = (cos(q) w - D) / sin(q), da/dq = -(dF/dw)^T a, dg/dq = -(dF/dp)^T a, run from data to noise.

Gradients a of w and g of parameters p in the memory of one denoiser call, whatever the number of steps: Pan,
Liew, Tan, Feng, Yan 2023 (AdjointDPM, arXiv 2307.10711), equations 8 to 10. They write it in u / alpha
against sigma / alpha; here w = u / r turns by the angle q, r^2 = alpha^2 + sigma^2, tan q = sigma / alpha
(Salimans, Ho 2022, arXiv 2202.00512, appendix D), where it is smooth at both ends and errs some hundred times
less. The way back does not quite retrace the way there: gradients are the equation's, to second order in the
step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rheos.core.time_field import expand
from rheos.process.schedule import Schedule
from rheos.sample.solver import Answer, Move, State
from rheos.sample.solver.kernel import Path


@dataclass(frozen=True, slots=True)
class _Way:
    """The path and the denoiser that both ways use."""

    denoise: Answer
    schedule: Schedule
    fields: Tensor
    moves: Sequence[Move]

    def there(self, u: Tensor) -> Tensor:
        """u at the last node, without a graph."""
        state = State(u)
        for move in self.moves:
            state = move.apply(state, self.denoise, lambda: u)
        return state.u

    def back(self, u: Tensor, grad: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Gradients with respect to the first u and the inputs, from the last u and its gradient."""
        path = Path.of(self.schedule, self.fields)
        radius, angle = torch.hypot(path.alpha, path.sigma), torch.atan2(path.sigma, path.alpha)
        between = 0.5 * (angle[1:] + angle[:-1])
        turning = angle[1:] < angle[:-1]
        middle = self.schedule.time_at(-2.0 * torch.log(torch.tan(torch.where(turning, between, 1.0))))
        middle = torch.where(turning, middle, path.time[:-1])
        reach = torch.hypot(self.schedule.alpha(middle), self.schedule.sigma(middle))
        w, a = u / expand(radius[-1], u), grad * expand(radius[-1], u)
        total = [torch.zeros_like(one) for one in inputs]
        for i in reversed(range(path.steps)):
            turn = expand(angle[i] - angle[i + 1], u)
            here, half_way = (
                (path.time[i + 1], radius[i + 1], angle[i + 1]),
                (middle[i], reach[i], between[i]),
            )
            slope, pull, _ = self._slope(w, *here, turn * a, inputs)
            half, a_half = w + 0.5 * turn * slope, a - 0.5 * pull
            slope, pull, parts = self._slope(half, *half_way, turn * a_half, inputs)
            w, a = w + turn * slope, a - pull
            total = [known - part for known, part in zip(total, parts, strict=True)]
        return a / expand(radius[0], u), total

    def _slope(
        self, w: Tensor, time: Tensor, radius: Tensor, angle: Tensor, a: Tensor, inputs: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """F, and a's products with its derivatives in w and in the inputs; 0 for clean entries."""
        sine = torch.sin(angle)
        inverse = expand(torch.where(sine > 0, 1.0 / torch.where(sine > 0, sine, 1.0), 0.0), w)
        with torch.enable_grad():
            w = w.detach().requires_grad_()
            slope = (w * expand(torch.cos(angle), w) - self.denoise(w * expand(radius, w), time)) * inverse
            found = torch.autograd.grad(slope, (w, *inputs), a, allow_unused=True)
        parts = [
            torch.zeros_like(of) if got is None else got for got, of in zip(found, (w, *inputs), strict=True)
        ]
        return slope.detach(), parts[0], parts[1:]


class _Adjoint(torch.autograd.Function):
    """The way there forward, the way back backward."""

    @staticmethod
    def forward(ctx: Any, way: _Way, u: Tensor, *inputs: Tensor) -> Tensor:
        """u at the last node."""
        with torch.no_grad():
            last = way.there(u)
        ctx.way = way
        ctx.save_for_backward(last, *inputs)
        return last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of u at the first node and of the inputs."""
        last, *inputs = ctx.saved_tensors
        wanted = [one for one in inputs if one.requires_grad]
        first, parts = ctx.way.back(last, grad, wanted)
        found = iter(parts)
        return None, first, *(next(found) if one.requires_grad else None for one in inputs)


def adjoint(
    denoise: Answer,
    moves: Sequence[Move],
    schedule: Schedule,
    fields: Tensor,
    u: Tensor,
    inputs: Sequence[Tensor],
) -> Tensor:
    """Run the midpoint solver; gradients follow from the adjoint equation.

    Args:
        denoise: `(u, time field)` to the mean of u_0.
        moves: the midpoint solver's plan, in the dtype and on the device of `u`.
        schedule: the noise schedule.
        fields: time fields of the nodes, float64 `(steps + 1, *field)`, the last one 0.
        u: the clip at the first node; left as it is.
        inputs: what else gradients are wanted of, for example the denoiser's parameters.

    Returns:
        The clip at the last node.
    """
    way = _Way(denoise, schedule, fields[:-1], moves[:-1])
    last: Tensor = _Adjoint.apply(way, u, *inputs) if len(fields) > 2 else u
    return moves[-1].apply(State(last), denoise, lambda: u).u
