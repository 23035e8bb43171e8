"""`python -m benchmarks [skill|cost|adaptive|steps|few|dropped|speed|page|...] ...`: measure, write.

Figures lie in benchmarks/results as JSON, one file a measurement; docs/benchmarks.md is made from them alone.
`speed` is measured when asked for, in an environment that has the extra speed-peers; so are `few`, `dropped`,
`unrest`, `pedestrians` and `radar`.
"""

import argparse
from pathlib import Path

from benchmarks import adaptive, cost, dropped, few, page, pedestrians, radar, skill, speed, steps, unrest

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    usual = ["skill", "cost", "steps", "adaptive", "page"]
    parser.add_argument(
        "what",
        nargs="*",
        default=usual,
        help=", ".join((*usual, "few", "dropped", "unrest", "speed", "pedestrians", "radar")),
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument(
        "--time", default="10m", help="training budget of each set; of dropped also steps=400"
    )
    parser.add_argument("--steps", type=int, help="training steps: of few 4000, of radar 200 if not given")
    parser.add_argument("--sets", nargs="*", help="which sets, all if not given, or `quick`")
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks"), help="where runs go on")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of training and forecasting")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where speed is measured")
    parser.add_argument("--scenes", nargs="*", default=list(pedestrians.FOLDS), help="pedestrians left out")
    parser.add_argument(
        "--windows", type=int, help="most windows of a scene of pedestrians; all if not given"
    )
    chosen = parser.parse_args()
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    if "skill" in chosen.what:
        names = skill.QUICK if chosen.sets == ["quick"] else chosen.sets or list(skill.CASES)
        skill.run(chosen.data, chosen.time, names, chosen.threads, (chosen.work, results))
    if "cost" in chosen.what:
        cost.run(results)
    if "adaptive" in chosen.what:
        adaptive.run(results)
    if "pedestrians" in chosen.what:
        pedestrians.run(chosen.data, chosen.time, chosen.scenes, chosen.threads, results, chosen.windows)
    if "radar" in chosen.what:
        names = chosen.sets or list(radar.EVENTS)
        radar.run(chosen.data, chosen.steps or 200, names, chosen.threads, (chosen.work / "radar", results))
    if "dropped" in chosen.what:
        names = chosen.sets or list(dropped.CASES)
        dropped.run(chosen.data, chosen.time, names, chosen.threads, results)
    if "speed" in chosen.what:
        speed.run(results, HERE.parent / "docs" / "images", chosen.device)
    if "unrest" in chosen.what:
        unrest.run(chosen.data, results)
    if "few" in chosen.what:
        few.run(chosen.data, chosen.steps or 4000, results)
    if "steps" in chosen.what:
        steps.run(results)
    if "page" in chosen.what:
        page.write(results, HERE.parent / "docs" / "benchmarks.md")


main()
