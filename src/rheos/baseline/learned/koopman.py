"""z_{k+1} = z_k A: the linear map that steps of latent sequences follow best, and what its eigenvalues cost.

A = argmin |Z_past A - Z_next|^2 = pinv(Z_past) Z_next over all steps of a batch; what is left is the loss
of sequences that are to follow one map. Koopman VAE: Naiman, Erichson, Ren, Mahoney, Azencot 2024, arXiv
2310.02619.
"""

import torch
from torch import Tensor

_APART = 1e-6  # eigenvalues that coincide have no gradient of their own


def linear_map(latents: Tensor) -> tuple[Tensor, Tensor]:
    """The best map of a batch of sequences and its mean squared error, both differentiable.

    Args:
        latents: `(b, T, d)`; a map is told from fewer than d steps only if they follow one.

    Returns:
        A `(d, d)` and the error `()`; the identity and 0 where there is no step.
    """
    width = latents.shape[2]
    if latents.shape[1] < 2:
        return torch.eye(width, dtype=latents.dtype), latents.new_zeros(())
    past, following = latents[:, :-1].reshape(-1, width), latents[:, 1:].reshape(-1, width)
    matrix = torch.linalg.pinv(past) @ following
    return matrix, (past @ matrix - following).square().mean()


def moduli(matrix: Tensor) -> Tensor:
    """Absolute values of the eigenvalues, the largest first."""
    apart = torch.diag(_APART * torch.linspace(-1.0, 1.0, len(matrix), dtype=matrix.dtype))
    return torch.linalg.eigvals(matrix + apart).abs().sort(descending=True).values


def oscillation(matrix: Tensor, count: int) -> Tensor:
    """sum (|l| - 1)^2 over the `count` largest eigenvalues: 0 where these neither grow nor fade."""
    return (moduli(matrix)[:count] - 1.0).square().sum()


def growth(matrix: Tensor) -> Tensor:
    """sum max(|l| - 1, 0)^2: 0 where nothing grows."""
    return (moduli(matrix) - 1.0).clamp(min=0.0).square().sum()


def divergence(mean: Tensor, log_scale: Tensor, prior_mean: Tensor, prior_log_scale: Tensor) -> Tensor:
    """KL(N(mean, scale^2) | N(prior)) of every number, scales given by their logarithms."""
    ratio = 2.0 * (log_scale - prior_log_scale)
    off = (mean - prior_mean).square() * torch.exp(-2.0 * prior_log_scale)
    return 0.5 * (torch.exp(ratio) + off - 1.0 - ratio)
