"""From a CSV file to a forecast, its scores and the chance of an event.

    python examples/table.py FOLDER [a.b=c ...]

The data are monthly means of the sea-surface temperature off Peru, 1950-2010, which come with Rheos; words
such as training.time=30s or process=plain change the recipe.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import rheos
from rheos.data.sample_data import path
from rheos.evaluation.table import table

SOURCE = path("elnino")


def main(folder: Path, words: Sequence[str] = ()) -> rheos.Forecast:
    """Fit, backtest and forecast; the model and the table of quantiles are left in `folder`."""
    chosen = ["holdout=60", "training.time=1m", *words]
    forecaster = rheos.fit(SOURCE, horizon=6, words=chosen, out=folder / "model")

    # The last 60 months were kept out of everything that was fitted: ten windows of six months.
    print(table(rheos.backtest(forecaster, SOURCE, members=50)))

    forecast = forecaster.forecast(members=200, seed=1)
    chance = forecast.probability("max(sst_degC) > 26.5")
    print(f"\nchance of a month above 26.5 degC: {chance.probability.item():.0%}", end=" ")
    print(f"({chance.low.item():.0%} to {chance.high.item():.0%} with this many members)")
    quantiles = forecast.to_dataframe(levels=(0.05, 0.5, 0.95))
    quantiles.to_csv(folder / "forecast.csv", index=False)
    print(quantiles.to_string(index=False))
    return forecast


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "table-example")
    target.mkdir()
    main(target, sys.argv[2:])
