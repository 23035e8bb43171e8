"""Named processes of a recipe: a few words that build a :class:`Process`."""

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from rheos.core.keys import Key
from rheos.core.method import Method, one_of
from rheos.process.coordinates import Anchored, Bridge, Coordinates, FrameMixing, GaussianProcess, Identity
from rheos.process.coordinates.gaussian_process import AnyPrior
from rheos.process.noise import NOISES, Noise, OrnsteinUhlenbeck, StudentT, White
from rheos.process.process import Process
from rheos.process.schedule import (
    EDM,
    SCHEDULES,
    CondOT,
    Cosine,
    CosineRate,
    Follmer,
    Interpolant,
    KineticOptimal,
    Schedule,
    SubVP,
    VarianceExploding,
)

AnySchedule: Any = one_of(SCHEDULES)
AnyNoise: Any = one_of(NOISES)


class ProcessRecipe(Method, ABC):
    """A named choice of schedule and coordinates.

    Attributes:
        history: "clean" keeps history frames at t = 0; "diffused" treats them like the future.
        noise: law of z, where generation starts.
        history_noise: q, sigma / alpha at which clean history is shown when forecasting, 0.05 to 0.1 where
            members continue from frames that are a little wrong; at most `objective.history_noise`.
    """

    history: Literal["clean", "diffused"] = "clean"
    noise: AnyNoise = White()
    history_noise: float = Field(default=0.0, ge=0.0, le=10.0)

    @abstractmethod
    def build(self, anchored: bool = False) -> Process:
        """The process; with `anchored`, canonical clips are deviations from the context's anchor."""

    def estimate(self, u0: Tensor, key: Key, known: int = 0) -> "ProcessRecipe":
        """The recipe with what it takes from data filled in: itself, where it takes nothing.

        Args:
            u0: canonical training clips `(n, f, *features)`, a few hundred, NaN missing.
            key: one row.
            known: how many frames are history.
        """
        return self._with("noise", self.noise.learned(u0, known))

    def _with(self, name: str, found: Noise) -> "ProcessRecipe":
        """The recipe with a noise that took from data what it takes."""
        return self if found == getattr(self, name) else self.model_copy(update={name: found})

    def _process(self, schedule: Schedule, coordinates: Coordinates, anchored: bool) -> Process:
        whole = Anchored() * coordinates if anchored else coordinates
        return Process(schedule, whole, self.noise, self.history, self.history_noise)


class DyDiff(ProcessRecipe):
    """Dynamical Diffusion: frames mixed with those before them (arXiv 2503.00951).

    x_t = M_t (alpha x_0 + sigma z), (M x)_0 = x_0, (M x)_k = sqrt(g) x_k + sqrt(1 - g) (M x)_{k-1}, g from 1
    to floor.

    Attributes:
        floor: what is left of a frame's own signal at t = 1, squared; 1 is plain diffusion.
        schedule: signal and noise; the published one is the cosine.
    """

    kind: Literal["dydiff"] = "dydiff"
    floor: float = Field(default=0.5, gt=0.0, le=1.0)
    schedule: AnySchedule = Cosine()

    def build(self, anchored: bool = False) -> Process:
        """Frame mixing, inside the anchor's shift where there is one."""
        return self._process(self.schedule, FrameMixing(floor=self.floor), anchored)


class Plain(ProcessRecipe):
    """Plain diffusion or flow with any schedule.

    x_t = alpha x_0 + sigma z.

    Ho et al. 2020, arXiv 2006.11239; Song et al. 2021, arXiv 2011.13456; flows, Lipman et al. 2022,
    arXiv 2210.02747.

    Attributes:
        schedule: signal and noise.
    """

    kind: Literal["plain"] = "plain"
    schedule: AnySchedule = Cosine()

    def build(self, anchored: bool = False) -> Process:
        """The schedule in plain coordinates."""
        return self._process(self.schedule, Identity(), anchored)


class RectifiedFlow(ProcessRecipe):
    """Straight paths between data and noise (arXiv 2209.03003).

    x_t = (1 - t) x_0 + t z.
    """

    kind: Literal["rectified_flow"] = "rectified_flow"

    def build(self, anchored: bool = False) -> Process:
        """The conditional optimal transport schedule in plain coordinates."""
        return self._process(CondOT(), Identity(), anchored)


class Elucidated(ProcessRecipe):
    """Variance exploding diffusion as Karras et al. 2022 lay it out (arXiv 2206.00364).

    x_t = x_0 + sigma_max t^rho z.

    Attributes:
        schedule: range and power of the noise.
    """

    kind: Literal["edm"] = "edm"
    schedule: EDM = EDM()

    def build(self, anchored: bool = False) -> Process:
        """The EDM schedule in plain coordinates."""
        return self._process(self.schedule, Identity(), anchored)


class Exploding(ProcessRecipe):
    """Variance exploding diffusion, noise growing geometrically (Song et al., arXiv 2011.13456).

    x_t = x_0 + s0 sqrt((s1/s0)^(2t) - 1) z.

    Attributes:
        schedule: range of the noise.
    """

    kind: Literal["variance_exploding"] = "variance_exploding"
    schedule: VarianceExploding = VarianceExploding()

    def build(self, anchored: bool = False) -> Process:
        """The variance exploding schedule in plain coordinates."""
        return self._process(self.schedule, Identity(), anchored)


