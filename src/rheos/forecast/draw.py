"""From windows to ensembles: the one place where a model's network is sampled and its answer decoded."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rheos.core.keys import Key
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch
from rheos.forecast.model import FittedModel
from rheos.sample.preset import Preset
from rheos.sample.sample import sample


@dataclass(frozen=True, slots=True)
class Drawn:
    """Members of one or several windows.

    Attributes:
        values: `(rows, S, *features)` float32 in raw units, inside the model's bounds, NaN where nothing
            is ever observed.
        outside: `(channel,)` share of values that the bounds changed.
        evaluations: network calls.
        warnings: of the sampler.
    """

    values: np.ndarray
    outside: np.ndarray
    evaluations: int
    warnings: tuple[str, ...]


def draw(model: FittedModel, batch: WindowBatch, key: Key, preset: Preset, device: str = "cpu") -> Drawn:
    """Draw the futures of some windows, uncalibrated.

    Args:
        model: the fitted model.
        batch: b windows.
        key: one row a member; the members of a window follow each other, alike many for all.
        preset: solver, grid and evaluations.
        device: where the network is.
    """
    clip, context = model.context(batch)
    members = len(key) // len(batch)
    drawn = sample(
        model.denoiser,
        (len(key), *clip.shape[1:]),
        key=key,
        context=context if members == 1 else context.repeat(members),
        preset=preset,
        device=device,
    )
    coded = drawn.clips[:, model.recipe.history :].cpu().numpy().astype(np.float64)
    state = {name: np.repeat(value, members, axis=0) for name, value in batch.state.items()}
    raw = np.where(model.exists, model.codec.decode(coded, state), np.nan).astype(np.float32)
    return Drawn(model.bounds.clip(raw), model.bounds.outside(raw), drawn.evaluations, drawn.warnings)


def ensembles(
    model: FittedModel,
    source: WindowSource,
    indices: np.ndarray,
    members: int,
    preset: Preset,
    purpose: str,
    device: str = "cpu",
) -> Iterator[tuple[WindowBatch, np.ndarray, np.ndarray]]:
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
        Windows, their members `(windows, members, S, *features)` in raw units, and the share of each
        channel's values that the bounds changed.
    """
    together = max(1, 2 * model.recipe.block // members)
    for start in range(0, len(indices), together):
        part = indices[start : start + together]
        key = Key.cat([Key.of(model.recipe.seed, members, purpose, str(int(i))) for i in part])
        batch = source.batch(part)
        drawn = draw(model, batch, key, preset, device)
        yield batch, drawn.values.reshape(len(part), members, *drawn.values.shape[1:]), drawn.outside
