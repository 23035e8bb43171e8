"""`python -m benchmarks [skill|cost|adaptive|steps|...|page] ...`: measure, write.

Figures lie in benchmarks/results as JSON, one file a measurement; docs/benchmarks.md is made from them alone.
`skill`, `cost`, `steps`, `adaptive` and `page` are the usual ones, all others run when asked for; `speed`
needs an environment that has the extra speed-peers, `radar` one that has radar.
"""

import argparse
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    ablation,
    adaptive,
    cost,
    dropped,
    energy,
    few,
    modes,
    nbody,
    page,
    pedestrians,
    processes,
    processes_page,
    radar,
    recent,
    skill,
    speed,
    steps,
    unrest,
)

HERE = Path(__file__).parent
RESULTS, DOCS = HERE / "results", HERE.parent / "docs"


def _skill(chosen: Namespace) -> None:
    names = skill.QUICK if chosen.sets == ["quick"] else chosen.sets or list(skill.CASES)
    skill.run(chosen.data, chosen.time, names, chosen.threads, (chosen.work, RESULTS))


def _pedestrians(chosen: Namespace) -> None:
    scored = (chosen.threads, RESULTS, chosen.work, chosen.windows)
    pedestrians.run(chosen.data, chosen.steps or 300, chosen.scenes, *scored)


def _radar(chosen: Namespace) -> None:
    names = chosen.sets or list(radar.EVENTS)
    radar.run(chosen.data, chosen.steps or 200, names, chosen.threads, (chosen.work / "radar", RESULTS))


def _dropped(chosen: Namespace) -> None:
    dropped.run(chosen.data, chosen.time, chosen.sets or list(dropped.CASES), chosen.threads, RESULTS)


def _ablation(chosen: Namespace) -> None:
    ablation.run(chosen.data, chosen.sets or list(ablation.SETS), chosen.seeds, RESULTS)


def _page(chosen: Namespace) -> None:
    page.write(RESULTS, DOCS / "benchmarks.md")
    processes_page.write_guide(RESULTS, DOCS / "tasks" / "process.md")


USUAL = ("skill", "cost", "steps", "adaptive", "page")
MEASUREMENTS: dict[str, Callable[[Namespace], None]] = {
    "skill": _skill,
    "cost": lambda chosen: cost.run(RESULTS),
    "steps": lambda chosen: steps.run(RESULTS),
    "adaptive": lambda chosen: adaptive.run(RESULTS),
    "few": lambda chosen: few.run(chosen.data, chosen.steps or 4000, RESULTS),
    "energy": lambda chosen: energy.run(RESULTS),
    "processes": lambda chosen: processes.run(chosen.data, chosen.sets or list(processes.STUDIES), RESULTS),
    "ablation": _ablation,
    "dropped": _dropped,
    "unrest": lambda chosen: unrest.run(chosen.data, RESULTS),
    "recent": lambda chosen: recent.run(chosen.data, chosen.sets or recent.SETS, RESULTS),
    "modes": lambda chosen: modes.run(chosen.data, RESULTS),
    "nbody": lambda chosen: nbody.run(chosen.steps or 150, RESULTS),
    "pedestrians": _pedestrians,
    "radar": _radar,
    "speed": lambda chosen: speed.run(RESULTS, DOCS / "images", chosen.device),
    "page": _page,
}
"""In the order in which they are made."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", default=USUAL, help=", ".join(MEASUREMENTS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument(
        "--time", default="10m", help="training budget of each set; of dropped also steps=400"
    )
    parser.add_argument(
        "--steps", type=int, help="training steps of few (4000), nbody (150), pedestrians (300), radar (200)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="of each arm of ablation")
    parser.add_argument("--sets", nargs="*", help="which sets, all if not given, or `quick`")
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks"), help="where runs go on")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of training and forecasting")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where speed is measured")
    parser.add_argument("--scenes", nargs="*", default=list(pedestrians.FOLDS), help="pedestrians left out")
    parser.add_argument(
        "--windows", type=int, help="most windows of a scene of pedestrians; all if not given"
    )
    chosen = parser.parse_args()
    for word in chosen.what:
        if word not in MEASUREMENTS:
            parser.error(f"there is no measurement {word!r}; there are {', '.join(MEASUREMENTS)}")
    RESULTS.mkdir(exist_ok=True)
    for name, measure in MEASUREMENTS.items():
        if name in chosen.what:
            measure(chosen)


main()
