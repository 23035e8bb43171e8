"""Named processes of a recipe: a few words that build a :class:`Process`."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from pydantic import Field
from torch import Tensor

from rheos.core.keys import Key
from rheos.core.method import Method, one_of
from rheos.process.coordinates import Anchored, Bridge, Coordinates, FrameMixing, GaussianProcess, Identity
from rheos.process.coordinates.gaussian_process import AnyPrior
from rheos.process.noise import NOISES, OrnsteinUhlenbeck, StudentT, White
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

    def estimate(self, u0: Tensor, key: Key) -> "ProcessRecipe":
        """The recipe with what it takes from data filled in: itself, where it takes nothing.

        Args:
            u0: canonical training clips `(n, f, *features)`, a few hundred.
            key: one row.
        """
        return self

    def _process(self, schedule: Schedule, coordinates: Coordinates, anchored: bool) -> Process:
        whole = Anchored() * coordinates if anchored else coordinates
        return Process(schedule, whole, self.noise, self.history, self.history_noise)


class DyDiff(ProcessRecipe):
    """Dynamical Diffusion: frames mixed with those before them (arXiv 2503.00951).

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

    Attributes:
        schedule: signal and noise.
    """

    kind: Literal["plain"] = "plain"
    schedule: AnySchedule = Cosine()

    def build(self, anchored: bool = False) -> Process:
        """The schedule in plain coordinates."""
        return self._process(self.schedule, Identity(), anchored)


class RectifiedFlow(ProcessRecipe):
    """Straight paths between data and noise (arXiv 2209.03003)."""

    kind: Literal["rectified_flow"] = "rectified_flow"

    def build(self, anchored: bool = False) -> Process:
        """The conditional optimal transport schedule in plain coordinates."""
        return self._process(CondOT(), Identity(), anchored)


class Elucidated(ProcessRecipe):
    """Variance exploding diffusion as Karras et al. 2022 lay it out (arXiv 2206.00364).

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

    Attributes:
        schedule: the path; estimated from the training data where left as it is.
    """

    kind: Literal["kinetic_optimal"] = "kinetic_optimal"
    schedule: KineticOptimal = KineticOptimal()

    def estimate(self, u0: Tensor, key: Key) -> "LeastEnergy":
        """The path of these clips, unless one was given."""
        if self.schedule != KineticOptimal():
            return self
        return self.model_copy(update={"schedule": KineticOptimal.of(u0, key)})

    def build(self, anchored: bool = False) -> Process:
        """The estimated path in plain coordinates; straight lines before any estimate."""
        return self._process(self.schedule, Identity(), anchored)


class GaussianProcessPrior(ProcessRecipe):
    """Flow that starts from a Gaussian process given the history (TSFlow, arXiv 2410.03024).

    Attributes:
        prior: correlation of the process along frames.
        schedule: signal and noise; the published one is straight.
    """

    kind: Literal["gaussian_process"] = "gaussian_process"
    prior: AnyPrior = OrnsteinUhlenbeck()
    schedule: AnySchedule = CondOT()

    def build(self, anchored: bool = False) -> Process:
        """Whitened along frames, inside the anchor's shift where there is one."""
        return self._process(self.schedule, GaussianProcess(prior=self.prior), anchored)


class MeanReverting(ProcessRecipe):
    """Diffusion that falls back to the anchor, and starts from it (IR-SDE, arXiv 2301.11699).

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
