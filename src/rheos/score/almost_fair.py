"""Almost fair CRPS, a training loss: mean_m |X_m - y| - (1 - (1 - a)/M) sum_mn |X_m - X_n| / (2 M (M - 1)).

Lang et al., "AIFS-CRPS", arXiv 2412.15832: a = 1 is the fair CRPS, which for few members can be lowered
by one member running away while another sits on the truth; a slightly below 1 forbids it.
"""

import torch
from torch import Tensor


def almost_fair_crps(ensemble: Tensor, truth: Tensor, a: float = 0.95) -> Tensor:
    """Differentiable CRPS of every entry.

    Args:
        ensemble: `(member, *shape)`.
        truth: `(*shape)`, finite.
        a: 1 fair, 0 plain.

    Returns:
        `(*shape)`.
    """
    m = len(ensemble)
    error = (ensemble - truth).abs().mean(0)
    if m == 1:
        return error
    rank = torch.arange(1 - m, m, 2, dtype=ensemble.dtype, device=ensemble.device)
    # sum_mn |X_m - X_n| = 2 sum_i (2 i - M - 1) X_(i)
    half_pairs = torch.tensordot(rank, ensemble.sort(0).values, dims=1)
    return error - (1 - (1 - a) / m) / (m * (m - 1)) * half_pairs
