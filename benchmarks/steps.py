"""How few evaluations DyDiff needs: `fast` at 5 to 10 against the published 50 steps of DDIM.

On an exact law (autoregressive clips, exact denoiser) the probe gives mean and covariance of what either
draws, with no Monte Carlo. On two trained models CRPS over held-out windows, same keys, windows and members,
of the shipped presets and of what `tune_sampler` chooses; `best` tells what the model itself says.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import rheos
from benchmarks import ALONE
from rheos.core.allocator import keep_large_buffers
from rheos.core.context import Context
from rheos.core.files import write_json
from rheos.data.dataset import Dataset
from rheos.data.generator import turbulence
from rheos.data.reader import read
from rheos.data.sample_data import path
from rheos.denoise.oracle import GaussianOracle
from rheos.evaluation.backtest import members_of, test_origins
from rheos.evaluation.windows import cases
from rheos.forecast.engine import Engine
from rheos.process.recipes import DyDiff
from rheos.process.schedule import Cosine, Linear, Schedule
from rheos.sample import Preset, preset, probe
from rheos.sample.grid import TimeGrid, Uniform
from rheos.sample.solver import DDIM
from rheos.score import crps
from rheos.score.bootstrap import skill

HISTORY, HORIZON = 4, 11  # of the published turbulence
PENALTIES = (0.0, 1.0, 3.0)
FEW = range(5, 11)


def published(schedule: Schedule) -> Preset:
    """DDIM, eta 0, 50 steps; under the cosine the released times k/1000, k = 982, 962, ..., 2.

    The first is moved to the schedule's end, where the law of the noise is known.
    """
    released = torch.arange(982, 0, -20, dtype=torch.float64) / 1000.0
    released[0] = schedule.t_max
    even = TimeGrid(released) if isinstance(schedule, Cosine) else Uniform()
    return Preset(solver=DDIM(), grid=even, evaluations=50)


@dataclass(frozen=True)
class Law:
    """Clips with correlation `r` from frame to frame about a wave, and their DyDiff process."""

    r: float
    history: str
    schedule: Schedule

    def errors(self, chosen: Preset) -> dict[str, float]:
        """Of the future that a preset draws: mean and covariance, and both as a distance of laws.

        Mean and distance are in standard deviations of the future as a whole, sqrt(trace C); the covariance
        as a share of C's norm. The distance is Wasserstein's second, |m - m'|^2 + tr(C + C' - 2 (C C')^1/2).
        """
        frame = torch.arange(HISTORY + HORIZON, dtype=torch.float64)
        mean, covariance = 0.5 * torch.sin(0.7 * frame), self.r ** (frame[:, None] - frame).abs()
        process = DyDiff(schedule=self.schedule, history=self.history).build()
        context = Context()
        true_mean, true = mean[HISTORY:], covariance[HISTORY:, HISTORY:]
        if self.history == "clean":
            seen = torch.tensor([1.0, 0.8, 1.2, 1.1], dtype=torch.float64)
            context = Context(history_frames=HISTORY, history=(mean[:HISTORY] + seen).reshape(1, -1, 1))
            gain = covariance[HISTORY:, :HISTORY] @ torch.linalg.inv(covariance[:HISTORY, :HISTORY])
            true_mean, true = true_mean + gain @ seen, true - gain @ covariance[:HISTORY, HISTORY:]
        oracle = GaussianOracle(mean, covariance, process)
        law = probe(oracle, (HISTORY + HORIZON, 1), context=context, preset=chosen)
        away, drawn = law.mean[HISTORY:] - true_mean, law.covariance[HISTORY:, HISTORY:]
        size = true.trace().sqrt()
        return {
            "evaluations": law.evaluations,
            "mean": float(away.norm() / size),
            "covariance": float((drawn - true).norm() / true.norm()),
            "distance": float((away.square().sum() + _bures(true, drawn)).sqrt() / size),
        }


def _bures(one: Tensor, other: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(one)
    root = vectors * values.clamp(min=0.0).sqrt() @ vectors.mT
    cross = torch.linalg.eigvalsh(root @ other @ root).clamp(min=0.0).sqrt().sum()
    return (one.trace() + other.trace() - 2.0 * cross).clamp(min=0.0)


LAWS = (
    *(Law(r, history, Cosine()) for r in (0.5, 0.9) for history in ("clean", "diffused")),
    Law(0.9, "clean", Linear()),
)


def exact() -> list[dict[str, Any]]:
    """Errors on each law: of the published sampler, of `fast` at few evaluations and of `balanced`."""
    found = []
    for law in LAWS:
        rivals = {"ddim 50": published(law.schedule), "balanced 20": preset("balanced")}
        rivals |= {f"fast {n}": preset("fast").model_copy(update={"evaluations": n}) for n in FEW}
        errors = {name: law.errors(chosen) for name, chosen in rivals.items()}
        found.append({"r": law.r, "history": law.history, "schedule": law.schedule.name(), "errors": errors})
    return found


@dataclass(frozen=True)
class Trained:
    """A model to train: data, horizon, what is said of the fit, windows and members to score."""

    dataset: Dataset
    horizon: int
    words: tuple[str, ...]
    windows: int
    members: int


def trained(turbulence_steps: int = 800) -> dict[str, Trained]:
    """The two models; steps are fixed, so that the figures are the same on any quiet or busy machine.

    Turbulence's held-out score rises again before its steps are over, and the best of them is kept.
    """
    steps = ("process=dydiff", "training.checks=3")
    return {
        "elnino": Trained(
            read(path("elnino")),
            6,
            (*steps, "training.steps=240", "holdout=168", ALONE),
            windows=28,
            members=50,
        ),
        "turbulence": Trained(
            turbulence(frames=460, size=16, trajectories=1, seed=0),
            4,
            (*steps, f"training.steps={turbulence_steps}", "network.base=16", "block=16", "holdout=96"),
            windows=24,
            members=16,
        ),
    }


def drawn(case: Trained, forecaster: Any, chosen: Preset) -> np.ndarray:
    """Members of every held-out window, uncalibrated, in standard deviations of the training span."""
    engine = Engine(forecaster.model, case.dataset, chosen, calibrated=False)
    origins = test_origins(forecaster, case.dataset, case.windows)
    ensembles = [
        members_of(engine, i, origin, case.members)
        for i, origin, _ in cases(case.dataset, origins, case.horizon)
    ]
    found: np.ndarray = np.stack(ensembles).astype(np.float64) / forecaster.model.scale.mean()
    return found


def rivals(case: Trained, forecaster: Any) -> dict[str, Preset]:
    """Samplers by name: published, shipped, and what `tune_sampler` chooses from before the cut-off alone."""
    tuning = forecaster.tune_sampler(case.dataset)
    tuned, best = tuning.chosen["fast"].preset, "best 50"
    affordable = [point for point in tuning.points if point.preset.evaluations <= max(FEW)]
    few = min(affordable, key=lambda point: point.off).preset
    return {
        "ddim 50, as published": published(forecaster.model.denoiser.process.schedule),
        f"fast {preset('fast').evaluations}, as shipped": preset("fast"),
        f"fast {tuned.evaluations}, tuned on the model": tuned,
        f"tuned for {few.evaluations} calls": few,
        "balanced 20": preset("balanced"),
        best: preset(best.split()[0]),
    }


def measured(case: Trained, forecaster: Any) -> dict[str, Any]:
    """Every sampler on the same windows, keys and members: its CRPS and how far it is from `best`."""
    origins = test_origins(forecaster, case.dataset, case.windows)
    truths = np.stack([truth for *_, truth in cases(case.dataset, origins, case.horizon)])
    truths /= forecaster.model.scale.mean()
    members = {name: drawn(case, forecaster, chosen) for name, chosen in rivals(case, forecaster).items()}
    scores = {name: _scores(x, truths) for name, x in members.items()}
    (theirs, *_), (*_, exact) = scores.values(), members.values()
    spread = float(np.sqrt(exact.var(1, ddof=1).mean()))
    samplers = [
        {
            "name": name,
            "crps": float(scores[name].mean()),
            "gain": list(skill(scores[name], theirs)),
            "spread": float(np.sqrt(x.var(1, ddof=1).mean())),
            "error": float(np.sqrt(np.square(x.mean(1) - truths).mean())),
            "away": float(np.sqrt(np.square(x - exact).mean())) / spread,
        }
        for name, x in members.items()
    ]
    return {
        "words": list(case.words),
        "horizon": case.horizon,
        "windows": len(truths),
        "members": case.members,
        "best_step": forecaster.model.history.best_step,
        "samplers": samplers,
    }


def penalized(case: Trained) -> list[dict[str, Any]]:
    """What a penalty on solver error at training gains: how far few calls are from `best`, and its cost."""
    found, plain = [], None
    for weight in PENALTIES:
        words = [*case.words, f"objective.solver_error.weight={weight}"]
        forecaster = rheos.fit(case.dataset, case.horizon, words=words)
        origins = test_origins(forecaster, case.dataset, case.windows)
        truths = np.stack([truth for *_, truth in cases(case.dataset, origins, case.horizon)])
        exact = drawn(case, forecaster, preset("best"))
        spread = float(np.sqrt(exact.var(1, ddof=1).mean()))
        scores = _scores(exact, truths / forecaster.model.scale.mean())
        plain = scores if plain is None else plain
        few = {n: preset("fast").model_copy(update={"evaluations": n}) for n in (6, 8, 10)}
        away = {n: np.square(drawn(case, forecaster, chosen) - exact).mean() for n, chosen in few.items()}
        found.append(
            {
                "weight": weight,
                "away": {str(n): float(np.sqrt(square)) / spread for n, square in away.items()},
                "crps": float(scores.mean()),
                "gain": list(skill(scores, plain)),
            }
        )
    return found


def _scores(members: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """Fair CRPS of each window."""
    return np.array([crps(x, truth).mean() for x, truth in zip(members, truths, strict=True)])


def run(results: Path) -> None:
    """Measure both and keep them, on one thread."""
    torch.set_num_threads(1)
    keep_large_buffers()
    figures: dict[str, Any] = {"exact": exact(), "trained": {}}
    for name, case in trained().items():
        forecaster = rheos.fit(case.dataset, case.horizon, words=list(case.words))
        figures["trained"][name] = measured(case, forecaster)
        sys.stderr.write(f"{name}: measured\n")
    figures["penalty"] = penalized(trained()["elnino"])
    write_json(results / "steps.json", figures)


def section(figures: dict[str, Any]) -> str:
    """The section of the page."""
    columns = ("ddim 50", *(f"fast {n}" for n in FEW), "balanced 20")
    lines = [
        "## DyDiff in few evaluations",
        "",
        f"Error of the covariance, as a share of its norm, of {HORIZON} frames after {HISTORY}, from the",
        "exact denoiser of autoregressive clips, by the probe; in brackets that of the mean, in standard",
        "deviations. `ddim 50` is the published sampler. The number of a column is that of its evaluations.",
        "",
        f"| correlation, history, schedule | {' | '.join(columns)} |",
        "| --- " * (len(columns) + 1) + "|",
    ]
    for law in figures["exact"]:
        cells = [f"{e['covariance']:.1%} ({e['mean']:.4f})" for e in (law["errors"][c] for c in columns)]
        lines.append(f"| {law['r']}, {law['history']}, {law['schedule']} | {' | '.join(cells)} |")
    lines += [
        "",
        "Trained models, CRPS in standard deviations, same windows, keys and members, uncalibrated. The",
        "gain over `ddim 50` has its 90 % interval. `tuned` is what `rheos tune-sampler` chooses for the",
        "model, from frames before the cut-off alone. `best` is what the model itself says, and `away`",
        "how far a member is from its `best`, from the same noise, as a share of the spread. Where `best`",
        "loses to `ddim 50` too, it is not for an error of few steps: the published sampler is off the",
        "model's law, to the forecast's good.",
        "",
        "| model | sampler | CRPS | gain over ddim 50 | spread | error of the mean | away |",
        "| --- " * 7 + "|",
    ]
    for name, t in figures["trained"].items():
        for one in t["samplers"]:
            value, low, high = one["gain"]
            cells = [f"{name}, {t['windows']} windows", one["name"], f"{one['crps']:.4f}"]
            cells += [f"{value:+.2%} ({low:+.2%} to {high:+.2%})"]
            cells += [f"{one['spread']:.3f}", f"{one['error']:.3f}", f"{one['away']:.1%}"]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *_penalty(figures["penalty"]), "```sh", "python -m benchmarks steps page", "```", ""]
    return "\n".join(lines)


def _penalty(rows: list[dict[str, Any]]) -> list[str]:
    """A table of the penalty on solver error."""
    calls = list(rows[0]["away"])
    lines = [
        "A penalty on solver error at training (`objective.solver_error.weight`), elnino, same windows and",
        "keys: how far members of few calls are from `best`, as a share of the spread, and CRPS of `best`.",
        "",
        f"| weight | {' | '.join(f'{n} calls' for n in calls)} | CRPS | gain over none |",
        "| --- " * (len(calls) + 3) + "|",
    ]
    for row in rows:
        value, low, high = row["gain"]
        cells = [f"{row['weight']:g}", *(f"{row['away'][n]:.1%}" for n in calls), f"{row['crps']:.4f}"]
        lines.append(f"| {' | '.join(cells)} | {value:+.2%} ({low:+.2%} to {high:+.2%}) |")
    return [*lines, ""]
