"""Peers of GluonTS: one network for all series, each series forecast by itself, members its sample paths."""

import logging
import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from rheos.baseline.paths import Span, check
from rheos.baseline.peer.base import FittedPeer, Peer
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Recording
from rheos.train.settings import Duration

_PERIODS = {"MS": "M", "ME": "M", "QS": "Q", "QE": "Q", "YS": "Y", "YE": "Y"}
_NOWHERE = pd.Timestamp("2000-01-01")


class Predictor(Protocol):
    """A trained estimator of GluonTS."""

    def predict(self, dataset: Any, num_samples: int | None = None) -> Iterator[Any]:
        """One forecast a series of the dataset."""
        ...


def period_frequency(frequency: str | None) -> str:
    """The frequency as pandas names it for periods; days where the frames have no calendar."""
    return "D" if frequency is None else _PERIODS.get(frequency.split("-")[0], frequency)


def items(
    recording: Recording, frames: int, alive: np.ndarray, frequency: str | None
) -> list[dict[str, Any]]:
    """The first frames of a recording as GluonTS takes them, one item a column that has values."""
    first = recording.stamps[0]
    start = pd.Period(
        first.tz_localize(None) if isinstance(first, pd.Timestamp) else _NOWHERE,
        freq=period_frequency(frequency),
    )
    values = np.asarray(recording.values[:frames], np.float32).reshape(frames, -1)
    return [{"start": start, "target": values[:, i], "item_id": str(i)} for i in np.flatnonzero(alive)]


@contextmanager
def quiet(seed: int) -> Iterator[None]:
    """Torch's own random numbers from a seed and as they were afterwards; a library's chatter not heard."""
    # GluonTS draws its batches from numpy's global stream and its samples from torch's.
    before, muted = np.random.get_state(), logging.root.manager.disable  # noqa: NPY002
    with torch.random.fork_rng(), warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002
            logging.disable(muted)


@dataclass(slots=True)
class FittedNetwork(FittedPeer):
    """A trained network and the columns that it forecasts.

    Attributes:
        horizon: frames to forecast.
        frequency: of the frames.
        spans: training span of every recording, by name.
        predictor: the trained network.
        notes: on the calendar, where the frames have none.
    """

    horizon: int
    frequency: str | None
    spans: dict[str, Span]
    predictor: Predictor
    notes: tuple[str, ...] = ()

    def forecast(self, recording: Recording, origin: int, key: Key) -> np.ndarray:
        """See :class:`rheos.baseline.method.FittedBaseline`; members come from one stream, not one each."""
        check(self.spans, recording, origin)
        alive = np.isfinite(self.spans[recording.name].mean)
        out = np.full((len(key), self.horizon, len(alive)), np.nan, recording.values.dtype)
        with quiet(int(key.words[0, 0])):
            told = self.predictor.predict(
                items(recording, origin, alive, self.frequency), num_samples=len(key)
            )
            for column, forecast in zip(np.flatnonzero(alive), told, strict=True):
                if not hasattr(forecast, "samples"):
                    forecast = forecast.to_sample_forecast(len(key))
                out[..., column] = forecast.samples
        return out.reshape(len(key), self.horizon, *recording.values.shape[1:])


class NetworkPeer(Peer):
    """Base of the peers that train a network on all series.

    Attributes:
        time: budget of training.
        epochs: most epochs of 50 batches, GluonTS' own default.
        seed: of weights and batches.
    """

    packages: ClassVar[tuple[str, ...]] = ("gluonts", "lightning")
    time: Duration = 300.0
    epochs: int = Field(default=100, ge=1)
    seed: int = 0

    @property
    def limits(self) -> str:
        """The limits it is run under, in one line."""
        return (
            f"trained once on the training span for at most {self.time:g} s and {self.epochs} epochs of 50 "
            "batches, library defaults otherwise; each series forecast by itself"
        )

    @abstractmethod
    def estimator(self, horizon: int, frequency: str, trainer: dict[str, Any]) -> Any:
        """The estimator of GluonTS, not yet trained."""

    def fit(self, dataset: Dataset, horizon: int) -> FittedNetwork:
        """See :class:`rheos.baseline.method.Baseline`."""
        self.require()
        frequency = dataset.layout.frequency
        spans = {r.name: Span.of(r, frequency) for r in dataset.recordings}
        series = [
            item
            for r in dataset.recordings
            for item in items(r, len(r), np.isfinite(spans[r.name].mean), frequency)
        ]
        with tempfile.TemporaryDirectory() as scratch, quiet(self.seed):
            trainer = {
                "max_epochs": self.epochs,
                "max_time": {"seconds": self.time},
                "default_root_dir": scratch,
                "accelerator": "auto",
                "devices": 1,
                "logger": False,
                "enable_progress_bar": False,
                "enable_model_summary": False,
            }
            predictor = self.estimator(horizon, period_frequency(frequency), trainer).train(series)
        stamps = dataset.recordings[0].stamps
        known = frequency is not None and isinstance(stamps, pd.DatetimeIndex)
        notes = () if known else ("the frames have no calendar it can use; it takes them for days",)
        return FittedNetwork(horizon, frequency if known else None, spans, predictor, notes)
