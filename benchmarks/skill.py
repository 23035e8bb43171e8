"""Skill with default settings on the data beside the project, against every baseline."""

import platform
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

import rheos
from rheos.baseline import RandomWalk, default_baselines
from rheos.core.allocator import keep_large_buffers
from rheos.core.files import write_json
from rheos.forecast.recipe import differences


@dataclass(frozen=True)
class Case:
    """One data set: the file, the horizon, and only such options as say what the data are."""

    file: str
    horizon: int
    holdout: int
    words: tuple[str, ...] = ()
    part: str = ""
    members: int = 100
    extra: tuple = field(default=())
    note: str = ""

    def command(self, time_budget: str) -> str:
        words = " ".join(f"'{w}'" if any(c in w for c in "[ (") else w for w in self.words)
        source = f"{Path(self.file).name}{self.part}"
        sizes = f"--horizon {self.horizon} --holdout {self.holdout} --time {time_budget}"
        fit = " ".join(f"rheos fit {source} {words} {sizes} --out model".split())
        return f"{fit} && rheos backtest model --from {source} --members {self.members}"


CASES = {
    "vic_elec": Case(
        "series/vic_elec.csv.xz",
        48,
        1344,
        ("roles.Holiday=known_future", "roles.Temperature=past", "roles.Date=ignore"),
        note="Demand, half-hourly, a day ahead",
    ),
    "nyc_taxi": Case("series/nyc_taxi.csv.gz", 48, 1344, note="passengers, half-hourly, a day ahead"),
    "weather": Case(
        "series/weather.csv.xz",
        24,
        672,
        ("data.duplicates=mean", "data.missing=[-9999]", "data.resample=1h"),
        note="21 variables, hourly means, a day ahead",
    ),
    "solar_fl": Case(
        "series/solar_fl_2006_daytime.npz",
        10,
        280,
        ("data.period=10",),
        "::power",
        note="216 plants, a day of 10 daylight hours ahead",
    ),
    "ersstv5": Case(
        "fields/ersstv5_sst_2010_2020.nc",
        6,
        36,
        members=20,
        note="sea-surface temperature on 89 x 180 cells, mean over leads of 1 to 6 months",
    ),
    "exchange": Case(
        "series/exchange_rate_nips.tar.gz",
        30,
        150,
        ("data.joint=true",),
        "::test",
        extra=(RandomWalk(),),
        note="8 rates, business days, 30 ahead; the bar is the bootstrap random walk beside it",
    ),
}


def run(data: Path, budget: str, names: list[str], threads: int, results: Path) -> None:
    """Fit and backtest each set; sets whose file is absent are skipped by name."""
    torch.set_num_threads(threads)
    keep_large_buffers()  # as the command line does
    for name in names:
        case = CASES[name]
        if not (data / case.file).exists():
            sys.stderr.write(f"{name}: {data / case.file} is absent, skipped\n")
            continue
        sys.stderr.write(f"{name} ...\n")
        result = measure(case, data, budget)
        write_json(results / f"skill-{name}.json", {"name": name, "threads": threads, **result})
        sys.stderr.write(f"{name}: {result['verdict']}\n")


def measure(case: Case, data: Path, budget: str) -> dict:
    """One set: what a user would type, with the scores it prints."""
    source = f"{data / case.file}{case.part}"
    words = [*case.words, f"holdout={case.holdout}", f"training.time={budget}"]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        forecaster = rheos.fit(source, case.horizon, words=words, out=Path(folder) / "model")
        fitted = time.perf_counter()
        card = rheos.backtest(
            forecaster,
            source,
            members=case.members,
            baselines=(*default_baselines(forecaster.model.layout), *case.extra),
        )
    history = forecaster.model.history
    return {
        "command": case.command(budget),
        "note": case.note,
        "budget": budget,
        "fit_seconds": round(fitted - began, 1),
        "backtest_seconds": round(time.perf_counter() - fitted, 1),
        "steps": history.steps,
        "best_step": history.best_step,
        "held_out": history.scores,
        "calibration": history.calibration.get("note", ""),
        "fingerprint": history.fingerprint,
        "recipe": differences(forecaster.model.recipe),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}",
        **card.to_dict(),
    }
