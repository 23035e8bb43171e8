"""Time samplers: at which noise levels a network is trained."""

from rheos.denoise.time_sampler.base import TimeSampler
from rheos.denoise.time_sampler.log_normal import LogNormal
from rheos.denoise.time_sampler.log_snr_uniform import LogSnrUniform
from rheos.denoise.time_sampler.logit_normal import LogitNormal
from rheos.denoise.time_sampler.uniform import Uniform

TIME_SAMPLERS: tuple[type[TimeSampler], ...] = (
    Uniform,
    LogitNormal,
    LogNormal,
    LogSnrUniform,
)

__all__ = ["TIME_SAMPLERS", "LogNormal", "LogSnrUniform", "LogitNormal", "TimeSampler", "Uniform"]
