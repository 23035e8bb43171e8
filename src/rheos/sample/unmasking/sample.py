"""Hidden tokens become values: one call for any denoiser of tokens and any order of telling."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from rheos.core.categorical import categorical
from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import DenoiseTokens
from rheos.process.masked import MASK, Masked
from rheos.sample.sample import Sample, device_of, require_rows, with_history
from rheos.sample.unmasking.energy import EnergyCorrection
from rheos.sample.unmasking.first_hitting import FirstHitting
from rheos.sample.unmasking.sampler import Unmasking


def sample_tokens(
    denoise: DenoiseTokens,
    shape: Sequence[int],
    *,
    key: Key,
    process: Masked | None = None,
    context: Context | None = None,
    sampler: Unmasking | None = None,
    energy: EnergyCorrection | None = None,
    device: torch.device | str | None = None,
) -> Sample:
    """Draw clips of tokens.

    Two uniform numbers a token say when it is told and what: the same row of the key gives the same clip
    whatever the others are, and samplers that tell tokens in the same order give the same clip.

    Args:
        denoise: a `TokenDenoiser`, an exact oracle, or what answers like one.
        shape: `(b, f, *features)`; rows are independent of each other.
        key: one row a clip.
        process: may be left out where `denoise` has it as `.process`.
        context: what is known of the clips, `b` rows; history is given, and its missing entries stay hidden.
        sampler: the order of telling, by default one token a call, which is exact.
        energy: corrects what tokens told by one call do not know of each other.
        device: of the clips, by default that of the denoiser's parameters.

    Returns:
        The tokens as float32 numbers, NaN where missing by the context's mask; history exactly as given.

    Raises:
        IncompatibleError: the process has no tokens.
        InputError: rows of key and shape disagree, or the history holds what is no token.
    """
    known = getattr(denoise, "process", None) if process is None else process
    if not isinstance(known, Masked):
        raise IncompatibleError(
            f"process {getattr(known, 'kind', known)!r} has no tokens to tell: use rheos.sample.sample, or "
            "the process rheos.process.Masked."
        )
    require_rows(key, shape)
    place = device_of(denoise) if device is None else torch.device(device)
    given, key = (context or Context()).to(place), key.to(place)
    sampler = FirstHitting() if sampler is None else sampler
    with torch.no_grad():
        tokens = known.start(given, shape, place)
        hidden = _wanted(tokens, given)
        when = key.at(Purpose.START).uniform(shape[1:], place)
        what = key.at(Purpose.STEP).uniform(shape[1:], place)
        rounds = sampler.rounds(known, when.flatten(1), hidden.flatten(1)).reshape(hidden.shape)
        calls = 0
        for number in rounds[hidden].unique().tolist():
            law = denoise(tokens, given)
            if energy is None:
                drawn = MASK + 1 + categorical(law, what)
            else:
                left = hidden & (tokens == MASK)
                # Step 0 of the stream has told what is drawn without correction.
                drawn = energy.draw(law, tokens, left, given, replace(key, step=1 + number))
            tokens = torch.where(rounds == number, drawn, tokens)
            calls += 1
    clips = torch.where(tokens == MASK, torch.nan, tokens.to(torch.float32))
    return Sample(clips=with_history(clips, given), evaluations=calls)


def _wanted(tokens: Tensor, context: Context) -> Tensor:
    """The entries to be told: of the future, and not missing by the mask."""
    wanted = torch.ones_like(tokens, dtype=torch.bool)
    wanted[:, : context.history_frames] = False
    return wanted if context.mask is None else wanted & (context.mask > 0)
