"""z_f = L w_f, w ~ N(0, I), L L^T = R = V V^T + diag(1 - |v_i|^2): frames are independent, variables are not.

V are the leading modes of the correlation that the entries of a frame have in the training data, as
probabilistic principal components have them (Tipping and Bishop, "Probabilistic principal component
analysis", JRSS B 1999): V = U (Lambda - s^2)^(1/2), s^2 the mean of the eigenvalues left out. Kept are
eigenvalues above (1 + sqrt(n / clips))^2, the largest that n entries that do not go together would show
(Marchenko and Pastur 1967). A sum of many variables then has
about the right spread before anything is learned. Rheos' own.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import torch
from pydantic import field_validator
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.process.noise.base import Noise
from rheos.process.noise.moments import correlation_of, standard_log_prob

Loadings = tuple[tuple[float, ...], ...]

_MODES = 32
_MOST = 4096  # entries of a frame; more would need a factor too large to hold
_ROUND = 6  # digits that are kept
_OWN = 1e-3  # least share of an entry's variance that is its own


class AcrossVariables(Noise):
    """Noise whose variables go together as the data's do, its frames independent.

    Attributes:
        loadings: v_i, one row an entry of a frame; measured from the training data where left empty.
    """

    kind: Literal["across_variables"] = "across_variables"
    loadings: Loadings = ()

    @field_validator("loadings")
    @classmethod
    def _leave_something(cls, loadings: Loadings) -> Loadings:
        if any(len(row) != len(loadings[0]) for row in loadings):
            raise ValueError("rows of loadings must be equally long")
        if any(not math.fsum(value**2 for value in row) < 1.0 for row in loadings):
            raise ValueError("squares of each row of loadings must sum to less than 1")
        return loadings

    @classmethod
    def of(cls, clips: Tensor) -> "AcrossVariables":
        """Loadings of the entries of a frame of clips.

        Args:
            clips: `(n, f, *features)`, NaN missing; entries count with their mean, which is that of errors.

        Raises:
            InputError: a frame has more than 4096 entries.
        """
        entries = math.prod(clips.shape[2:])
        if entries > _MOST:
            raise InputError(
                f"process.noise=across_variables is for up to {_MOST} variables, and a frame has "
                f"{entries}; use process.noise=white."
            )
        size, modes = torch.linalg.eigh(correlation_of(clips.flatten(2).flatten(0, 1)))
        edge = (1.0 + math.sqrt(entries / len(clips))) ** 2
        kept = min(int((size > edge).sum()), _MODES)
        if kept == 0:
            return cls(loadings=((),) * entries)
        left = size[:-kept].clamp(min=0.0).mean()
        loadings = modes[:, -kept:] * (size[-kept:] - left).clamp(min=0.0).sqrt()
        most = loadings.square().sum(1, keepdim=True).clamp(min=1.0 - _OWN) / (1.0 - _OWN)
        loadings = loadings / most.sqrt()
        return cls(loadings=tuple(tuple(round(v, _ROUND) for v in row) for row in loadings.tolist()))

    def learned(self, clips: Tensor, known: int = 0) -> "AcrossVariables":
        """The loadings of the clips' future frames, unless there are some."""
        return self if self.loadings else AcrossVariables.of(clips[:, known:])

    def across(self, entries: int) -> Tensor:
        """R, float64 `(entries, entries)`; the identity before anything was measured.

        Raises:
            InputError: the loadings are of another number of entries.
        """
        if self.loadings and len(self.loadings) != entries:
            raise InputError(
                f"process.noise.loadings has {len(self.loadings)} rows, and a frame has {entries} entries."
            )
        if not self.loadings or not self.loadings[0]:
            return torch.eye(entries, dtype=torch.float64)
        loadings = torch.tensor(self.loadings, dtype=torch.float64)
        return (loadings @ loadings.T).fill_diagonal_(1.0)

    def draw(
        self,
        key: Key,
        shape: Sequence[int],
        context: Context,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """L times the key's standard normal numbers of each frame."""
        w = key.normal(shape, dtype, device)
        with torch.autocast(w.device.type, enabled=False):
            z = torch.matmul(w.flatten(2), _factor(self, math.prod(shape[1:])).to(w).T)
        return z.reshape(w.shape)

    def log_prob(self, z: Tensor, context: Context, known: int = 0) -> Tensor:
        """-(|L^-1 z|^2 + n log 2 pi) / 2 - f log |det L|."""
        flat = z.flatten(2)
        factor = _factor(self, flat.shape[2])
        with torch.autocast(z.device.type, enabled=False):
            w = torch.linalg.solve_triangular(factor.to(z), flat.mT, upper=False)
        spread = z.shape[1] * float(factor.diagonal().log().sum())
        return standard_log_prob(w) - spread

    @property
    def gaussian(self) -> bool:
        """It is."""
        return True


@lru_cache(maxsize=8)
def _factor(noise: AcrossVariables, entries: int) -> Tensor:
    return torch.linalg.cholesky(noise.across(entries))
