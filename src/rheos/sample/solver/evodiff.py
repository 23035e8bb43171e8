"""x_n = E + B M / (2 z), M = (1 - e) r G_2 - (e / r) G_1, G_1 = m_0 - b_1 m_1, G_2 = D(x_p) - b_2 m_0.

E = A x + B m_0, x_p = E + B G_1 / (2 r_h). Li, Chen, Zeng 2025 (EVODiff, arXiv 2509.26096), as their code has
it: b, r_h, e and z are found on the fly from inner products of the answers, to lower the entropy of each
step. They are not exactly consistent: first order, and a floor of error that only a small last sigma hides.
Kept for comparison; :mod:`rheos.sample.solver.least_difference` is the form to use.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor

from rheos.core.time_field import expand
from rheos.process.schedule import Schedule
from rheos.sample.solver.kernel import Path, usable_nodes
from rheos.sample.solver.least_difference import share
from rheos.sample.solver.solver import Answer, Draw, Move, Solver, State

_SHORT = 20


@dataclass(frozen=True, slots=True)
class Step:
    """The numbers of one step, from s to n.

    Attributes:
        weight: B = alpha_n - A alpha_s.
        ratio: r = h_prev / h.
        length: H = 1 / S_n - 1 / S_s.
        decay: A = sigma_n / sigma_s.
        balance: b_0 = sqrt(A / A_prev).
        trust: w = (1 - t_n^2) / 2 with t_n scaled to the grid.
    """

    weight: Tensor
    ratio: Tensor
    length: Tensor
    decay: Tensor
    balance: Tensor
    trust: Tensor

    def to(self, like: Tensor) -> "Step":
        """Each number shaped to broadcast against a clip."""
        return Step(*(expand(getattr(self, name), like) for name in self.__slots__))

    def difference(self, newer: Tensor, older: Tensor) -> tuple[Tensor, Tensor]:
        """G = newer - b older and b."""
        b = (1.0 - self.trust) * self.balance + self.trust * share(newer, older, "clip").clamp(-2.0, 2.0)
        return newer - b * older, b

    def shifted(self, b: Tensor) -> Tensor:
        """r_h = clip(sigmoid(|b| / 4) r, r / 4, 3 r / 2)."""
        return (torch.sigmoid(b.abs() / 4.0) * self.ratio).clamp(0.25 * self.ratio, 1.5 * self.ratio)

    def corrected(self, probe: Tensor, new: Tensor, m0: Tensor, m1: Tensor, short: bool) -> Tensor:
        """x_n from the probe x_p, the answer found there and the two before it."""
        g1, b1 = self.difference(m0, m1)
        g2, _ = self.difference(new, m0)
        shifted = self.shifted(b1)
        p, n = g1 / (self.ratio * self.length), self.ratio * g2 / self.length
        e = 0.5 * torch.sigmoid((0.5 * share(n + p, n - p, "clip").clamp(-2.0, 2.0)).abs())
        mixed = (1.0 - e) * self.ratio * g2 - e / self.ratio * g1
        # Q = x_p - E - B M / (2 r_h), its first two terms being B G_1 / (2 r_h).
        left = self.weight * (g1 - mixed) / (2.0 * shifted)
        unit = torch.where(self.weight == 0, 1.0, self.weight)
        away = (share(left, g1, "clip").clamp(-2.0, 2.0) / unit).abs() - 0.5
        if not short:
            d = (m0 - m1) / self.length
            away = -torch.sigmoid(share(m0, d, "clip").clamp(-2.0, 2.0) * (2.0 - self.decay**2)) * away
        return probe + 0.5 * self.weight * (mixed / torch.sigmoid(away) - g1 / shifted)


@dataclass(frozen=True, slots=True)
class EVODiffMove(Move):
    """Correct the clip that the last step led to, then probe or, at the end, take the released last step.

    Attributes:
        time: the field at which the denoiser is asked.
        scale: A of the step from here.
        weight: B of it.
        before: numbers of the step that led here; None where it is not corrected.
        ahead: numbers of the step from here; None where it has one answer only.
        last: q and k of the released last step, x_n = q E + B (m_0 - k m_1) / 2; else None.
        short: whether the grid has at most 20 steps.
    """

    time: Tensor
    scale: Tensor
    weight: Tensor
    before: Step | None
    ahead: Step | None
    last: tuple[Tensor, Tensor] | None
    short: bool

    def to(self, like: Tensor) -> Self:
        """The coefficients in a clip's dtype, on its device, shaped to broadcast against it."""
        return replace(
            self,
            scale=expand(self.scale, like),
            weight=expand(self.weight, like),
            before=None if self.before is None else self.before.to(like),
            ahead=None if self.ahead is None else self.ahead.to(like),
            last=None if self.last is None else (expand(self.last[0], like), expand(self.last[1], like)),
        )

    def apply(self, state: State, denoise: Answer, draw: Draw) -> State:
        """One denoiser call."""
        u, answer = state.u, denoise(state.u, self.time)
        if self.before is not None:
            u = self.before.corrected(u, answer, state.history[0], state.history[1], self.short)
        u = (u * self.scale).addcmul_(answer, self.weight)
        if self.last is not None:
            keep, older = self.last
            u = keep * u + 0.5 * self.weight * (answer - older * state.history[0])
        elif self.ahead is not None:
            difference, b = self.ahead.difference(answer, state.history[0])
            u.addcmul_(difference / self.ahead.shifted(b), self.weight, value=0.5)
        return State(u, (answer, *state.history)[:2])


