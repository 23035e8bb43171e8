"""p(x_b | x_a) = v(x_b) exp(<x_a, x_b>) / c(x_a), v = sum_k a_k N(r_k, S_k): the plan of a light bridge.

The light Schroedinger bridge of Korotin, Gushchin, Burnaev 2024, arXiv 2310.01174, in units of its entropy,

    x_b | x_a ~ sum_k w_k N(r_k + S_k x_a, S_k),   w_k ~ a_k exp((x_a' S_k x_a + 2 r_k' x_a) / 2),

S_k a diagonal and a matrix of low rank. Where :class:`~rheos.denoise.light_bridge.LightBridge` joins two sets
of clips without pairs, a recipe has pairs of a history and what came: a network learns which start x_a a
history stands for, by the plan's likelihood. So forecasts are exact where the history tilts one law of the
future, log p(x_b | h) = <x_a(h), x_b> + f(x_b) + g(h), as it does where both are Gaussian; what it does
beyond, such as changing their covariance, is told by the weights of more components. The start as a network's
answer is Rheos' own.
"""

from typing import Literal

from pydantic import Field

from rheos.core.method import Method


class BridgePlan(Method):
    """Entropic transport from a start that a network reads off the history, in one call and without steps.

    Attributes:
        components: of the mixture v.
        rank: of the part of each S_k that joins entries, most that is used; 0: diagonals alone.
    """

    kind: Literal["light_bridge"] = "light_bridge"
    components: int = Field(default=4, ge=1, le=64)
    rank: int = Field(default=16, ge=0, le=256)
