"""ETH/UCY by its usual protocol: five scenes, each left out once; 8 frames known, 12 forecast, best of 20.

Fitted on the rows marked `train` of the other scenes (their `val` rows are not used, nothing is chosen by the
scene left out); scored on every agent that is there in all 20 frames of a window, windows at every frame.
Beside the best of 20, which rewards spread, stands the energy score of the whole path, which is proper.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

import rheos
from rheos.baseline import ConstantVelocity
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import write_json
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Recording
from rheos.data.reader import read
from rheos.forecast.engine import Engine
from rheos.score import displacement, energy_score

FOLDS = {
    "eth": ("biwi_eth",),
    "hotel": ("biwi_hotel",),
    "univ": ("students001", "students003"),
    "zara1": ("crowds_zara01",),
    "zara2": ("crowds_zara02",),
}
# Recorded at the same place as the scene left out.
NEIGHBORS = {"univ": ("uni_examples",)}
KNOWN, AHEAD, MEMBERS = 8, 12, 20
FIGURES = ("ade", "fde", "best_ade", "best_fde", "energy")

Forecast = Callable[[Recording, int], np.ndarray]


class Window(NamedTuple):
    """A place in a recording, and who is there in all its frames."""

    recording: Recording
    origin: int
    agents: np.ndarray


def folds(table: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to fit on and rows to score."""
    left_out = FOLDS[name]
    apart = (*left_out, *NEIGHBORS.get(name, ()))
    fitted = table[~table["scene"].isin(apart) & (table["split"] == "train")]
    return fitted.drop(columns="split"), table[table["scene"].isin(left_out)].drop(columns="split")


def windows(rows: pd.DataFrame) -> Iterator[Window]:
    """Every window in which someone is there throughout, scene after scene."""
    for scene in rows["scene"].unique():
        recording = read(rows[rows["scene"] == scene]).recordings[0]
        there = np.isfinite(recording.values).all(1)
        for origin in range(KNOWN, len(recording) - AHEAD + 1):
            agents = there[origin - KNOWN : origin + AHEAD].all(0)
            if agents.any():
                yield Window(recording, origin, agents)


def score(found: list[Window], forecast: Forecast) -> dict[str, float]:
    """Means over agents of all windows, in meters; forecasts are `(member, frame, space, agent)`."""
    each: dict[str, list[float]] = {figure: [] for figure in FIGURES}
    for recording, origin, agents in found:
        members = forecast(recording, origin)[..., agents].astype(np.float64)
        truth = recording.values[origin : origin + AHEAD][..., agents].astype(np.float64)
        errors = displacement(members, truth)
        for figure, values in errors._asdict().items():
            each[figure] += values.tolist()
        paths = members.transpose(0, 3, 1, 2), truth.transpose(2, 0, 1)
        flat = (part.reshape(*part.shape[:-2], -1) for part in paths)
        each["energy"] += energy_score(*flat, per_entry=True).tolist()
    return {figure: float(np.mean(values)) for figure, values in each.items()}


def going(rows: pd.DataFrame, members: int, **options: float) -> Forecast:
    """Constant velocity, sampled or not."""
    method = ConstantVelocity(**options).fit(read(rows), AHEAD)
    return lambda recording, origin: method.forecast(
        recording, origin, Key.of(0, members, recording.name, str(origin))
    )


def run(data: Path, budget: str, names: list[str], threads: int, results: Path, most: int | None) -> None:
    """Fit and score each fold; `most` windows of each scene, evenly spread, or all."""
    torch.set_num_threads(threads)
    keep_large_buffers()
    table = pd.read_parquet(data / "trajectories" / "eth_ucy.parquet")
    table["scene"] = table["scene"].astype(str)
    for name in names:
        fitted, held_out = folds(table, name)
        found = list(windows(held_out))
        count = len(found)
        if most is not None and most < count:
            found = [found[i] for i in np.linspace(0, count - 1, most).round().astype(int)]
        began = time.perf_counter()
        words = [f"history={KNOWN}", f"block={MEMBERS}", f"training.time={budget}"]
        with tempfile.TemporaryDirectory() as folder:
            forecaster = rheos.fit(fitted, AHEAD, words=words, out=Path(folder) / "model")
        seconds = time.perf_counter() - began
        model = forecaster.model

        def drawn(recording: Recording, origin: int, model=model) -> np.ndarray:
            dataset = Dataset(layout=model.layout, recordings=(recording,))
            return Engine(model, dataset, model.preset("balanced")).block(0, origin, 0)

        scores = {
            "rheos": score(found, drawn),
            "constant velocity": score(found, going(held_out, 1, turn=0.0, spread=0.0)),
            "sampled constant velocity": score(found, going(held_out, MEMBERS)),
        }
        result = {
            "name": name,
            "windows": [len(found), count],
            "paths": int(sum(window.agents.sum() for window in found)),
            "members": MEMBERS,
            "budget": budget,
            "steps": model.history.steps,
            "fit_seconds": round(seconds, 1),
            "threads": threads,
            "scores": scores,
        }
        write_json(results / f"pedestrians-{name}.json", result)
        for method, figures in scores.items():
            told = " ".join(f"{figure} {value:.3f}" for figure, value in figures.items())
            sys.stderr.write(f"{name}: {method}: {told}\n")
