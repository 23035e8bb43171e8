"""Schedules: u_t = alpha(t) u_0 + sigma(t) z (Song et al. 2021, arXiv 2011.13456, eq. 29)."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from rheos.core.method import Method


class Schedule(Method, ABC):
    """How much signal and how much noise there is at model time t.

    All functions take and return float64 tensors on the CPU, of any shape, elementwise. At t = 0 data is
    clean: alpha = 1 and sigma = 0 exactly. `t_min` and `t_max` bound the times of grids and training.
    """

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """Factor of the signal."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """Factor of the noise."""

    @abstractmethod
    def d_alpha(self, t: Tensor) -> Tensor:
        """Derivative of alpha in t."""

    @abstractmethod
    def d_sigma(self, t: Tensor) -> Tensor:
        """Derivative of sigma in t; +inf at t = 0 where sigma starts like a square root."""

    @abstractmethod
    def time_at(self, log_snr: Tensor) -> Tensor:
        """The time of a log signal-to-noise ratio: inverse of :meth:`log_snr` on [0, 1]."""

    @property
    @abstractmethod
    def t_min(self) -> float:
        """Smallest time a network is asked about."""

    @property
    @abstractmethod
    def t_max(self) -> float:
        """Largest time, where generation starts."""

    @property
    def monotone(self) -> bool:
        """Whether log_snr falls strictly with t."""
        return True

    def log_snr(self, t: Tensor) -> Tensor:
        """log(alpha^2 / sigma^2): +inf at t = 0, -inf where alpha is 0."""
        return 2.0 * (torch.log(self.alpha(t)) - torch.log(self.sigma(t)))