class SubPreserving(ProcessRecipe):
    """Sub-variance preserving diffusion, made for likelihoods (Song et al., arXiv 2011.13456).

    x_t = exp(-q/2) x_0 + (1 - exp(-q)) z, q(t) the integral of beta.

    Attributes:
        schedule: rates of forgetting.
    """

    kind: Literal["sub_vp"] = "sub_vp"
    schedule: SubVP = SubVP()

    def build(self, anchored: bool = False) -> Process:
        """The sub-variance preserving schedule in plain coordinates."""
        return self._process(self.schedule, Identity(), anchored)


class LeastEnergy(ProcessRecipe):
    """Flow along the path of least kinetic energy for the data at hand (arXiv 2306.06626).

    x_t = R cos(eta) x_0 + s R sin(eta) z, R and eta by how far the data are from Gaussian, s their deviation.

    Attributes:
        schedule: the path; estimated from the training data where left as it is.
    """

    kind: Literal["kinetic_optimal"] = "kinetic_optimal"
    schedule: KineticOptimal = KineticOptimal()

    def estimate(self, u0: Tensor, key: Key, known: int = 0) -> ProcessRecipe:
        """The path of these clips, unless one was given."""
        own = super().estimate(u0, key, known)
        if self.schedule != KineticOptimal():
            return own
        return own.model_copy(update={"schedule": KineticOptimal.of(torch.nan_to_num(u0), key)})

    def build(self, anchored: bool = False) -> Process:
        """The estimated path in plain coordinates; straight lines before any estimate."""
        return self._process(self.schedule, Identity(), anchored)


class GaussianProcessPrior(ProcessRecipe):
    """Flow that starts from a Gaussian process given the history (TSFlow, arXiv 2410.03024).

    x_t = alpha x_0 + sigma L z, L L^T = K along frames.

    Attributes:
        prior: correlation of the process along frames.
        schedule: signal and noise; the published one is straight.
    """

    kind: Literal["gaussian_process"] = "gaussian_process"
    prior: AnyPrior = OrnsteinUhlenbeck()
    schedule: AnySchedule = CondOT()

    def estimate(self, u0: Tensor, key: Key, known: int = 0) -> ProcessRecipe:
        """The prior, too, takes what it takes from these clips."""
        own = super().estimate(u0, key, known)
        return own._with("prior", self.prior.learned(u0, known))

    def build(self, anchored: bool = False) -> Process:
        """Whitened along frames, inside the anchor's shift where there is one."""
        return self._process(self.schedule, GaussianProcess(prior=self.prior), anchored)


class MeanReverting(ProcessRecipe):
    """Diffusion that falls back to the anchor, and starts from it (IR-SDE, arXiv 2301.11699).

    x_t = mu + alpha (x_0 - mu) + sigma s z, mu and s the anchor and its scale: dx = theta (mu - x) dt + s
    sqrt(2 theta) dw.

    Attributes:
        schedule: signal and noise; the published reversion rate rises like a squared sine.
    """

    kind: Literal["mean_reverting"] = "mean_reverting"
    schedule: AnySchedule = CosineRate()

    def build(self, anchored: bool = False) -> Process:
        """Deviations from the context's anchor, which this process always needs."""
        return self._process(self.schedule, Anchored(), anchored=False)


class PoissonFlow(ProcessRecipe):
    """PFGM++: heavy-tailed noise from an electric field in extra dimensions (arXiv 2302.04265).

    x_t = x_0 + sigma_max t^rho w sqrt(D / q), w ~ N(0, I), q ~ chi^2_D, one q a clip.

    Attributes:
        schedule: range and power of the noise, EDM's.
        noise: how many extra dimensions.
    """

    kind: Literal["pfgmpp"] = "pfgmpp"
    schedule: EDM = EDM()
    noise: StudentT = StudentT()

    def build(self, anchored: bool = False) -> Process:
        """The EDM schedule with Student-t noise in plain coordinates."""
        return self._process(self.schedule, Identity(), anchored)


class FollmerForecaster(ProcessRecipe):
    """Bridge from the state that is known, the anchor, to those to come (arXiv 2403.13724).

    x_t = (1 - t)^2 x_0 + t anchor + spread t sqrt(1 - t) z.

    Attributes:
        schedule: how much the bridge spreads on the way.
    """

    kind: Literal["follmer"] = "follmer"
    schedule: Follmer = Follmer()

    def build(self, anchored: bool = False) -> Process:
        """A bridge from the context's anchor, which this process always needs; its scale is not used."""
        return self._process(self.schedule, Bridge(), anchored=False)


class StochasticInterpolant(ProcessRecipe):
    """Straight lines from the anchor to the data, under noise on the way (arXiv 2303.08797).

    x_t = w anchor + (1 - w) x_0 + sqrt(start^2 w^2 + latent^2 w (1 - w)) scale z, w = sin^2(pi t / 2).

    Attributes:
        schedule: how much the start spreads about the anchor, and how much noise is on the way.
    """

    kind: Literal["interpolant"] = "interpolant"
    schedule: Interpolant = Interpolant()

    def build(self, anchored: bool = False) -> Process:
        """Deviations from the context's anchor, the start, which this process always needs."""
        return self._process(self.schedule, Anchored(), anchored=False)


PROCESSES: tuple[type[ProcessRecipe], ...] = (
    DyDiff,
    Plain,
    RectifiedFlow,
    LeastEnergy,
    Elucidated,
    Exploding,
    SubPreserving,
    PoissonFlow,
    MeanReverting,
    GaussianProcessPrior,
    FollmerForecaster,
    StochasticInterpolant,
)
