"""H of fractional noises: given, or of greatest likelihood, argmin_H log det K(H) + tr K(H)^-1 S.

S is the correlation of training clips along frames; the clips are taken for Gaussian, as the noise is. Daems
et al. 2024, arXiv 2310.12975, learn a Hurst index, too, there by a variational bound.
"""

from abc import ABC
from typing import Annotated, Literal

import torch
from pydantic import Field
from scipy.optimize import minimize_scalar
from torch import Tensor

from rheos.process.noise.along_frames import AlongFrames, sample_correlation

_RANGE = (0.02, 0.98)
_UNKNOWN = 0.5


class Fractional(AlongFrames, ABC):
    """Noise whose frames go together by a Hurst index.

    Attributes:
        hurst: H, above 1/2 smoother or more persistent, below it rougher or reverting; "measured" takes that
            which suits the training data best, and 1/2 until then.
    """

    hurst: Annotated[float, Field(gt=0.0, lt=0.99)] | Literal["measured"] = 0.5

    @property
    def index(self) -> float:
        """H as a number."""
        return _UNKNOWN if self.hurst == "measured" else self.hurst

    def learned(self, clips: Tensor, known: int = 0) -> "Fractional":
        """The noise with H of greatest likelihood, where it is to be measured."""
        if self.hurst != "measured":
            return self
        seen = sample_correlation(clips[:, known:])

        def misfit(hurst: float) -> float:
            noise = self.model_copy(update={"hurst": hurst})
            factor = torch.linalg.cholesky(noise.correlation(clips.shape[1])[known:, known:])
            away = torch.cholesky_solve(seen, factor).trace()
            return float(2.0 * factor.diagonal().log().sum() + away)

        best = minimize_scalar(misfit, bounds=_RANGE, method="bounded", options={"xatol": 1e-4})
        return self.model_copy(update={"hurst": round(float(best.x), 4)})
