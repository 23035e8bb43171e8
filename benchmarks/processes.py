"""Which process forecasts best at the same cost: frame mixing against none, and other words of `process`.

Every arm is the same recipe but for some words: same small backbone, training steps, sampler, windows,
members and keys, over several seeds. Ensembles are not calibrated, so that an arm answers for its own
spread. Where a set is one of `skill`, its last frames are passed over: those that are scored there, and
those before them that later defaults were judged on.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import rheos
from benchmarks import ALONE, skill
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import read_json, write_json
from rheos.data.dataset import Dataset
from rheos.data.generator import turbulence
from rheos.data.reader import read
from rheos.data.sample_data import path
from rheos.evaluation.backtest import members_of, test_origins
from rheos.evaluation.windows import cases
from rheos.forecast.engine import Engine
from rheos.forecast.forecaster import Forecaster, options, reading
from rheos.score import covered, crps, energy_score, energy_spectrum, spectrum_error

SEEDS, MORE, FIRST = 3, 6, 4
"""Seeds of an arm, and of each of the first four, which differ little."""
SERIES = ("network.width=32", "network.depth=2", "network.heads=2", "block=25", ALONE)
"""A small network, and the anchor alone: most of this was measured before it followed its recent errors."""
WHOLE, _OF_FLOORS = "_whole", 3
"""How a study with the default network is named, and how many arms it has: those of floors alone."""
FIELD = ("network.base=8", "network.multipliers=[1,2]", "training.batch=16", "block=10")
ALWAYS = ("calibration=none",)

DEFAULT = "default"
_PLAIN, _LESS = "process=plain", "process.floor=0.7"
_DIFFUSED, _BARE = "process.history=diffused", "anchor=none"
ARMS: dict[str, tuple[str, ...]] = {
    " ".join(words) or DEFAULT: words
    for words in (
        (),
        (_PLAIN,),
        (_LESS,),
        ("process=rectified_flow",),
        ("process.noise=measured",),
        (_DIFFUSED,),
        (_PLAIN, _DIFFUSED),
        (_BARE,),
        (_PLAIN, _BARE),
        ("process=rectified_flow", _BARE),
        (_DIFFUSED, _BARE),
        (_PLAIN, _DIFFUSED, _BARE),
        ("process=interpolant",),
        ("process=mean_reverting",),
        ("process=edm",),
        ("process=gaussian_process",),
        ("process=pfgmpp",),
        (_LESS, _BARE),
        (_LESS, _DIFFUSED),
        (_LESS, _DIFFUSED, _BARE),
    )
}
"""What is added to the recipe, by its words; what tells most comes first."""


@dataclass(frozen=True)
class Study:
    """One set and what every arm is told of it.

    Attributes:
        data: reads it, given the folder of the data sets; None where the file is absent.
        horizon: frames to forecast.
        words: of every arm.
        note: what it is.
        members: of every ensemble.
        windows: most of each recording.
        arms: how many of `ARMS` are measured, from the first.
    """

    data: Callable[[Path], Dataset | None]
    horizon: int
    words: tuple[str, ...]
    note: str
    members: int = 25
    windows: int = 28
    arms: int = len(ARMS)


def of_skill(
    name: str, passed_over: int, words: tuple[str, ...], members: int, arms: int = len(ARMS)
) -> Study:
    """A set of `skill` without its last frames, those that are passed over.

    Args:
        name: of the set.
        passed_over: how many frames are.
        words: of every arm, beside those that say what the data are.
        members: of every ensemble.
        arms: how many are measured.
    """
    case = skill.CASES[name]

    def data(folder: Path) -> Dataset | None:
        if not (folder / case.file).exists():
            return None
        given = dict(options(None, list(case.words)))
        return read(f"{folder / case.file}{case.part}", reading(given)).until(passed_over)

    note = f"{case.note}; the last {passed_over} frames are passed over"
    return Study(data, case.horizon, (*case.words, *words), note, members=members, arms=arms)


def _of_steps(
    name: str, passed_over: int, steps: int, network: tuple[str, ...] = SERIES, arms: int = len(ARMS)
) -> Study:
    """A set of `skill` without the frames scored there and as many before them."""
    holdout = skill.CASES[name].holdout
    words = (*network, f"holdout={holdout}", f"training.steps={steps}", "training.checks=2")
    return of_skill(name, passed_over, words, 25 if network is SERIES else 50, arms)


STUDIES = {
    "elnino": Study(
        lambda _: read(path("elnino")),
        6,
        (*SERIES, "holdout=168", "training.steps=200", "training.checks=2"),
        "sea-surface temperature, monthly, half a year ahead",
    ),
    "vic_elec": _of_steps("vic_elec", 2688, 600, arms=9),
    "turbulence": Study(
        lambda _: turbulence(frames=300, size=16, trajectories=4, seed=1),
        4,
        (*FIELD, "holdout=20", "training.steps=150", "training.checks=1", "validation=0.03"),
        "4 flows of 300 frames on 16 x 16 cells, 4 frames ahead",
        members=10,
        windows=5,
        arms=10,
    ),
    "nyc_taxi": _of_steps("nyc_taxi", 2688, 600, arms=5),
    f"vic_elec{WHOLE}": _of_steps("vic_elec", 2688, 1500, (ALONE,), _OF_FLOORS),
}


def run(data: Path, names: Sequence[str], results: Path, seeds: tuple[int, int] = (SEEDS, MORE)) -> None:
    """Measure, on one thread; what lies in `results` already is kept, figures are written as they come."""
    torch.set_num_threads(1)
    keep_large_buffers()
    sets: dict[str, Dataset] = {}
    for name in names:
        dataset = STUDIES[name].data(data)
        if dataset is None:
            sys.stderr.write(f"{name}: its file is absent from {data}, skipped\n")
        else:
            sets[name] = dataset
    for number, arm in enumerate(ARMS):
        for name, dataset in sets.items():
            count = seeds[number < FIRST] if number < STUDIES[name].arms else 0
            for seed in range(count):
                _measure(name, dataset, arm, seed, results / f"processes-{name}.json")


def _measure(name: str, dataset: Dataset, arm: str, seed: int, file: Path) -> None:
    """One arm with one seed, unless the file has it."""
    study = STUDIES[name]
    told = {"name": name, "note": study.note, "horizon": study.horizon, "words": list(study.words)}
    told |= {"members": study.members}
    kept = read_json(file) if file.exists() else {**told, "arms": {}}
    if any(kept[key] != value for key, value in told.items()):
        raise SystemExit(f"{file} was measured with other settings; move it away to measure anew.")
    found = kept["arms"].setdefault(arm, {})
    if str(seed) in found:
        return
    found[str(seed)] = scored(study, dataset, (*study.words, *ARMS[arm], f"seed={seed}", *ALWAYS))
    write_json(file, kept)
    sys.stderr.write(f"{name}, {arm}, seed {seed}: {np.mean(found[str(seed)]['crps']):.4f}\n")


def scored(study: Study, dataset: Dataset, words: Sequence[str]) -> dict[str, Any]:
    """Fit and score: by window in deviations of the training span, fair CRPS and energy score of the path.

    `coverage` is of the central 90 % interval; `spectrum`, of fields alone, is the mean over leads of the
    spectrum error.
    """
    began = time.process_time()
    found = scores(rheos.fit(dataset, study.horizon, words=words), study, dataset, calibrated=False)
    return found | {"cpu_seconds": round(time.process_time() - began, 1)}


def scores(forecaster: Forecaster, study: Study, dataset: Dataset, calibrated: bool) -> dict[str, Any]:
    """As :func:`scored` of one that is fitted."""
    model = forecaster.model
    engine = Engine(model, dataset, model.preset("balanced"), calibrated=calibrated)
    origins = test_origins(forecaster, dataset, study.windows)
    drawn, truths = [], []
    for i, origin, truth in cases(dataset, origins, study.horizon):
        drawn.append(members_of(engine, i, origin, study.members))
        truths.append(truth)
    scale = model.scale.reshape(-1, *[1] * (len(dataset.features) - 1))
    members, came = np.stack(drawn) / scale, np.stack(truths) / scale
    pairs = list(zip(members, came, strict=True))
    found: dict[str, Any] = {
        "crps": [float(np.nanmean(crps(x, y))) for x, y in pairs],
        "energy": [_joint(x, y) for x, y in pairs],
        "coverage": float(np.nanmean([covered(x, y) for x, y in pairs])),
        "best_step": model.history.best_step,
    }
    if dataset.layout.kind == "field":
        found["spectrum"] = _spectrum(members, came)
    return _short(found)


def _joint(members: np.ndarray, truth: np.ndarray) -> float:
    """Fair energy score of a window as one vector, by entry."""
    return float(energy_score(members.reshape(len(members), -1), truth.reshape(-1), per_entry=True))


def _spectrum(members: np.ndarray, truths: np.ndarray) -> float:
    """Mean over leads of the spectrum error, spectra averaged over windows and members."""
    ours, theirs = energy_spectrum(members), energy_spectrum(truths)
    side = max(members.shape[-2:])
    errors = [spectrum_error(ours[:, :, k], theirs[:, k], side) for k in range(ours.shape[2])]
    return float(np.mean(errors))


def _short(value: Any) -> Any:
    """Numbers of six digits, which is more than they are good for."""
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
