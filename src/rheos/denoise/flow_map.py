"""u_s = A u_t + (alpha_s - A alpha_t) X(u_t, t, s), A = sigma_s / sigma_t: the flow from t to s in one call.

X is the mean of the denoiser's answers along the flow with which Euler's step is exact,

    X(u_t, t, s) = int_t^s D(u_r, r) dR_r / (R_s - R_t),   R = alpha / sigma,

so X(u_t, t, t) = D(u_t, t), an ordinary denoiser, and X(u_t, t, 0) is the clip at the flow's end. On the
linear path (u_t - X) / t is the average velocity of MeanFlow (Geng, Deng, Bai, Kolter, He 2025, arXiv
2505.13447); on any other schedule it is that of u / (alpha + sigma) in the time sigma / (alpha + sigma).
"""

from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.euler import euler
from rheos.denoise.prediction import Prediction
from rheos.denoise.row import levels_at
from rheos.process.process import Process


class FlowMap(Denoiser):
    """A denoiser whose network is also told where a step ends; implements the Carries protocol.

    Called as a denoiser it answers for a step that ends where it starts, so solvers, guidance and exact
    checks take it for one.
    """

    def __init__(
        self,
        network: nn.Module,
        process: Process,
        prediction: Prediction = "preconditioned",
        sigma_data: float = 1.0,
    ) -> None:
        """Wrap a network called as `module(x, level, context, until)`, `until` like the level.

        Args:
            network: also called without `until`, where that is the level itself; declares `two_levels`.
            process: any with a schedule.
            prediction: what the network's output means.
            sigma_data: standard deviation of canonical data.

        Raises:
            IncompatibleError: the network knows one level, noise does not rise with the schedule's time, or
                as for a denoiser.
        """
        super().__init__(network, process, prediction, sigma_data)
        if not getattr(network, "two_levels", False):
            raise IncompatibleError(
                f"a flow map tells its network where a step ends, but {type(network).__name__} is told one "
                "level: build it with Shapes(two_levels=True), or let it declare two_levels and take until."
            )
        if not process.schedule.monotone:
            raise IncompatibleError(
                f"a flow map tells times apart by their noise, which on schedule {process.schedule.name()!r} "
                "comes twice: use one on which it only rises."
            )

    def mean(
        self, u: Float[Tensor, "b f *features"], t: Tensor, s: Tensor, context: Context
    ) -> Float[Tensor, "b f *features"]:
        """X(u_t, t, s); clean entries come back as they are.

        Args:
            u: canonical clip u_t.
            t: its time field, float64 on the CPU.
            s: time field where the step ends, nowhere above `t`.
            context: what else is known.
        """
        (until,) = levels_at(self.process.schedule, s[None], u, self.by_channel)
        return self.answer(u, self.row(t, u), context, partial(self.network, until=until))

    def carry(
        self, u: Float[Tensor, "b f *features"], t: Tensor, s: Tensor, context: Context
    ) -> Float[Tensor, "b f *features"]:
        """The canonical clip u_s that the flow through u_t passes at `s`; arguments as for :meth:`mean`."""
        return euler(self.process.schedule, t, s, u, self.mean(u, t, s, context))
