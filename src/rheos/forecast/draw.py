"""From windows to ensembles: the one place where a model's network is sampled and its answer decoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.data.codec.base import State
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch
from rheos.denoise import BridgeDenoiser, Denoiser, EndsDenoiser, TokenDenoiser
from rheos.forecast.alone import Alone
from rheos.forecast.given import with_given
from rheos.forecast.kinds import Sampler
from rheos.forecast.model import FittedModel
from rheos.sample.preset import Preset
from rheos.sample.sample import Sample, as_given, sample, warnings_of
from rheos.sample.transport import transport
from rheos.sample.transport_preset import AtOnce, Transport
from rheos.sample.unmasking import Unmasking, sample_tokens


class Broken(NamedTuple):
    """What the limits of a model changed: shares of values, and how far sums were missed."""

    outside: np.ndarray
    off: np.ndarray


@dataclass(frozen=True, slots=True)
class Drawn:
    """Members of one or several windows.

    Attributes:
        values: `(rows, S, *features)` float32 in raw units, inside the model's limits, NaN where nothing
            is ever observed.
        broken: by name how often or how far the values broke the model's limits, `outside` `(channel,)` and
            `off` `(sum,)`.
        evaluations: network calls.
        warnings: of the sampler.
    """

    values: np.ndarray
    broken: Broken
    evaluations: int
    warnings: tuple[str, ...]


def draw(
    model: FittedModel,
    batch: WindowBatch,
    key: Key,
    preset: Sampler,
    device: str = "cpu",
    known: np.ndarray | None = None,
    alone: Alone | None = None,
) -> Drawn:
    """Draw the futures of some windows, uncalibrated.

    Args:
        model: the fitted model.
        batch: b windows.
        key: one row a member; the members of a window follow each other, alike many for all.
        preset: solver, grid and evaluations, or the sampler of what the model draws.
        device: where the network is.
        known: what is given of the futures, `(S, *features)` raw units, NaN where it is drawn.
        alone: the variables to draw, NaN being all that is said of the others; None: all.

    Raises:
        InputError: what is given has no code.
    """
    clip, context = model.context(batch)
    if known is not None:
        context = with_given(model, clip, context, batch.state, known)
    if alone is not None:
        context = alone.within(context, clip.shape[1])
    members = len(key) // len(batch)
    context = context if members == 1 else context.repeat(members)
    drawn = _clips(model, (len(key), *clip.shape[1:]), key, context, preset, device)
    state = {name: np.repeat(value, members, axis=0) for name, value in batch.state.items()}
    expected = model.expected(batch)
    if expected.ndim == clip.ndim:
        expected = np.repeat(expected, members, axis=0)
    raw = decoded(model, drawn.clips[:, model.recipe.history :], state, expected)
    broken = Broken(model.bounds.outside(raw), model.sums.off(raw))
    values = model.project(raw)
    if known is not None:
        values = np.where(np.isfinite(known), known, values).astype(values.dtype)
    return Drawn(values, broken, drawn.evaluations, drawn.warnings)


def _clips(
    model: FittedModel,
    shape: tuple[int, ...],
    key: Key,
    context: Context,
    preset: Sampler,
    device: str,
) -> Sample:
    """Clips of numbers or tokens, as the model's are.

    Raises:
        IncompatibleError: the preset is of another kind.
    """
    denoiser = model.denoiser
    if isinstance(denoiser, TokenDenoiser) and isinstance(preset, Unmasking):
        return sample_tokens(
            denoiser,
            shape,
            key=key,
            context=context,
            sampler=preset,
            energy=model.correction,
            device=device,
        )
    if isinstance(denoiser, EndsDenoiser) and isinstance(preset, Transport):
        context = context.to(device)
        start = denoiser.start(key, context, torch.empty(0, device=device))
        return transport(denoiser, start, key=key, context=context, steps=preset.steps)
    if isinstance(denoiser, BridgeDenoiser) and isinstance(preset, AtOnce):
        with torch.no_grad():
            context = context.to(device)
            clips = denoiser.draw(context, key, torch.zeros(shape, device=device))
        warnings = warnings_of(clips)
        return Sample(as_given(clips, context), evaluations=preset.evaluations, warnings=warnings)
    if not isinstance(preset, Preset) or not isinstance(denoiser, Denoiser):
        raise IncompatibleError(
            f"{preset.name()!r} cannot sample a model of the {model.recipe.process.kind!r} process: tokens, "
            "and what goes between two laws, have samplers of their own."
        )
    return sample(denoiser, shape, key=key, context=context, preset=preset, device=device)


def decoded(model: FittedModel, clips: Tensor, state: State, expected: np.ndarray) -> np.ndarray:
    """Frames `(rows, f, *features)` in raw units, NaN where nothing is expected; no limit is minded."""
    coded = clips.cpu().numpy().astype(np.float64)
    raw = np.where(expected, model.codec.decode(coded, state), np.nan).astype(np.float32)
    return model.circle.lowered(raw)


def anchored(model: FittedModel, batch: WindowBatch) -> np.ndarray:
    """What the anchor forecasts, `(b, S, *features)` in raw units, inside the model's limits."""
    center = model.anchor(batch)[0][:, model.recipe.history :]
    return model.project(decoded(model, torch.from_numpy(center), batch.state, model.expected(batch)))


def ensembles(
    model: FittedModel,
    source: WindowSource,
    indices: np.ndarray,
    members: int,
    preset: Sampler,
    purpose: str,
    device: str = "cpu",
) -> Iterator[tuple[WindowBatch, np.ndarray, Broken]]:
    """Small ensembles of held-out windows, several windows a network call.

    Args:
        model: the model, its training perhaps not finished.
        source: windows of the training span.
        indices: which of them.
        members: of each ensemble.
        preset: solver, grid and evaluations.
        purpose: tells the random numbers of different uses apart.
        device: where the network is.

    Yields:
        Windows, their members `(windows, members, S, *features)` in raw units, and how they broke the
        model's limits before they were moved inside.
    """
    together = max(1, 2 * model.recipe.block // members)
    for start in range(0, len(indices), together):
        part = indices[start : start + together]
        key = Key.cat([Key.of(model.recipe.seed, members, purpose, str(int(i))) for i in part])
        batch = source.batch(part)
        drawn = draw(model, batch, key, preset, device)
        yield batch, drawn.values.reshape(len(part), members, *drawn.values.shape[1:]), drawn.broken
