"""Covariates in standard units: (value - mean) / deviation over the training span, per column."""

from dataclasses import dataclass

import numpy as np

from rheos.data.dataset import Dataset

_ROLES = ("known_future", "past", "static")


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariates:
    """Mean and deviation of each covariate column; float64 `(2, k)` by role, mean first.

    A constant of agents has the same for all of them.
    """

    known_future: np.ndarray
    past: np.ndarray
    static: np.ndarray

    @classmethod
    def none(cls) -> "Covariates":
        """For data without covariates."""
        return cls(**{role: np.zeros((2, 0)) for role in _ROLES})

    @classmethod
    def fit(cls, dataset: Dataset) -> "Covariates":
        """Measure the columns over all recordings; a constant column gets deviation 1."""
        measured = {}
        for role in _ROLES:
            parts = [np.atleast_2d(getattr(r, role)).astype(np.float64) for r in dataset.recordings]
            values = np.concatenate(parts)
            if role == "static" and dataset.layout.kind == "trajectory":
                agents = dataset.features[-1]
                apart = values.reshape(len(values), values.shape[1] // agents, agents)
                values = np.concatenate([*apart.swapaxes(1, 2)])
            measured[role] = _moments(values)
        return cls(**measured)

    def encode(self, role: str, values: np.ndarray) -> np.ndarray:
        """Standard units of the columns of a role, along the last axis; float32, NaN stays NaN."""
        moments = getattr(self, role)
        each = values.shape[-1] // max(1, moments.shape[1])
        mean, deviation = moments if each < 2 else np.repeat(moments, each, axis=1)
        return ((values - mean) / deviation).astype(np.float32)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """What a restored object needs."""
        return {f"covariates.{role}": getattr(self, role) for role in _ROLES}

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray]) -> "Covariates":
        """The inverse of :meth:`to_arrays`."""
        return cls(**{role: arrays[f"covariates.{role}"] for role in _ROLES})


def _moments(values: np.ndarray) -> np.ndarray:
    seen = np.isfinite(values)
    count = np.maximum(seen.sum(0), 1)
    mean = np.where(seen, values, 0.0).sum(0) / count
    deviation = np.sqrt((np.where(seen, values - mean, 0.0) ** 2).sum(0) / count)
    constant = deviation <= 1e-9 * np.maximum(np.abs(mean), 1.0)
    return np.stack([mean, np.where(constant, 1.0, deviation)])
