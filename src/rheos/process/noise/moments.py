"""What noises share: the standard normal density, and the correlation that rows of data have."""

import math

import torch
from torch import Tensor


def standard_log_prob(w: Tensor) -> Tensor:
    """-(|w|^2 + n log 2 pi) / 2 of each row `(b, ...)`: `(b,)`."""
    flat = w.flatten(1)
    return -0.5 * (flat.square().sum(1) + flat.shape[1] * math.log(2.0 * math.pi))


def correlation_of(rows: Tensor) -> Tensor:
    """The correlation of columns, float64 `(k, k)`, never negative along any direction.

    Args:
        rows: `(n, k)`, NaN missing; columns count with their mean, which is that of errors.
    """
    rows = rows.detach().to("cpu", torch.float64)
    seen = rows.isfinite().to(torch.float64)
    values = torch.nan_to_num(rows)
    both = (seen.T @ seen).clamp(min=1.0)
    covariance = values.T @ values / both
    root = covariance.diagonal().clamp(min=1e-12).sqrt()
    # Columns that were seen in different rows may not go together.
    size, modes = torch.linalg.eigh(covariance / (root[:, None] * root))
    whole = modes * size.clamp(min=0.0) @ modes.T
    root = whole.diagonal().clamp(min=1e-12).sqrt()
    return whole / (root[:, None] * root)
