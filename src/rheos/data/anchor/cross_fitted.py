"""Cross-fitting: a training window's anchor is that of a fit which never saw the window's stretch of time.

    anchor_i = a_(-k)(window_i),   k the stretch that window i lies in

A network learns how the anchor errs. Where windows are few, the anchor errs less on those it was fitted on
than it will in forecasts, and forecasts would be too narrow. As nuisance functions are fitted in
Chernozhukov et al., "Double/debiased machine learning", Econometrics Journal 21, 2018, section 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rheos.data.anchor.base import Anchor, FittedAnchor
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowBatch

_STRETCHES = 6


@dataclass(frozen=True, kw_only=True)
class CrossFitted(FittedAnchor):
    """The anchor of windows by fits that never saw them; other windows have the whole one's.

    Attributes:
        whole: fitted on all of the windows; its scale is everyone's.
        parts: each fitted without one stretch.
        part: which of them forecasts a window, by its sequence and origin.
    """

    whole: FittedAnchor
    parts: tuple[FittedAnchor, ...]
    part: dict[tuple[int, int], int]

    @classmethod
    def of(
        cls, config: Anchor, source: WindowSource, indices: np.ndarray, whole: FittedAnchor
    ) -> "CrossFitted":
        """Fit without each stretch in turn.

        Args:
            config: of the anchor.
            source: windows of the training span.
            indices: of those that `whole` was fitted on, by sequence, then origin.
            whole: the anchor of all of them.
        """
        parts: list[FittedAnchor] = []
        part = {}
        for mine, others in stretches(source, indices):
            names = zip(source.sequence[indices[mine]], source.origin[indices[mine]], strict=True)
            part.update({(int(sequence), int(origin)): len(parts) for sequence, origin in names})
            parts.append(config.measure(source, indices[others]))
        return cls(
            scale=whole.scale,
            rhythm=whole.rhythm,
            unrest=whole.unrest,
            memory=whole.memory,
            whole=whole,
            parts=tuple(parts),
            part=part,
        )

    def future(self, batch: WindowBatch) -> np.ndarray:
        """The point forecast `(b, S, *features)` in coded units."""
        names = zip(batch.sequence.tolist(), batch.origin.tolist(), strict=True)
        part = np.array([self.part.get(name, -1) for name in names])
        ahead = np.empty(batch.future.shape)
        for number in np.unique(part):
            mine = part == number
            anchor = self.whole if number < 0 else self.parts[number]
            ahead[mine] = anchor.future(batch.rows(mine))
        return ahead

    def numbers(self) -> dict[str, np.ndarray]:
        """Those of the whole: the parts serve training alone."""
        return self.whole.numbers()


def stretches(source: WindowSource, indices: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places of the windows in runs, and of those that share no frame to forecast with the run.

    Args:
        source: of the windows.
        indices: of windows, by sequence, then origin; a run without which none would be left is left out.
    """
    for mine in np.array_split(np.arange(len(indices)), min(_STRETCHES, len(indices))):
        others = np.flatnonzero(_apart(source, indices, indices[mine]))
        if len(others):
            yield mine, others


def _apart(source: WindowSource, indices: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """Which of the windows have no frame to forecast in common with a stretch of them, bool."""
    horizon = source.spec.horizon
    kept = np.ones(len(indices), bool)
    for sequence in np.unique(source.sequence[stretch]):
        origins = source.origin[stretch][source.sequence[stretch] == sequence]
        before = source.origin[indices] + horizon <= origins.min()
        after = source.origin[indices] >= origins.max() + horizon
        kept &= (source.sequence[indices] != sequence) | before | after
    return kept
