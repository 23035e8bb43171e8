"""Perceptrons trained side by side, each without one block of time and the last one on all of it.

    h_1 = silu(W_1 z + lead + variable),   h_2 = h_1 + silu(W_2 h_1 + b),   answer = v . h_2 + c

v and c are of each lead and variable, both 0 at the start, so that what is added to begins as it is. All see
the same batches, each but its own rows, and all stop where a share of their answers, from 0 to 1, served the
blocks left out best (Morgan and Bourlard, "Generalization and parameter estimation in feedforward nets",
NeurIPS 1989).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rheos.core.keys import Key, Purpose

_ROWS = 2048  # answered at once outside training
_CHECKS, _PATIENCE = 15, 4


class Perceptrons(nn.Module):
    """K perceptrons of the same sizes; weights follow from the seed alone.

    Args:
        count: K.
        features: p, of the input.
        width: numbers inside.
        leads: S.
        variables: that have weights of their own.
        seed: of the weights, the same in all K.
    """

    def __init__(
        self, count: int, features: int, width: int, leads: int, variables: int, seed: int = 0
    ) -> None:
        super().__init__()
        key = Key.of(seed, 1, "perceptrons")

        def drawn(number: int, *shape: int) -> nn.Parameter:
            weights = key.at(key.purpose, number).normal(shape)[0] / shape[0] ** 0.5
            return nn.Parameter(weights.expand(count, *shape).clone())

        self.first = drawn(0, features, width)
        self.second = drawn(1, width, width)
        self.lead = nn.Parameter(torch.zeros(count, leads, width))
        self.variable = nn.Parameter(torch.zeros(count, variables, width))
        self.bias = nn.Parameter(torch.zeros(count, width))
        self.answer = nn.Parameter(torch.zeros(count, variables, leads, width))
        self.constant = nn.Parameter(torch.zeros(count, variables, leads))

    def forward(self, z: Tensor, variable: Tensor) -> Tensor:
        """Answers `(K, n, S)` to features `(n, S, p)` of rows of these variables `(n,)`."""
        inside = torch.einsum("nsp,kph->knsh", z, self.first)
        inside = functional.silu(inside + self.lead[:, None] + self.variable[:, variable][:, :, None])
        deeper = torch.einsum("knsh,khg->knsg", inside, self.second) + self.bias[:, None, None]
        inside = inside + functional.silu(deeper)
        return (inside * self.answer[:, variable]).sum(-1) + self.constant[:, variable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What is learned from: n rows, each a window's leads of one variable.

    Attributes:
        z: features `(n, S, p)`.
        target: `(n, S)`, NaN where missing.
        variable: `(n,)`.
        block: of time `(n,)`, from 0 to K - 2.
    """

    z: Tensor
    target: Tensor
    variable: Tensor
    block: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Schooling:
    """How perceptrons are trained.

    Attributes:
        steps: at most.
        batch: rows of a step.
        learning_rate: at the start; falls to 0 as a cosine.
        weight_decay: of the weights, decoupled.
        seed: of the batches.
    """

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    seed: int


def train(nets: Perceptrons, rows: Rows, how: Schooling) -> Tensor:
    """Train by squared error; leave in the nets the stage whose :func:`share` blocks left out liked best.

    Returns:
        What the net that never saw its block answers to each row, at that stage, `(n, S)`.
    """
    seen = rows.target.isfinite()
    target = torch.where(seen, rows.target, 0.0)
    weights = [p for name, p in nets.named_parameters() if name in ("first", "second", "answer")]
    others = [p for name, p in nets.named_parameters() if name not in ("first", "second", "answer")]
    groups = [{"params": weights, "weight_decay": how.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=how.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, how.steps))
    key = Key.of(how.seed, how.batch, "perceptrons")
    checks = [round(how.steps * n / _CHECKS) for n in range(_CHECKS + 1)]
    nets_of = torch.arange(len(nets.first))[:, None]
    best, since, stage, answers = float("inf"), 0, {}, torch.zeros_like(target)
    for step in range(how.steps + 1):
        if step in checks:
            found = left_out(nets, rows)
            away = (target - share(target, found * seen) * found) * seen
            score, since = float(away.square().sum()), since + 1
            if score < best:
                best, since, answers = score, 0, found
                stage = {name: value.clone() for name, value in nets.state_dict().items()}
        if step == how.steps or since == _PATIENCE:
            break
        chosen = key.at(Purpose.BATCH, step).integers(len(target), 1)[:, 0]
        counted = (rows.block[chosen] != nets_of)[..., None] & seen[chosen]
        with torch.enable_grad():
            error = nets(rows.z[chosen], rows.variable[chosen]) - target[chosen]
            # Each net has a loss of its own: their sum has the gradients of all.
            loss = (error.square() * counted).sum((1, 2)) / counted.sum((1, 2)).clamp(min=1)
            optimizer.zero_grad()
            loss.sum().backward()
        optimizer.step()
        schedule.step()
    nets.load_state_dict(stage)
    return answers


def share(target: Tensor, answers: Tensor) -> Tensor:
    """How much of the answers `(n, S)`, from 0 to 1, comes nearest to the targets, at each lead `(S,)`."""
    square = answers.square().sum(0)
    return ((target * answers).sum(0) / torch.where(square > 0, square, 1.0)).clamp(0.0, 1.0)


@torch.no_grad()
def left_out(nets: Perceptrons, rows: Rows) -> Tensor:
    """What the net that never saw its block answers to each row, `(n, S)`."""
    answers = torch.zeros_like(rows.target)
    for block in range(len(nets.first) - 1):
        one = member(nets, block)
        for part in (rows.block == block).nonzero()[:, 0].split(_ROWS):
            answers[part] = one(rows.z[part], rows.variable[part])[0]
    return answers


@torch.no_grad()
def member(nets: Perceptrons, number: int) -> Perceptrons:
    """One of the perceptrons alone."""
    _, features, width = nets.first.shape
    variables, leads = nets.constant.shape[1:]
    one = Perceptrons(1, features, width, leads, variables).to(nets.first.dtype)
    one.load_state_dict({name: value[[number]] for name, value in nets.state_dict().items()})
    return one
