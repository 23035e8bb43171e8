"""v = number of cumulated probabilities that are at most w times their sum, w uniform in (0, 1).

Inversion in float64, not the maximum of log p plus Gumbel noise: in float32 its uniforms end at 6e-8, which
lowers the temperature of every law drawn from (Zheng et al. 2024, arXiv 2409.02908). One number a token, and
nothing of probability 0 is ever drawn.
"""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor


def categorical(log_p: Float[Tensor, "*shape K"], w: Float64[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
    """The value, 0 to K - 1, that each uniform number stands for.

    Args:
        log_p: logarithms of probabilities, up to a constant a row; not all -inf.
        w: in (0, 1).
    """
    log_p = log_p.to(torch.float64)
    share = torch.exp(log_p - log_p.amax(-1, keepdim=True)).cumsum(-1)
    return (share <= w[..., None] * share[..., -1:]).sum(-1)
