"""Steps that are placed, learned or chosen on the way: error against network calls, on two models.

Error: root mean square distance, over members and frames, to a fine run from the same noise, on windows after
the training span. What is calibrated or learned sees held-out windows of the training span alone.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import rheos
from benchmarks.steps import Trained, trained
from rheos.core.allocator import keep_large_buffers
from rheos.core.context import Context
from rheos.core.files import write_json
from rheos.core.keys import Key
from rheos.denoise.denoiser import Denoiser
from rheos.evaluation.backtest import test_origins
from rheos.forecast.measure import canonical_futures
from rheos.forecast.trial import Trial
from rheos.sample import Preset, calibrate_grid, error_profile, learn_steps, preset, sample
from rheos.sample.driver import Adaptive
from rheos.sample.solver import SingleStep
from rheos.sample.step_controller import REFERENCE
from rheos.score.bootstrap import skill

BUDGETS = {20: 16, 15: 12, 10: 8}
"""Calls on the calibrated grid, and a fifth less for the learned controller."""
TOLERANCES = (1.0, 0.25)
"""Of the embedded pair, as shares of the usual ones."""
MEMBERS, MOST = {"elnino": 5, "turbulence": 2}, {"elnino": 28, "turbulence": 12}


class Calls:
    """A denoiser that counts the calls each clip needs: one that is done is asked along, but needs none."""

    def __init__(self, denoiser: Denoiser, last: float) -> None:
        self.process, self.needed, self._denoiser, self._last = denoiser.process, 1.0, denoiser, last

    def __call__(self, u: Tensor, t: Tensor, context: Context) -> Any:
        times = t if t.ndim == 1 else t[:, -1]
        self.needed += float((times > self._last).double().mean())
        return self._denoiser(u, t, context)


class Scored:
    """Windows after the training span: their context, their noise and where a fine run leads."""

    def __init__(self, case: Trained, forecaster: Any, members: int, most: int) -> None:
        model, source = forecaster.model, forecaster.model.source(case.dataset)
        (origins,) = test_origins(forecaster, case.dataset, min(case.windows, most))
        parts = [model.context(source.at(0, origin)) for origin in origins]
        self.context = Context.cat([context.repeat(members) for _, context in parts])
        self.key = Key.cat([Key.of(0, members, "scored", str(origin)) for origin in origins])
        self.shape = (len(self.key), *parts[0][0].shape[1:])
        self.windows, self.denoiser = len(origins), model.denoiser
        self.exact = self.draw(self.denoiser, REFERENCE)[0]

    def draw(self, denoise: Any, chosen: Preset) -> tuple[Tensor, int]:
        """Canonical futures and the calls of the batch."""
        drawn = sample(denoise, self.shape, key=self.key, context=self.context, preset=chosen, device="cpu")
        return canonical_futures(self.denoiser.process, drawn.clips, self.context).double(), drawn.evaluations

    def errors(self, chosen: Preset, denoise: Any = None) -> tuple[np.ndarray, int]:
        """Of each window, and the calls of the batch."""
        found, calls = self.draw(denoise or self.denoiser, chosen)
        square = (found - self.exact).square().unflatten(0, (self.windows, -1))
        return square.flatten(1).nanmean(1).sqrt().numpy(), calls


def fixed(scored: Scored, trial: Trial) -> dict[str, Any]:
    """Even, calibrated and learned steps at each number of calls, and what is gained with a fifth less."""
    given = {"key": trial.key, "context": trial.context}
    denoiser = scored.denoiser
    errors: dict[str, dict[int, np.ndarray]] = {"even": {}, "calibrated": {}, "learned": {}}
    logs = {}
    for calls in sorted({*BUDGETS, *BUDGETS.values()}):
        even = preset("balanced").model_copy(update={"evaluations": calls})
        grid = calibrate_grid(denoiser, trial.shape, preset=even, **given)
        errors["even"][calls], _ = scored.errors(even)
        errors["calibrated"][calls], _ = scored.errors(even.model_copy(update={"grid": grid}))
        if calls in BUDGETS.values():
            learned = learn_steps(denoiser, trial.shape, preset=even, **given)
            errors["learned"][calls], _ = scored.errors(learned.preset)
            logs[calls] = learned.logs
        told = ", ".join(f"{k} {v[calls].mean():.4f}" for k, v in errors.items() if calls in v)
        sys.stderr.write(f"{calls} calls: {told}\n")
    gains = {
        rival: {
            calls: list(skill(errors["learned"][fewer], errors[rival][calls]))
            for calls, fewer in BUDGETS.items()
        }
        for rival in ("calibrated", "even")
    }
    means = {name: {n: float(e.mean()) for n, e in row.items()} for name, row in errors.items()}
    return {"errors": means, "gains": gains, "logs": logs}


def chosen_on_the_way(scored: Scored) -> list[dict[str, Any]]:
    """The embedded pair: calls that a clip needs, calls until the last clip is done, and the error."""
    found, usual = [], Adaptive()
    for order in (2, 3):
        for share in TOLERANCES:
            how = Adaptive(absolute=share * usual.absolute, relative=share * usual.relative)
            pair = preset("balanced").model_copy(update={"solver": SingleStep(order=order), "adaptive": how})
            last = float(pair.times(scored.denoiser.process.schedule).times[-1])
            counter = Calls(scored.denoiser, last)
            errors, calls = scored.errors(pair, counter)
            row = {"order": order, "share": share, "needed": counter.needed, "calls": calls}
            found.append(row | {"error": float(errors.mean())})
            sys.stderr.write(f"order {order}, tolerance {share:g}: {calls} calls, {errors.mean():.4f}\n")
    return found


def own_steps(trial: Trial) -> dict[str, float]:
    """By how much steps of each clip's own could lessen the calls at one error, to leading order, at best.

    A clip whose steps have the density r errs by the sum of E r^-k. `own`: r equalizes each clip's E, not
    that of all; `budget`: clips also share out the calls between them as lessens the mean square most.
    """
    profile = error_profile(
        trial.model.denoiser, trial.shape, key=trial.key, context=trial.context, preset=preset("balanced")
    )
    k, errors = profile.order, profile.errors
    root = errors.square().mean(1) ** (0.5 / (k + 1))
    shared = (errors / (root / root.sum())[:, None] ** k).sum(0).square().mean().sqrt()
    own = (errors ** (1.0 / (k + 1))).sum(0) ** (k + 1)
    part = own ** (2.0 / (2 * k + 1))
    spread = (own * (part / part.mean()) ** -k).square().mean().sqrt()
    ratios = {"own": own.square().mean().sqrt() / shared, "budget": spread / shared}
    return {name: 1.0 - float(ratio) ** (1.0 / k) for name, ratio in ratios.items()}


def measure(name: str, case: Trained, forecaster: Any) -> dict[str, Any]:
    """All on one model."""
    began = time.process_time()
    trial = Trial.of(forecaster.model, case.dataset, lambda calls: None)
    scored = Scored(case, forecaster, MEMBERS[name], MOST[name])
    return {
        "words": list(case.words),
        "horizon": case.horizon,
        "windows": scored.windows,
        "members": MEMBERS[name],
        "learned_from": trial.shape[0],
        **fixed(scored, trial),
        "pair": chosen_on_the_way(scored),
        "most_saved": own_steps(trial),
        "seconds": round(time.process_time() - began, 1),
    }


def run(results: Path) -> None:
    """Measure both models and keep the figures, on one thread."""
    torch.set_num_threads(1)
    keep_large_buffers()
    figures = {}
    # What is compared here is the error of steps, for which a model of some minutes will do.
    for name, case in trained(turbulence_steps=150).items():
        forecaster = rheos.fit(case.dataset, case.horizon, words=list(case.words))
        figures[name] = measure(name, case, forecaster)
    write_json(results / "adaptive.json", figures)
