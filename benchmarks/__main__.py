"""`python -m benchmarks [skill|cost|page] ...`: measure, keep the figures as JSON, write docs/benchmarks.md.

Figures lie in benchmarks/results, one file a measurement; the page is made from them alone.
"""

import argparse
from pathlib import Path

from benchmarks import cost, page, skill

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", default=["skill", "cost", "page"], help="skill, cost, page")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("--time", default="10m", help="training budget of each set")
    parser.add_argument("--sets", nargs="*", default=list(skill.CASES), help="which sets")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of training and forecasting")
    chosen = parser.parse_args()
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    if "skill" in chosen.what:
        skill.run(chosen.data, chosen.time, chosen.sets, chosen.threads, results)
    if "cost" in chosen.what:
        cost.run(results)
    if "page" in chosen.what:
        page.write(results, HERE.parent / "docs" / "benchmarks.md")


main()
