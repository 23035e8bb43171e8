"""Skill with default settings on the data beside the project: `rheos compare` with baselines and peers.

Every set is one comparison, kept under `--work`: what was measured there is not measured again, so a run that
was stopped goes on, and peers may be measured in an environment of their own (extra `peers`).
"""

import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

import rheos
from rheos.baseline.peer import PEERS
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import write_json
from rheos.evaluation.comparison import Comparing, Comparison
from rheos.forecast.recipe import differences

_FAST = ("auto_ets", "deep_ar", "patch_tst")
_ALL = (*_FAST, "auto_arima")


@dataclass(frozen=True)
class Case:
    """One data set.

    Attributes:
        file: in the folder of the data.
        horizon: frames to forecast.
        holdout: last frames that nothing is fitted on.
        note: what it is.
        words: only such options as say what the data are.
        part: of the file.
        members: of every ensemble.
        score: what decides.
        peers: that take part; a search of AutoARIMA for hundreds of series would take hours.
        extra: baselines beside the usual ones.
    """

    file: str
    horizon: int
    holdout: int
    note: str
    words: tuple[str, ...] = ()
    part: str = ""
    members: int = 100
    score: str = "crps"
    peers: tuple[str, ...] = _ALL
    extra: tuple[str, ...] = ()


CASES = {
    "vic_elec": Case(
        "series/vic_elec.csv.xz",
        48,
        1344,
        "Demand, half-hourly, a day ahead",
        ("roles.Holiday=known_future", "roles.Temperature=past", "roles.Date=ignore"),
    ),
    "nyc_taxi": Case("series/nyc_taxi.csv.gz", 48, 1344, "passengers, half-hourly, a day ahead"),
    "weather": Case(
        "series/weather.csv.xz",
        24,
        672,
        "21 variables, hourly means, a day ahead",
        ("data.duplicates=mean", "data.missing=[-9999]", "data.resample=1h"),
    ),
    "ETTh1": Case("series/ETTh1.csv.gz", 24, 672, "7 variables of a transformer, hourly, a day ahead"),
    "ETTm1": Case("series/ETTm1.csv.xz", 96, 2688, "the same, every 15 minutes, a day ahead"),
    "solar_fl": Case(
        "series/solar_fl_2006_daytime.npz",
        10,
        280,
        "216 plants, a day of 10 daylight hours ahead",
        ("data.period=10",),
        "::power",
        peers=_FAST,
    ),
    "los_loop": Case(
        "series/los_loop_speed.npz",
        12,
        336,
        "speed at 207 detectors, every 5 minutes, an hour ahead, one week",
        ("data.period=288",),
        "::speed",
        peers=_FAST,
    ),
    "m4_hourly": Case(
        "series/m4_hourly.parquet", 48, 48, "414 series, two days ahead", score="wql", peers=_FAST
    ),
    "exchange": Case(
        "series/exchange_rate_nips.tar.gz",
        30,
        150,
        "8 rates, business days, 30 ahead",
        ("data.joint=true",),
        "::test",
        extra=("random_walk",),
    ),
    "ersstv5": Case(
        "fields/ersstv5_sst_2010_2020.nc",
        6,
        36,
        "sea-surface temperature on 89 x 180 cells, mean over leads of 1 to 6 months",
        members=20,
        peers=(),
    ),
}

QUICK = ("vic_elec", "nyc_taxi", "ETTh1", "exchange")
"""Sets whose measurement, peers included, takes some minutes each."""


def run(data: Path, budget: str, names: Sequence[str], threads: int, folders: tuple[Path, Path]) -> None:
    """Compare on each set; sets whose file is absent are skipped by name.

    Args:
        data: folder of the data sets.
        budget: of training, for each method that trains.
        names: of the sets.
        threads: of the CPU.
        folders: where comparisons are kept, and where what the page is made of goes.
    """
    torch.set_num_threads(threads)
    keep_large_buffers()  # as the command line does
    work, results = folders
    for name in names:
        case = CASES[name]
        if not (data / case.file).exists():
            sys.stderr.write(f"{name}: {data / case.file} is absent, skipped\n")
            continue
        result = measure(case, data, budget, work / name)
        write_json(results / f"skill-{name}.json", {"name": name, "threads": threads, **result})
        sys.stderr.write(f"{name}: {result['verdict']}\n")


def measure(case: Case, data: Path, budget: str, out: Path) -> dict:
    """One set: what `rheos compare` finds, and how its model was fitted."""
    source = f"{data / case.file}{case.part}"
    methods = ["rheos", "baselines", *case.extra, *(peer for peer in case.peers if _can(peer, out))]
    found = rheos.compare(
        source,
        methods,
        horizon=case.horizon,
        settings=Comparing(holdout=case.holdout, members=case.members, time=budget, score=case.score),
        words=list(case.words),
        out=out,
        progress=_told,
    )
    return {
        "note": case.note,
        "command": _command(case, methods, budget),
        "budget": budget,
        "model": _model(out / "models" / "rheos-seed0"),
        "left_out": [peer for peer in _ALL if peer not in methods and case.peers],
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}",
        **_short(found),
    }


def _can(peer: str, out: Path) -> bool:
    """Whether a peer's packages are here, or its result is."""
    packages = next(method.packages for method in PEERS if method.name() == peer)
    return (out / "results" / f"{peer}-seed0.json").exists() or all(map(find_spec, packages))


def _told(done: int, total: int, note: str) -> None:
    sys.stderr.write(f"\r{note} {done}/{total}".ljust(79)[:79])


def _model(folder: Path) -> dict:
    """How the default recipe was fitted."""
    model = rheos.load(folder).model
    history = model.history
    return {
        "steps": history.steps,
        "best_step": history.best_step,
        "held_out": history.scores,
        "calibration": history.calibration.get("note", ""),
        "fingerprint": history.fingerprint,
        "recipe": differences(model.recipe),
    }


def _short(found: Comparison) -> dict:
    """The comparison, its scores window by window for what decides alone."""
    content = found.to_dict()
    for method in content["methods"].values():
        method["per_window"] = {found.score: method["per_window"][found.score]}
    return content


def _command(case: Case, methods: Sequence[str], budget: str) -> str:
    words = " ".join(f"'{w}'" if any(c in w for c in "[ (") else w for w in case.words)
    parts = (
        f"rheos compare {Path(case.file).name}{case.part} {words} --horizon {case.horizon} "
        f"--holdout {case.holdout} --members {case.members} --time {budget} --score {case.score} "
        f"--methods {','.join(methods)} --out comparison"
    )
    return " ".join(parts.split())
