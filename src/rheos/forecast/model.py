"""A fitted model: its parts in memory, and the folder that holds them.

The folder has `config.json`, `model.safetensors` and a card, `README.md`. Nothing in it is code and
nothing from it is run.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, field_validator
from torch import Tensor

from rheos import __version__
from rheos.calibrate import FittedCalibration
from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.files import read_json, read_tensors, write_json, write_tensors, write_text
from rheos.data.anchor.base import FittedAnchor
from rheos.data.anchor.in_sample import InSample
from rheos.data.anchor.recent import follow
from rheos.data.bounds import Bounds
from rheos.data.circle import Circle
from rheos.data.codec import Chain, Fitted
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.stay import here
from rheos.data.sums import Sums
from rheos.data.window_source import WindowSource, to_context
from rheos.data.windows import WindowBatch
from rheos.denoise import Denoiser, EndsDenoiser, TokenDenoiser, TokenEnergy
from rheos.forecast.as_json import layout_from_json, layout_to_json, stamps_from_json, stamps_to_json
from rheos.forecast.card import card
from rheos.forecast.health import Health
from rheos.forecast.history import History
from rheos.forecast.kinds import (
    Answers,
    Sampler,
    continuous,
    contrast_of,
    denoiser_of,
    energy_of,
    network_of,
    sampler_of,
)
from rheos.forecast.override import build
from rheos.forecast.recipe import Recipe
from rheos.forecast.whole import with_history_held
from rheos.network.shapes import Shapes
from rheos.sample.preset import Preset, preset
from rheos.sample.unmasking import EnergyCorrection, Unmasking

FORMAT = 3
FEW_WINDOWS = 500
T = TypeVar("T")


class Config(BaseModel):
    """The content of `config.json`."""

    model_config = ConfigDict(extra="forbid")

    format: int
    rheos: str
    recipe: dict[str, Any]
    layout: dict[str, Any]
    shapes: Shapes
    sigma_data: float
    recordings: list[dict[str, Any]]
    history: History
    presets: dict[str, Preset] = {}

    @field_validator("presets")
    @classmethod
    def _words_are_known(cls, presets: dict[str, Preset]) -> dict[str, Preset]:
        for word in presets:
            preset(word)
        return presets


@dataclass(slots=True, kw_only=True)
class FittedModel:
    """Everything that turns a recording into an ensemble.

    Attributes:
        recipe: what was fitted.
        layout: of the training data.
        codec: raw to coded units.
        anchor: center and scale of the canonical coordinates.
        denoiser: the trained network with its process.
        calibration: of the ensemble.
        bounds: physical limits of the variables.
        sums: that every member obeys.
        exists: raw `features` bool, entries ever observed in training, directions being points of the plane.
        scale: `(channel,)` standard deviation of each variable over the training span.
        tail: the end of the data the model was fitted on, to forecast from without a source.
        shapes: what the network was built for.
        history: how it was fitted.
        presets: solver, grid and evaluations chosen for this model, by word; the others are the usual ones.
        health: how the training data move; None in models of earlier versions.
        energy: of tokens told together; None where none was learned, or none that tells anything.
    """

    recipe: Recipe
    layout: Layout
    codec: Fitted
    anchor: FittedAnchor
    denoiser: Answers
    calibration: FittedCalibration
    bounds: Bounds
    sums: Sums
    exists: np.ndarray
    scale: np.ndarray
    tail: Dataset
    shapes: Shapes
    history: History = field(default_factory=History)
    health: Health | None = None
    presets: dict[str, Preset] = field(default_factory=dict)
    energy: TokenEnergy | None = None

    @property
    def continuous(self) -> Denoiser:
        """The denoiser of a model of numbers.

        Raises:
            IncompatibleError: the model draws tokens, or goes from clips to clips.
        """
        return continuous(self.denoiser)

    @property
    def tokens(self) -> TokenDenoiser:
        """The denoiser of a model of tokens.

        Raises:
            IncompatibleError: the model draws numbers.
        """
        if not isinstance(self.denoiser, TokenDenoiser):
            raise IncompatibleError("the model draws numbers, not tokens; use process=masked.")
        return self.denoiser

    def calls(self, word: str) -> int:
        """The most network calls that a forecast of the trained horizon takes with the preset of a word."""
        chosen = self.preset(word)
        if not isinstance(chosen, Unmasking):
            return chosen.evaluations
        together = 1 if self.correction is None else 1 + self.correction.candidates
        return chosen.calls(self.recipe.horizon * int(self.exists.size)) * together

    @property
    def correction(self) -> EnergyCorrection | None:
        """What chooses the tokens of a call together; None where no energy was learned."""
        contrast = contrast_of(self.recipe)
        if self.energy is None or contrast is None:
            return None
        return EnergyCorrection(self.energy, contrast.candidates)

    def preset(self, word: Sampler | str) -> Sampler:
        """The preset of a word, the model's own before the usual one; a preset is its own.

        Raises:
            InputError: there is no such word.
        """
        return sampler_of(self.denoiser, word, self.presets)

    def source(self, dataset: Dataset) -> WindowSource:
        """Windows of other data of the same layout."""
        return follow(self.bare_source(dataset), self.anchor)

    def bare_source(self, dataset: Dataset) -> WindowSource:
        """As :meth:`source`, without what the anchor's recent errors say."""
        return WindowSource(self.circle.lift(dataset), self.recipe.window, self.codec)

    @property
    def circle(self) -> Circle:
        """Which variables are directions."""
        return Circle(self.layout.circular)

    def project(self, values: np.ndarray) -> np.ndarray:
        """Members `(row, frame, channel, *space)` in raw units as they may be: inside limits, sums obeyed."""
        return self.circle.wrap(self.bounds.clip(self.sums.project(values, self.bounds)))

    def expected(self, batch: WindowBatch) -> np.ndarray:
        """Which entries are forecast, broadcastable to `(b, 1, *features)`: ever seen, or agents here."""
        return here(batch.history) if self.layout.kind == "trajectory" else self.exists

    @property
    def coded_exists(self) -> np.ndarray:
        """Coded `features` bool: which entries the codec makes of what exists."""
        return self.codec.exists(self.exists)

    def context(self, batch: WindowBatch, *, forecasting: bool = True) -> tuple[Tensor, Context]:
        """Clip and context of some windows, anchored; in training, too, who comes later is not asked for."""
        if not forecasting and self.layout.kind == "trajectory":
            batch = replace(batch, future=np.where(self.expected(batch), batch.future, np.nan))
        agents = self.layout.kind == "trajectory"
        coded = self.expected(batch) if agents else self.coded_exists
        clip, context = to_context(
            batch,
            self.anchor(batch),
            exists=coded if forecasting else None,
            coordinates=grid_features(self.codec.layout(self.layout), self.coded_exists),
            periodic=self.layout.periodic,
        )
        context = replace(context, groups=self.groups)
        if forecasting and self.recipe.hides == 1.0:
            context = with_history_held(clip, context)
        return clip, context

    def in_training(self, windows: WindowSource, indices: np.ndarray) -> "FittedModel":
        """The model as training windows see it: where windows are few, in units of the anchor's errors there.

        Args:
            windows: of the training span.
            indices: of those that are trained on.
        """
        if len(windows) >= FEW_WINDOWS:
            return self
        return replace(self, anchor=InSample.of(self.anchor, windows, indices))

    @property
    def groups(self) -> tuple[int, ...]:
        """For each channel of a clip the number of its group of variables; none where codes mix these."""
        if self.codec.mixes:
            return ()
        return self.circle.each(self.recipe.grouped(self.layout.channels))

    @property
    def _starts(self) -> dict[str, np.ndarray]:
        """The clips that a process between two laws starts from."""
        starts = self.denoiser.starts if isinstance(self.denoiser, EndsDenoiser) else None
        return {} if starts is None else {"clips": starts.clips.numpy()}

    def save(self, folder: Path) -> None:
        """Write the folder: aside first, then renamed.

        Raises:
            InputError: the folder exists.
        """
        if folder.exists():
            raise InputError(f"{folder} exists; give another --out or remove it.")
        aside = folder.with_name(folder.name + ".writing")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        tensors = {f"network.{k}": v for k, v in self.denoiser.network.state_dict().items()}
        if self.energy is not None:
            tensors |= {f"energy.{k}": v for k, v in self.energy.network.state_dict().items()}
        arrays = {
            **_prefixed("codec", self.codec.to_arrays()),
            **_prefixed("anchor", self.anchor.to_arrays()),
            **_prefixed("calibration", self.calibration.to_arrays()),
            **_prefixed("bounds", self.bounds.to_arrays()),
            **_prefixed("health", {} if self.health is None else self.health.to_arrays()),
            **_prefixed("starts", self._starts),
            "exists": self.exists.astype(np.uint8),
            "scale": self.scale,
        }
        for i, recording in enumerate(self.tail.recordings):
            for part in ("values", "known_future", "past", "static"):
                arrays[f"tail.{i}.{part}"] = getattr(recording, part)
        tensors |= {name: torch.from_numpy(np.array(a, order="C")) for name, a in arrays.items()}
        write_tensors(aside / "model.safetensors", tensors)
        config = Config(
            format=FORMAT,
            rheos=__version__,
            recipe=self.recipe.model_dump(mode="json"),
            layout=layout_to_json(self.layout),
            shapes=self.shapes,
            sigma_data=self.denoiser.sigma_data if isinstance(self.denoiser, Denoiser) else 1.0,
            recordings=[{"name": r.name, "stamps": stamps_to_json(r.stamps)} for r in self.tail.recordings],
            history=self.history,
            presets=self.presets,
        )
        write_json(aside / "config.json", config.model_dump(mode="json"))
        write_text(aside / "README.md", card(self.recipe, self.layout, self.history.model_dump()))
        aside.rename(folder)

    def save_presets(self, folder: Path) -> None:
        """Write the presets into the folder that the model was loaded from, all or nothing.

        Raises:
            InputError: it holds no model, or another one.
        """
        content = read_json(folder / "config.json")
        stored = build(Config, content, str(folder / "config.json"))
        if stored.history.model_dump(exclude={"bias"}) != self.history.model_dump(exclude={"bias"}):
            raise InputError(f"{folder} holds another model; give the folder that this one was loaded from.")
        chosen = stored.model_copy(update={"presets": self.presets, "history": self.history})
        write_json(folder / "config.json", chosen.model_dump(mode="json"))

    @classmethod
    def load(cls, folder: Path) -> "FittedModel":
        """Read a model folder.

        Raises:
            InputError: it is not one, is damaged, or was written by a newer Rheos.
        """
        if not (folder / "config.json").is_file():
            raise InputError(
                f"{folder} is not a model: it has no config.json; give the --out of `rheos fit`."
            )
        content = read_json(folder / "config.json")
        if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
            raise InputError(
                f"{folder} has model format {content['format']}, this Rheos reads format {FORMAT}; "
                f"use Rheos {content.get('rheos', '')} or fit again."
            )
        config = build(Config, content, str(folder / "config.json"))
        tensors = read_tensors(folder / "model.safetensors")
        try:
            return cls._assemble(config, tensors)
        except (KeyError, IndexError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{folder} is damaged: config.json and model.safetensors do not belong together ({reason})."
            ) from error

    @classmethod
    def _assemble(cls, config: Config, tensors: Mapping[str, Tensor]) -> "FittedModel":
        recipe = build(Recipe, config.recipe, "the stored recipe")
        parts = ("network", "energy")
        arrays = {name: t.numpy() for name, t in tensors.items() if name.partition(".")[0] not in parts}
        network, learned = network_of(recipe, config.shapes), _part(tensors, "energy")
        network.load_state_dict(_part(tensors, "network"))
        denoiser = denoiser_of(recipe, network, config.sigma_data, _part(arrays, "starts")).eval()
        layout = layout_from_json(config.layout)
        recordings = tuple(
            Recording(
                name=entry["name"],
                stamps=stamps_from_json(entry["stamps"]),
                **{p: arrays[f"tail.{i}.{p}"] for p in ("values", "known_future", "past", "static")},
            )
            for i, entry in enumerate(config.recordings)
        )
        return cls(
            recipe=recipe,
            layout=layout,
            codec=Chain(links=recipe.codec).restore(_part(arrays, "codec")),
            anchor=recipe.anchor.restore(_part(arrays, "anchor")),
            denoiser=denoiser,
            calibration=FittedCalibration.from_arrays(_part(arrays, "calibration")),
            bounds=Bounds(**_part(arrays, "bounds")),
            sums=Sums.of(layout.channels, recipe.sums, arrays["scale"]),
            exists=arrays["exists"].astype(bool),
            scale=arrays["scale"],
            tail=Dataset(layout=layout, recordings=recordings),
            shapes=config.shapes,
            history=config.history,
            presets=config.presets,
            health=Health.from_arrays(_part(arrays, "health")),
            energy=energy_of(recipe, config.shapes, learned) if learned else None,
        )


def grid_features(layout: Layout, exists: np.ndarray) -> np.ndarray | None:
    """Spatial features of a grid `(k, *space)`: position along each axis, and where data exist.

    Periodic axes give sine and cosine of the position's angle, others the position in [-1, 1].
    """
    space = exists.shape[1:]
    if not space or layout.kind == "trajectory":
        return None
    features = [exists.any(0).astype(np.float32)]
    for axis, size in enumerate(space):
        shape = [1] * len(space)
        shape[axis] = size
        if layout.periodic and layout.periodic[axis]:
            if layout.coords.get(layout.dims[1 + axis]) is None:
                continue  # a plain periodic box looks the same everywhere
            angle = 2 * np.pi * np.arange(size) / size
            lines = [np.sin(angle), np.cos(angle)]
        else:
            lines = [np.linspace(-1, 1, size)]
        features += [np.broadcast_to(line.reshape(shape), space).astype(np.float32) for line in lines]
    return np.stack(features)


def _prefixed(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def _part(arrays: Mapping[str, T], prefix: str) -> dict[str, T]:
    return {k.removeprefix(f"{prefix}."): v for k, v in arrays.items() if k.startswith(f"{prefix}.")}
