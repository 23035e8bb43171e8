"""From recordings to a fitted model: cut, code, anchor, train, calibrate."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rheos import __version__
from rheos.calibrate import FittedCalibration
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.files import read_json, write_json
from rheos.core.keys import Key, Purpose
from rheos.data.anchor.base import CHUNK_BYTES, FittedAnchor, some, window_bytes
from rheos.data.anchor.recent import follow, looked_back
from rheos.data.bounds import Bounds
from rheos.data.circle import Circle
from rheos.data.dataset import Dataset
from rheos.data.late import require_late
from rheos.data.sums import Sums
from rheos.data.window_source import WindowSource, to_context
from rheos.denoise import BridgeDenoiser, EndsDenoiser, FlowMap, FlowObjective, TokenDenoiser
from rheos.forecast.coding import coded, lost
from rheos.forecast.contrast import Contrasting
from rheos.forecast.draw import anchored, ensembles
from rheos.forecast.health import Health
from rheos.forecast.held_out import apart, held_out_score, split
from rheos.forecast.history import History
from rheos.forecast.imputation import Imputation
from rheos.forecast.kinds import contrast_of, denoiser_of, network_of
from rheos.forecast.measure import canonical_futures, channel_scale, deviation, mode_variances, solver_bias
from rheos.forecast.model import FEW_WINDOWS, FittedModel, grid_features
from rheos.forecast.recipe import Recipe
from rheos.forecast.reflow import Batch, paired
from rheos.forecast.spending import FEWEST_TO_CALIBRATE, Spending
from rheos.forecast.store import stamp_text
from rheos.network.shapes import Shapes
from rheos.process import Masked, Resampled, TwoSided
from rheos.train.loop import Progress, Run, Trained
from rheos.train.settings import seconds_per_step

_MOST_IMPUTED = 2000  # windows whose errors are measured
_MOST_STARTS = 2**21  # numbers of the clips that a process starts from: eight megabytes in the model


@dataclass(slots=True)
class Fitting:
    """The steps of one fit, in order.

    Args:
        dataset: everything that was read, holdout included.
        recipe: what to fit.
        folder: where the state of the run is kept.
        source: how the card names the data.
        progress: told how far training is.
    """

    dataset: Dataset
    recipe: Recipe
    folder: Path
    source: str = ""
    progress: Progress | None = None
    _time: float = field(init=False, default=0.0)

    def __call__(self) -> FittedModel:
        """Fit.

        Raises:
            InputError: there is too little data for the recipe.
        """
        known = self.dataset.until(self.recipe.holdout)
        shortest = min(r.observed for r in known.recordings)
        limits = self._limits(known)
        seen = Circle(known.layout.circular).lift(known)
        self._time = self.recipe.training.time * (1.0 - self.recipe.coding)
        self.recipe, codec = coded(self.recipe, seen, self.folder)
        recipe = self.recipe
        windows = WindowSource(seen, recipe.window, codec)
        first, second = split(windows, recipe.validation)
        self._require(first, second, shortest)
        anchor = recipe.anchor.fit(windows, first)
        model = self._untrained(known, limits, anchor, follow(windows, anchor, ahead=True), first)
        pupil = model.in_training(windows, first)
        modes = self._standardize(model, *self._batch(pupil, windows, some(first, 256)))
        device = _device(recipe.training.device)
        model.denoiser.to(device)
        with torch.enable_grad():
            trained = self._train(model, windows, (first, second), device)
        model.history = self._history(known, trained, model)
        model.history.lost = lost(codec, seen)
        model.history.modes = modes
        if modes and not isinstance(model.denoiser, FlowMap):
            model.history.bias = solver_bias(model.continuous.process, modes)
        self._calibrate(model, known, windows, second, device)
        model.denoiser.to("cpu")
        if model.energy is not None:
            model.energy.to("cpu")
        if len(windows) < FEW_WINDOWS:
            # What was held out has done its service; with few years the point forecast needs them all.
            windows.errors = None
            model.anchor = recipe.anchor.fit(windows, np.arange(len(windows)))
        return model

    def _limits(self, known: Dataset) -> tuple[Bounds, Sums]:
        """What members may be, checked against the training span before any work."""
        bounds = Bounds.of(known, self.recipe.bounds)
        sums = Sums.of(known.layout.channels, self.recipe.sums, channel_scale(known))
        self.recipe.grouped(known.layout.channels)
        require_late(self.recipe.late, known.layout)
        self.recipe.anchor.require(known.layout)
        sums.require(known)
        return bounds, sums

    def _untrained(
        self,
        known: Dataset,
        limits: tuple[Bounds, Sums],
        anchor: FittedAnchor,
        windows: WindowSource,
        first: np.ndarray,
    ) -> FittedModel:
        """The model as it is before the first step, calibrated by nothing."""
        recipe = self.recipe
        batch = windows.batch(first[:2])
        features = grid_features(windows.layout, windows.coded_exists)
        clip, context = to_context(batch, anchor(batch), coordinates=features, periodic=known.layout.periodic)
        told = {
            "channel_levels": recipe.times == "per_group",
            "two_levels": isinstance(recipe.objective, FlowObjective),
        }
        shapes = Shapes.of(clip, context).model_copy(update=told)
        if isinstance(recipe.process, Masked):
            shapes = shapes.model_copy(update={"values": recipe.process.most})
        if isinstance(recipe.process, TwoSided):
            shapes = shapes.model_copy(update={"channels": 2 * shapes.channels})
        network = network_of(recipe, shapes)
        leads = (recipe.horizon, len(known.layout.channels))
        return FittedModel(
            recipe=recipe,
            layout=known.layout,
            codec=windows.codec,
            anchor=anchor,
            denoiser=denoiser_of(recipe, network),
            calibration=FittedCalibration(np.zeros(leads), np.ones(leads)),
            bounds=limits[0],
            sums=limits[1],
            exists=windows.exists,
            scale=channel_scale(known),
            tail=self.dataset.last(looked_back(windows, anchor) + recipe.horizon),
            shapes=shapes,
            # Agents wander: where they have been says little of where they may be.
            health=None if known.layout.kind == "trajectory" else Health.of(windows.dataset),
        )

    def _standardize(self, model: FittedModel, clip: Tensor, context: Context) -> list[float]:
        """Let process and denoiser take from the data what they have to; variances of the data's modes.

        Tokens have neither units nor modes; a process between two laws takes the clips it starts from.
        """
        if isinstance(model.denoiser, TokenDenoiser):
            return []
        if isinstance(model.denoiser, EndsDenoiser):
            errors = model.denoiser.canonical(clip, context)[:, context.history_frames :]
            count = min(len(errors), max(8, _MOST_STARTS // errors[0].numel()))
            kept = torch.linspace(0, len(errors) - 1, count).round().long()
            model.denoiser.starts = Resampled(errors[kept], model.denoiser.process.cloud)
            return []
        if isinstance(model.denoiser, BridgeDenoiser):
            errors = model.denoiser.canonical(clip, context)[:, context.history_frames :]
            model.denoiser.network.begin(errors.flatten(1), Key.of(self.recipe.seed, 1, "process"))
            return []
        self._estimate(model, clip, context)
        canonical = canonical_futures(model.continuous.process, clip, context)
        model.continuous.sigma_data = deviation(canonical)
        return mode_variances(canonical)

    def _estimate(self, model: FittedModel, clip: Tensor, context: Context) -> None:
        """Let the process take from the data what it has to, and write it into the model's recipe."""
        u0 = model.continuous.process.canonical(clip, context)
        if context.mask is not None:
            u0 = torch.where(context.mask > 0, u0, torch.nan)
        key = Key.of(self.recipe.seed, 1, "process")
        chosen = self.recipe.process.estimate(u0, key, context.history_frames)
        if chosen != self.recipe.process:
            model.recipe = self.recipe.model_copy(update={"process": chosen})
            model.denoiser = denoiser_of(model.recipe, model.denoiser.network)

    @staticmethod
    def _batch(
        model: FittedModel, windows: WindowSource, indices: np.ndarray, device: str = "cpu"
    ) -> tuple[Tensor, Context]:
        """Training clips and their context."""
        clip, context = model.context(windows.batch(indices), forecasting=False)
        return clip.to(device), context.to(device)

    def _require(self, first: np.ndarray, second: np.ndarray, frames: int) -> None:
        if len(first) and len(second):
            return
        spec = self.recipe.window
        raise InputError(
            f"{frames} frames are too few for history={spec.history} and horizon={spec.horizon} with a part "
            f"held out for early stopping: at least {2 * spec.frames + spec.horizon} are needed; give a "
            "smaller --horizon, --history or --holdout."
        )

    def _train(
        self, model: FittedModel, windows: WindowSource, parts: tuple[np.ndarray, np.ndarray], device: str
    ) -> Trained:
        recipe, (first, second) = self.recipe, parts
        settings, denoiser = recipe.training, model.denoiser
        bfloat = settings.precision == "bfloat16" or (settings.precision == "auto" and device == "cuda")

        pupil = model.in_training(windows, first)
        imputation = self._imputation(pupil, windows, first)

        def loss_of(
            name: str, objective: Callable[..., Tensor], count: int, batch: Callable[[Tensor], Batch]
        ) -> Callable[..., Tensor]:
            def loss(_: nn.Module, step: int) -> Tensor:
                # One row of keys a clip; the step tells the batches apart.
                key = replace(Key.of(recipe.seed, settings.batch, name), step=step)
                chosen = key.at(Purpose.BATCH, step).integers(count, 1)[:, 0]
                clip, context, noise = batch(chosen)
                if imputation is not None:
                    clip, context = imputation(clip, context, key)
                with torch.autocast(device, torch.bfloat16, enabled=bfloat):
                    # Tokens have no noise, so their objective takes none.
                    paired_with = () if noise is None else (noise,)
                    return objective(denoiser, clip, context, key, *paired_with)

            return loss

        def seen(chosen: Tensor) -> Batch:
            return *self._batch(pupil, windows, first[chosen.numpy()], device), None

        loss = loss_of("training", recipe.objective, len(first), seen)
        spending = self._spending(model, loss, windows, second)
        held = second[np.linspace(0, len(second) - 1, spending.windows).round().astype(int)]

        def validate(_: nn.Module) -> float:
            return held_out_score(model, windows, held, spending.members, device)

        def run(own: Callable[..., Tensor], steps: int, share: float, folder: Path) -> Trained:
            checked = settings.model_copy(update={"checks": max(1, round(share * spending.checks))})
            return Run(denoiser, own, validate, checked, steps, folder)(self.progress)

        trained = run(loss, spending.steps, 1.0 - settings.reflow, self.folder)
        contrast = contrast_of(recipe)
        if contrast is not None:
            own = Contrasting(model, contrast, windows, second, device)
            told = loss_of("energy", own, len(first), seen)
            (self.folder / "energy").mkdir(exist_ok=True)
            checked = settings.model_copy(update={"checks": spending.checks})
            called = spending.contrasted, self.folder / "energy", "held-out contrast"
            own.keep(Run(own.energy, told, own.score, checked, *called)(self.progress))
        if spending.straight == 0:
            return trained
        folder = self.folder / "reflow"
        drawn = paired(model, windows, first, spending.pairs, folder, device, self.progress)
        second_law = recipe.objective.model_copy(update={"time_sampler": settings.reflow_times})
        straight = loss_of("reflow", second_law, len(drawn), lambda chosen: drawn.batch(chosen, device))
        return trained.then(run(straight, spending.straight, settings.reflow, folder))

    @classmethod
    def _imputation(cls, model: FittedModel, windows: WindowSource, first: np.ndarray) -> Imputation | None:
        """What makes futures whole; None where they are, for tokens and for agents: who left is not there."""
        if isinstance(model.denoiser, TokenDenoiser) or model.layout.kind == "trajectory":
            return None
        exists = windows.exists
        if all(np.isfinite(recording.values[:, exists]).all() for recording in windows.dataset.recordings):
            return None
        count = int(np.clip(CHUNK_BYTES // window_bytes(windows), 64, _MOST_IMPUTED))
        batch = cls._batch(model, windows, some(first, count))
        return Imputation.of(*batch, torch.from_numpy(windows.coded_exists))

    def _spending(
        self,
        model: FittedModel,
        loss: Callable[[nn.Module, int], Tensor],
        windows: WindowSource,
        second: np.ndarray,
    ) -> Spending:
        """Fixed before the first step, and kept for a run that continues."""
        path = self.folder / "plan.json"
        if path.exists():
            return Spending(**read_json(path))
        settings = self.recipe.training.model_copy(update={"time": self._time})
        apart = len(self._apart(windows, second))
        held_out = len(second), apart, self.recipe.calibration.enough
        if settings.steps is not None:
            spending = Spending.in_full(settings.steps, settings, *held_out)
        else:
            rehearsal = _Rehearsal(model.denoiser, loss)
            step = seconds_per_step(settings.time, rehearsal)
            rehearsal.undo()
            calls = model.calls("fast"), model.calls("balanced")
            spending = Spending.within(step, settings, *held_out, calls)
        contrast = contrast_of(self.recipe)
        if contrast is not None:
            spending = spending.contrasting(contrast.share, timed=settings.steps is None)
        write_json(path, asdict(spending))
        return spending

    def _apart(self, windows: WindowSource, second: np.ndarray) -> np.ndarray:
        """Held-out windows to calibrate by."""
        return apart(windows, second, self.recipe.horizon, FEWEST_TO_CALIBRATE)

    def _calibrate(
        self, model: FittedModel, known: Dataset, windows: WindowSource, second: np.ndarray, device: str
    ) -> None:
        """Fit the calibration on the part that early stopping held out."""
        spending = Spending(**read_json(self.folder / "plan.json"))
        kept = self._apart(windows, second)
        kept = kept[np.linspace(0, len(kept) - 1, spending.calibrated).round().astype(int)]
        found, broken, points = [], [], []
        for batch, values, changed in ensembles(
            model, windows, kept, spending.calibrating, model.preset("balanced"), "calibration", device
        ):
            found.append(values)
            broken.append(changed)
            if self.recipe.calibration.toward_anchor:
                points.append(anchored(model, batch))
            if self.progress is not None:
                self.progress(sum(map(len, found)), len(kept), "calibrating")
        truth = np.stack([_truth(known, windows, index, self.recipe.horizon) for index in kept])
        ensemble, circle = np.concatenate(found), model.circle
        middle = circle.middle(ensemble, over=1, axis=3)
        model.calibration = self.recipe.calibration.fit(
            circle.about(ensemble, middle[:, None], axis=3),
            circle.about(truth, middle),
            anchor=circle.about(np.concatenate(points), middle) if points else None,
        )
        model.history.calibration = _told(model.calibration)
        shares = np.mean([part.outside for part in broken], axis=0)
        shared = dict(zip(model.layout.channels, shares.tolist(), strict=True))
        limits = model.bounds.words(model.layout.channels)
        model.history.bounds = {name: (*pair, shared[name]) for name, pair in limits.items()}
        off = np.sqrt(np.mean([part.off**2 for part in broken], axis=0))
        model.history.sums = dict(zip(model.sums.names, np.nan_to_num(off).tolist(), strict=True))

    def _history(self, known: Dataset, trained: Trained, model: FittedModel) -> History:
        networks = [part for part in (model.denoiser, model.energy) if part is not None]
        stamps = [r.stamps[: r.observed] for r in known.recordings]
        return History(
            source=self.source,
            fingerprint=self.dataset.fingerprint,
            frames=sum(len(s) for s in stamps),
            span=(min(stamp_text(s[0]) for s in stamps), max(stamp_text(s[-1]) for s in stamps)),
            cut=tuple(stamp_text(s[-1]) for s in stamps),
            steps=trained.stopped,
            best_step=trained.best_step,
            seconds=trained.seconds,
            losses=trained.losses,
            scores=trained.scores,
            parameters=sum(p.numel() for part in networks for p in part.parameters()),
            contrast=model.history.contrast,
            versions={"rheos": __version__, "torch": torch.__version__, "numpy": np.__version__},
        )


class _Rehearsal:
    """Training steps that leave no trace: gradients are dropped, no weight is changed."""

    def __init__(self, model: nn.Module, loss: Callable[[nn.Module, int], Tensor]) -> None:
        self._model, self._loss = model, loss

    def __call__(self, step: int) -> None:
        self._loss(self._model, step).mean().backward()

    def undo(self) -> None:
        """Drop the gradients."""
        self._model.zero_grad(set_to_none=True)


def _truth(known: Dataset, windows: WindowSource, index: int, horizon: int) -> np.ndarray:
    """What came, in raw units: `(S, *features)`."""
    origin = int(windows.origin[index])
    return known.recordings[int(windows.sequence[index])].values[origin : origin + horizon]


def _told(calibration: FittedCalibration) -> dict[str, Any]:
    """A calibration as the model's card and report tell it: a note, and figures before and after."""
    figures = {name: np.nan_to_num(values, nan=0.0).tolist() for name, values in calibration.figures.items()}
    changed = f"scale {calibration.scale.min():.2f} to {calibration.scale.max():.2f} by lead and variable"
    if calibration.kept is not None:
        changed += f"; of what the network adds to its anchor {calibration.kept} kept"
    return {"note": calibration.note or changed, **figures}


def _device(wanted: str) -> str:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("training.device=cuda, but torch finds no GPU; leave it at auto.")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"
