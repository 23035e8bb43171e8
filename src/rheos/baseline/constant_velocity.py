"""Sampled constant velocity: x_{o+h} = x_{o-1} + (h + 1) e^v R(w) (x_{o-1} - x_{o-2}), one draw a member.

Every agent goes on as in its last step, turned by an angle w ~ N(0, turn^2) and with its speed times exp(v),
v ~ N(0, spread^2), the same for all frames ahead (Schoeller et al. 2020, "What the constant velocity model
can teach us about pedestrian motion prediction", arXiv 1903.07933, where only the angle is drawn). In space
of three dimensions the step turns in a plane of random direction through it. Agents who are not in the last
two frames stand still; who is not in the last has no forecast.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from rheos.baseline.method import Baseline
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.data.dataset import Dataset, Recording


@dataclass(frozen=True, slots=True)
class Going:
    """Agents who go on as they do.

    Attributes:
        horizon: frames to forecast.
        turn: standard deviation of the angle, in radians.
        spread: standard deviation of the logarithm of the speed.
    """

    horizon: int
    turn: float
    spread: float

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """As :meth:`rheos.baseline.method.FittedBaseline.forecast`, of any scene."""
        if origin < 1:
            raise InputError("a forecast needs at least one known frame before it.")
        recent = recording.values[max(0, origin - 2) : origin].astype(np.float64)
        last, step = recent[-1], recent[-1] - recent[0]
        step = np.where(np.isnan(step), 0.0, step)
        space, agents = last.shape
        drawn = key.at(Purpose.BOOTSTRAP).normal((2 + space, agents), dtype=torch.float64).numpy()
        speed = np.exp(self.spread * drawn[:, 0])[:, None]
        turned = np.cos(self.turn * drawn[:, 1])[:, None] * step
        turned = turned + np.sin(self.turn * drawn[:, 1])[:, None] * _aside(step, drawn[:, 2:])
        ahead = np.arange(1, self.horizon + 1)[:, None, None]
        return (last + ahead * (speed * turned)[:, None]).astype(recording.values.dtype)


def _aside(step: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Vectors as long as the steps `(d, n)` and at right angles to them, `(member, d, n)`.

    In the plane to the left; in space in the random directions given `(member, d, n)`.
    """
    if len(step) == 2:
        return np.broadcast_to(np.stack([-step[1], step[0]]), direction.shape)
    square = (step**2).sum(0)
    across = direction - step * (direction * step).sum(1, keepdims=True) / np.where(square > 0, square, 1.0)
    return across / np.linalg.norm(across, axis=1, keepdims=True) * np.sqrt(square)


class ConstantVelocity(Baseline):
    """The last step of every agent, again and again, at a random angle and speed a member.

    Attributes:
        turn: standard deviation of the angle, in degrees.
        spread: standard deviation of the logarithm of the speed.
    """

    kind: Literal["constant_velocity"] = "constant_velocity"
    turn: float = Field(default=25.0, ge=0)
    spread: float = Field(default=0.3, ge=0)
    adds: ClassVar[bool] = False

    def fit(self, dataset: Dataset, horizon: int) -> Going:
        """See :class:`rheos.baseline.method.Baseline`; there is nothing to learn.

        Raises:
            IncompatibleError: the data are no trajectories.
        """
        if dataset.layout.kind != "trajectory":
            raise IncompatibleError(
                f"constant_velocity moves agents, and the data are {dataset.layout.kind}; use random_walk."
            )
        return Going(horizon, np.radians(self.turn), self.spread)
