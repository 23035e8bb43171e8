"""What the multistep families share: how far they look back, how much noise they draw, and their order."""

from pydantic import Field

from rheos.sample.solver.solver import Solver


class Multistep(Solver):
    """Steps that also look back at earlier answers.

    Attributes:
        order: how many answers the interpolant goes through.
        eta: noise level, 0 for the ordinary differential equation, 1 for the usual reverse diffusion.
    """

    order: int
    eta: float = Field(0.0, ge=0)

    @property
    def declared_order(self) -> int:
        """`order`; at most 2 with noise, which past answers do not foresee."""
        return min(self.order, 2) if self.eta > 0 else self.order

    @property
    def stochastic(self) -> bool:
        """Where eta > 0."""
        return self.eta > 0
