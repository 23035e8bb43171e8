"""Base noises: where generation starts."""

from rheos.process.noise.across_variables import AcrossVariables
from rheos.process.noise.along_frames import AlongFrames
from rheos.process.noise.base import Noise
from rheos.process.noise.fractional_brownian import FractionalBrownian
from rheos.process.noise.fractional_gaussian import FractionalGaussian
from rheos.process.noise.markov_fractional import MarkovFractional
from rheos.process.noise.measured import Measured
from rheos.process.noise.ornstein_uhlenbeck import OrnsteinUhlenbeck
from rheos.process.noise.periodic import Periodic
from rheos.process.noise.squared_exponential import SquaredExponential
from rheos.process.noise.student_t import StudentT
from rheos.process.noise.white import White

ALONG_FRAMES: tuple[type[AlongFrames], ...] = (
    OrnsteinUhlenbeck,
    SquaredExponential,
    Periodic,
    FractionalGaussian,
    FractionalBrownian,
    MarkovFractional,
    Measured,
)

NOISES: tuple[type[Noise], ...] = (White, *ALONG_FRAMES, AcrossVariables, StudentT)

__all__ = [
    "ALONG_FRAMES",
    "NOISES",
    "AcrossVariables",
    "AlongFrames",
    "FractionalBrownian",
    "FractionalGaussian",
    "MarkovFractional",
    "Measured",
    "Noise",
    "OrnsteinUhlenbeck",
    "Periodic",
    "SquaredExponential",
    "StudentT",
    "White",
]
