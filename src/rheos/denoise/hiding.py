"""What training hides of a clip of tokens: n of the N present ones of its future, n uniform, any n alike.

The law of the masked diffusion bound without its schedule (Zheng et al. 2024, arXiv 2409.02908).
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rheos.core.context import Context
from rheos.core.keys import Key, Purpose
from rheos.denoise.time_sampler.base import stratified
from rheos.process.masked import MASK, Masked


def hide(
    process: Masked, x0: Float[Tensor, "b f *features"], context: Context, key: Key
) -> tuple[Int64[Tensor, "b f *features"], Bool[Tensor, "b f *features"]]:
    """The tokens of clips, and which of them are hidden: at least one of a clip that has any future.

    Args:
        process: what the tokens are.
        x0: clips of tokens as numbers; missing entries, by `context.mask`, may hold anything.
        context: of the clips.
        key: of the clips (its step tells training steps apart).

    Raises:
        InputError: the clips hold what is no token.
    """
    tokens = process.canonical(x0, context)
    wanted = tokens != MASK
    wanted[:, : context.history_frames] = False
    w = key.at(Purpose.NOISE, key.step).uniform(x0.shape[1:], x0.device)
    return tokens, share_of(wanted, w, stratified(len(x0), key).to(x0.device))


def share_of(wanted: Tensor, w: Tensor, share: Tensor) -> Tensor:
    """The ceil(share N) of the N wanted tokens of each clip that have the largest numbers `w`.

    Args:
        wanted: bool `(b, f, *features)`.
        w: in (0, 1), one a token, `(b, f, *features)`.
        share: in (0, 1), `(b,)`.
    """
    flat = torch.where(wanted, w, -1.0).flatten(1)
    place = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    count = torch.ceil(share * wanted.flatten(1).sum(1))
    return (place < count[:, None]).reshape(wanted.shape)


def log_p_of(law: Tensor, tokens: Tensor, among: Tensor) -> Float[Tensor, " b"]:
    """Sum of log p, or of any numbers, at the values of some tokens of each clip.

    Args:
        law: a number of every value of every token, `(b, f, *features, K)`.
        tokens: `(b, f, *features)`.
        among: which of them count, bool, none of them hidden.
    """
    own = law.gather(-1, (tokens - MASK - 1).clamp(min=0)[..., None])[..., 0]
    return torch.where(among, own, 0.0).flatten(1).sum(1)
