"""Perceptron: anchor_s = ridge_s + w_s s_s g_s(z), a small network of what the ridge looks at corrects it.

z are the ridge's features, so variables meet in it as they do there, s_s is the ridge's own scale, and g, a
perceptron of two layers with answers for each lead and variable, learns what is not linear by squared error.
It is trained without each block of time in turn; w_s, from 0 to 1, is the share of its answer that forecast
these blocks best, and 0 where the law is linear. The scale is the ridge's times what the blocks left out
gained. That an anchor may be learned is in Han et al. 2024, arXiv:2410.13027; here it is, before the process.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from rheos.core.errors import InputError
from rheos.data.anchor.base import Anchor, FittedAnchor, after, some, time_blocks
from rheos.data.anchor.leaving_out import Perceptrons, Rows, Schooling, member, share, train
from rheos.data.anchor.ridge import FittedRidge, Ridge
from rheos.data.dataset import Layout
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_FEATURES_BYTES = 64 * 2**20
_PIECE_BYTES = 8 * 2**20
_FEWEST_WINDOWS = 64
_FEWEST_ROWS = 16
_FAR = 5.0  # standard deviations: what lies further counts as this far
_OWN_WEIGHTS = 32  # variables that may have weights of their own


class Perceptron(Anchor):
    """A ridge corrected by a small network trained before all else, for tables.

    Attributes:
        ridge: what is corrected.
        width: numbers inside the network.
        steps: of its training at most; it stops where blocks left out are forecast best.
        batch: forecasts of a step, all leads of a variable counted.
        learning_rate: at the start; falls to 0 as a cosine.
        weight_decay: of its weights.
        blocks: of time, left out in turn.
        seed: of its weights and batches.
        most_windows: how many training windows are looked at.
    """

    kind: Literal["perceptron"] = "perceptron"
    ridge: Ridge = Ridge()
    width: int = Field(default=32, ge=1)
    steps: int = Field(default=600, ge=0)
    batch: int = Field(default=1024, ge=1)
    learning_rate: float = Field(default=1e-2, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    blocks: int = Field(default=3, ge=2)
    seed: int = 0
    most_windows: int = Field(default=12000, ge=1)

    def require(self, layout: Layout) -> None:
        """Check that the data are a table.

        Raises:
            InputError: they are not.
        """
        if layout.kind != "series":
            raise InputError(
                f"anchor=perceptron is for tables, and the data are a {layout.kind}; use anchor=ridge."
            )

    def measure(self, source: WindowSource, indices: np.ndarray) -> "FittedPerceptron":
        """Fit the ridge, then train on what it leaves.

        Raises:
            InputError: there is no training window.
        """
        ridge = self.ridge.measure(source, indices)
        frames = source.spec.history
        unit = ridge.scale[frames:]
        horizon, variables = unit.shape
        count = ridge.plan.count(source.batch(indices[:1]))
        fitting = max(_FEWEST_WINDOWS, _FEATURES_BYTES // (4 * unit.size * count))
        batch = source.batch(some(indices, min(self.most_windows, fitting)))
        z = _features(ridge, batch)
        middle, deviation = z.mean((0, 1)), z.std((0, 1))
        inverse = np.where(deviation > 1e-9, 1 / np.maximum(deviation, 1e-9), 0.0)
        left = ((batch.future - ridge.future(batch)) / unit).transpose(2, 0, 1).reshape(-1, horizon)
        own = variables if variables <= _OWN_WEIGHTS else 1
        blocks = min(self.blocks, len(batch))
        rows = Rows(
            z=torch.from_numpy(_standard(z, middle, inverse)).float(),
            target=torch.from_numpy(left).float(),
            variable=_variables(variables, own, len(batch)),
            block=torch.from_numpy(time_blocks(batch, blocks)).repeat(variables),
        )
        nets = Perceptrons(blocks + 1, count, self.width, horizon, own, self.seed)
        answers = train(nets, rows, self._schooling(horizon, blocks)).double().numpy()
        used, gain = _gain(left, answers, variables)
        return FittedPerceptron(
            scale=np.concatenate([ridge.scale[:frames], (unit * gain).astype(np.float32)]),
            ridge=ridge,
            net=member(nets, blocks).double(),
            unit=unit,
            middle=middle,
            inverse=inverse,
            share=used,
        )

    def _schooling(self, horizon: int, blocks: int) -> Schooling:
        return Schooling(
            steps=self.steps if blocks > 1 else 0,
            batch=max(_FEWEST_ROWS, self.batch // horizon),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            seed=self.seed,
        )

    def rebuild(self, scale: np.ndarray, numbers: dict[str, np.ndarray]) -> "FittedPerceptron":
        """The inverse of `numbers`."""
        ridge, net = (after(start, numbers) for start in ("ridge.", "net."))
        _, count, width = net["first"].shape
        variables, horizon = net["constant"].shape[1:]
        restored = Perceptrons(1, count, width, horizon, variables).double()
        restored.load_state_dict({name: torch.from_numpy(value) for name, value in net.items()})
        return FittedPerceptron(
            scale=scale,
            ridge=self.ridge.rebuild(ridge.pop("scale"), ridge),
            net=restored,
            unit=numbers["unit"],
            middle=numbers["middle"],
            inverse=numbers["inverse"],
            share=numbers["share"],
        )


@dataclass(frozen=True, kw_only=True)
class FittedPerceptron(FittedAnchor):
    """A ridge and what corrects it.

    Attributes:
        ridge: what is corrected.
        net: one perceptron.
        unit: of its answers, `(S, variables)`.
        middle, inverse: of the features `(p,)`, their mean and one over their deviation.
        share: of its answer that is used, `(S,)`.
    """

    ridge: FittedRidge
    net: Perceptrons
    unit: np.ndarray
    middle: np.ndarray
    inverse: np.ndarray
    share: np.ndarray

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The ridge's forecast and the answer's share."""
        ridge = self.ridge.future(batch)
        if not self.share.any():
            return ridge
        bytes_each = 8 * len(self.middle) * ridge[0].size
        run = max(1, _PIECE_BYTES // bytes_each)
        starts = range(0, len(batch), run)
        answers = [self._answers(batch.rows(slice(start, start + run))) for start in starts]
        return ridge + self.share[:, None] * self.unit * np.concatenate(answers)

    @torch.no_grad()
    def _answers(self, batch: WindowBatch) -> np.ndarray:
        """`(b, S, variables)`, in float64, so that they are the same whatever windows are beside it."""
        variables, rows = batch.future.shape[2], len(batch)
        z = torch.from_numpy(_standard(_features(self.ridge, batch), self.middle, self.inverse))
        answers = self.net(z, _variables(variables, self.net.constant.shape[1], rows))[0]
        return answers.numpy().reshape(variables, rows, -1).transpose(1, 2, 0)

    def numbers(self) -> dict[str, np.ndarray]:
        """The ridge's and the perceptron's, their names after what they are of."""
        ridge = {f"ridge.{name}": value for name, value in self.ridge.to_arrays().items()}
        net = {f"net.{name}": value.numpy() for name, value in self.net.state_dict().items()}
        kept = {name: getattr(self, name) for name in ("unit", "middle", "inverse", "share")}
        return {**ridge, **net, **kept}


def _features(ridge: FittedRidge, batch: WindowBatch) -> np.ndarray:
    """What the ridge looks at, `(variables * b, S, p)` float64, variable by variable."""
    built = ridge.plan.build(ridge.gaps.fill(batch), np.arange(batch.future.shape[2]))
    return built.swapaxes(1, 2).reshape(-1, built.shape[1], built.shape[3])


def _standard(z: np.ndarray, middle: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Features of unit variance, none far from 0."""
    return np.clip((z - middle) * inverse, -_FAR, _FAR)


def _variables(variables: int, own: int, rows: int) -> torch.Tensor:
    """Whose weights each row takes, variable by variable; all the same where none has its own."""
    return torch.arange(variables).clamp(max=own - 1).repeat_interleave(rows)


def _gain(left: np.ndarray, answers: np.ndarray, variables: int) -> tuple[np.ndarray, np.ndarray]:
    """The share of the answers to use `(S,)`, and what it makes of the scale, a ratio `(S, variables)`.

    Args:
        left: what the ridge left, in units of its scale, `(rows, S)`, NaN where missing.
        answers: of perceptrons that never saw the row's block.
        variables: one after the other along the rows.
    """
    seen = np.isfinite(left)
    wanted, answered = np.where(seen, left, 0.0), np.where(seen, answers, 0.0)
    used = share(torch.from_numpy(wanted), torch.from_numpy(answered)).numpy()

    def of_each(rows: np.ndarray) -> np.ndarray:
        return (rows**2).reshape(variables, -1, rows.shape[1]).sum(1).T

    before, after = of_each(wanted), of_each(wanted - used * answered)
    return used, np.sqrt(np.where(before > 0, after, 1.0) / np.where(before > 0, before, 1.0))
