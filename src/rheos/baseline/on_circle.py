"""Baselines of directions: what only copies and adds values works modulo the period, the rest in the plane.

Sums and differences modulo the period are those of the directions, so a last value plus past changes is right
as it is, once it is wrapped. What averages or regresses is fitted to the points (cos, sin) instead, as Rheos'
own models are (:mod:`rheos.data.circle`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rheos.baseline.method import Baseline, FittedBaseline
from rheos.core.keys import Key
from rheos.data.circle import Circle
from rheos.data.dataset import Dataset, Layout, Recording


@dataclass(frozen=True, slots=True)
class OnCircle:
    """A fitted baseline whose forecasts are brought back to the circle.

    Attributes:
        fitted: the baseline.
        layout: of the data as users see them.
        plane: whether it was fitted to the points in the plane.
    """

    fitted: FittedBaseline
    layout: Layout
    plane: bool

    @property
    def notes(self) -> Sequence[str]:
        """What the baseline says of its fit."""
        return tuple(getattr(self.fitted, "notes", ()))

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """See :class:`rheos.baseline.method.FittedBaseline`."""
        circle = Circle(self.layout.circular)
        if not self.plane:
            return circle.wrap(self.fitted.forecast(recording, origin, key))
        lifted = circle.lift(Dataset(layout=self.layout, recordings=(recording,))).recordings[0]
        return circle.lowered(self.fitted.forecast(lifted, origin, key))


def fitted_on(baseline: Baseline, dataset: Dataset, horizon: int) -> FittedBaseline:
    """Fit a baseline, directions as what they are; arguments as in :meth:`Baseline.fit`."""
    circle = Circle(dataset.layout.circular)
    if not circle.any:
        return baseline.fit(dataset, horizon)
    plane = not baseline.adds
    return OnCircle(baseline.fit(circle.lift(dataset) if plane else dataset, horizon), dataset.layout, plane)
