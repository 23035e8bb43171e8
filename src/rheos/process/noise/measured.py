"""K_ij = mean of x_i x_j over the mean squares' roots: the correlation that the data's own last frames have.

White noise in the coordinates of a Gaussian process with this prior is the Gaussian of the data's covariance
along frames, so that what the network has to learn is what a Gaussian does not tell. Rheos' own; the linear
case of a learned prior (whitening, Kessy et al. 2018, arXiv 1512.00809).
"""

from typing import Literal

import torch
from pydantic import field_validator
from torch import Tensor

from rheos.process.noise.along_frames import AlongFrames, sample_correlation, with_jitter

_JITTER = 1e-3
_ROUND = 7  # digits that are kept


class Measured(AlongFrames):
    """The correlation of the last frames of training clips; earlier frames are white.

    Attributes:
        rows: of the correlation, one a frame; measured from the training data where left empty.
    """

    kind: Literal["measured"] = "measured"
    rows: tuple[tuple[float, ...], ...] = ()

    @field_validator("rows")
    @classmethod
    def _are_a_correlation(cls, rows: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        if any(len(row) != len(rows) for row in rows):
            raise ValueError("rows must be as long as there are rows")
        matrix = torch.tensor(rows, dtype=torch.float64).reshape(len(rows), len(rows))
        if rows and not (
            torch.allclose(matrix.diagonal(), torch.ones(len(rows), dtype=torch.float64), atol=1e-6)
            and torch.allclose(matrix, matrix.T, atol=1e-6)
            and torch.linalg.eigvalsh(matrix).min() > 0
        ):
            raise ValueError("rows must be symmetric and positive definite with a diagonal of ones")
        return rows

    @classmethod
    def of(cls, clips: Tensor) -> "Measured":
        """The correlation along the frames of clips, one for all entries of a frame.

        Args:
            clips: `(n, f, *features)`, NaN missing; entries count with their mean, which is that of errors.
        """
        found = with_jitter(sample_correlation(clips), _JITTER)
        found = (0.5 * (found + found.T)).fill_diagonal_(1.0)
        return cls(rows=tuple(tuple(round(value, _ROUND) for value in row) for row in found.tolist()))

    def learned(self, clips: Tensor, known: int = 0) -> "Measured":
        """The correlation of the clips' future frames, unless rows were given."""
        return self if self.rows else Measured.of(clips[:, known:])

    def correlation(self, frames: int) -> Tensor:
        """The rows for the last frames, the identity before them."""
        found = torch.eye(frames, dtype=torch.float64)
        count = min(frames, len(self.rows))
        if count:
            found[-count:, -count:] = torch.tensor(self.rows, dtype=torch.float64)[:count, :count]
        return found
