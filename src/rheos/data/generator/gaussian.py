"""A stationary Gaussian panel whose forecast is known exactly: the oracle of forecasting.

    x_{k+1} = phi x_k + sqrt(1 - phi^2) z_k,    z_k ~ N(0, R),  R_ij = rho for i != j, R_ii = 1

(first-order autoregression, the Ornstein-Uhlenbeck process sampled once a frame, phi = exp(-1 / memory)).
Given x_0, the value h frames ahead is N(phi^h x_0, (1 - phi^(2 h)) R). The best attainable expected CRPS
there is s_h / sqrt(pi), s_h the conditional standard deviation; the CRPS of a normal forecast is Gneiting
and Raftery, J. Am. Stat. Assoc. 102, 2007, eq. 21 with y the outcome:

    CRPS(N(m, s^2), y) = s (v (2 Phi(v) - 1) + 2 phi(v) - 1 / sqrt(pi)),    v = (y - m) / s
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy.signal import lfilter
from scipy.special import ndtr

from rheos.core.keys import Key, Purpose
from rheos.core.method import Method
from rheos.data.dataset import Dataset, Layout, Recording

Real = NDArray[np.float64]


def crps_normal(mean: ArrayLike, deviation: ArrayLike, outcome: ArrayLike) -> Real:
    """CRPS of the forecast N(mean, deviation^2), elementwise, in the outcome's unit."""
    scale = np.asarray(deviation, np.float64)
    v = (np.asarray(outcome) - np.asarray(mean)) / scale
    density = np.exp(-(v**2) / 2) / np.sqrt(2 * np.pi)
    return scale * (v * (2 * ndtr(v) - 1) + 2 * density - 1 / np.sqrt(np.pi))


class GaussianPanel(Method):
    """A stationary Gaussian autoregression with a known conditional law, of unit variance.

    Attributes:
        frames: frames of each sequence.
        channels: correlated channels of each sequence.
        sequences: independent sequences, one recording each.
        memory: frames after which the correlation has fallen to 1 / e.
        correlation: rho, between any two channels of one frame.
    """

    kind: Literal["gaussian"] = "gaussian"
    frames: int = Field(1000, ge=1)
    channels: int = Field(2, ge=1)
    sequences: int = Field(1, ge=1)
    memory: float = Field(8.0, gt=0)
    correlation: float = Field(0.5, ge=0, lt=1)

    @property
    def persistence(self) -> float:
        """phi, the correlation of neighbouring frames."""
        return float(np.exp(-1 / self.memory))

    @property
    def covariance(self) -> Real:
        """R, the stationary covariance `(channels, channels)`."""
        rho = self.correlation
        return (1 - rho) * np.eye(self.channels) + rho * np.ones((self.channels, self.channels))

    def conditional(self, last: ArrayLike, horizon: int) -> tuple[Real, Real]:
        """The exact joint law of the next frames given the last one.

        Args:
            last: x_0 `(..., channels)`.
            horizon: S.

        Returns:
            Mean `(..., S, channels)` and covariance `(S, channels, S, channels)`.
        """
        lead = np.arange(1, horizon + 1)
        phi = self.persistence
        mean = phi ** lead[:, None] * np.asarray(last, np.float64)[..., None, :]
        earlier = np.minimum(lead[:, None], lead)
        in_time = phi ** np.abs(lead[:, None] - lead) * (1 - phi ** (2 * earlier))
        return mean, np.einsum("st,ij->sitj", in_time, self.covariance)

    def best_crps(self, horizon: int) -> Real:
        """Expected CRPS of the exact forecast at leads 1 .. S, `(S,)`: what no forecaster can beat."""
        lead = np.arange(1, horizon + 1)
        return np.sqrt((1 - self.persistence ** (2 * lead)) / np.pi)

    def generate(self, seed: int = 0) -> Dataset:
        """A series data set, values float64 `(frames, channels)` a recording."""
        key = Key.of(seed, self.sequences, self.kind).at(Purpose.DATA)
        white = key.normal((self.frames, self.channels), dtype=torch.float64).numpy()
        shocks = white @ np.linalg.cholesky(self.covariance).T
        # The first frame is drawn from the stationary law, so no spin-up is needed.
        shocks[:, 1:] *= np.sqrt(1 - self.persistence**2)
        values = lfilter([1.0], [1.0, -self.persistence], shocks, axis=1)
        names = [f"panel-{i}" for i in range(self.sequences)] if self.sequences > 1 else [""]
        layout = Layout(
            channels=tuple(f"x{i}" for i in range(self.channels)),
            attributes={"title": "Gaussian panel", "source": "rheos.data.generator.gaussian"},
        )
        recordings = tuple(Recording.of(v, name=n) for v, n in zip(values, names, strict=True))
        return Dataset(layout=layout, recordings=recordings)