class EVODiff(Solver):
    """EVODiff as released, for comparison; `least_difference` is its consistent form."""

    kind: Literal["evodiff"] = "evodiff"

    @property
    def declared_order(self) -> int:
        """One: its coefficients are not exactly consistent."""
        return 1

    @property
    def linear(self) -> bool:
        """Its coefficients come from the answers."""
        return False

    def plan(self, schedule: Schedule, fields: Tensor) -> tuple[EVODiffMove, ...]:
        """Numbers of every step; only what depends on the answers is left to the steps."""
        path = Path.of(schedule, fields)
        nodes, count = usable_nodes(path, 2)
        two, steps = count == 2, path.steps
        weight = torch.where(path.still, 0.0, path.alpha[1:] - path.decay * path.alpha[:-1])
        ratio = torch.where(two, -nodes[1], 1.0)
        inverse = torch.exp(path.log_ratio)
        length = torch.where(two, inverse[1:] - inverse[:-1], 1.0)
        balance = torch.ones_like(length)
        balance[1:] = torch.sqrt(path.decay[1:] / path.decay[:-1].clamp(min=1e-30))
        ends = bool((path.time[-1] == 0).all())
        end = path.time[-2] if ends else path.time[-1]
        spread = torch.where(path.time[0] > 0, path.time[0] + end, 1.0)
        trust = 0.5 * (1.0 - ((path.time[1:] + end) / spread) ** 2)
        numbers = [Step(*row) for row in zip(weight, ratio, length, path.decay, balance, trust, strict=True)]
        some = [bool(here.any()) for here in two]
        final = steps - 1 - ends
        keep = torch.where(two, 1.0 - torch.sqrt(path.sigma[1:] * path.sigma[:-1]), 1.0)
        over = torch.where(path.decay < 0.5, path.decay, path.decay - 0.5)
        older = 1.0 - 0.5 * torch.sqrt(over)
        return tuple(
            EVODiffMove(
                time=path.time[i],
                scale=path.decay[i],
                weight=weight[i],
                before=numbers[i - 1] if i > 1 and some[i - 1] and i - 1 != final else None,
                ahead=numbers[i] if some[i] else None,
                last=(keep[i], older[i]) if i == final and some[i] else None,
                short=steps <= _SHORT,
            )
            for i in range(steps)
        )
