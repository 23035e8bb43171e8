"""The table of what must be known ahead, for the user to fill in."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rheos.core.errors import InputError
from rheos.core.files import write_text
from rheos.data.calendar import through
from rheos.forecast.forecaster import load
from rheos.forecast.store import require_free


def write_template(model: Path, source: Any, out: Path) -> Path:
    """Write the horizon's frames with one empty column a known-future covariate.

    Values that the source already holds for those frames are filled in. Columns have
    the names they have in the source: append the table's rows to it (targets left empty) and forecast.

    Args:
        model: a model folder.
        source: data to forecast from; None: the end of the training data.
        out: a CSV file, which must not exist.

    Raises:
        InputError: `out` exists, or the model knows nothing ahead but the calendar.
    """
    forecaster = load(model)
    layout = forecaster.model.layout
    if not layout.known_future:
        raise InputError(
            f"{model} uses no known-future column, so there is nothing to fill in; its forecasts need only "
            "the calendar."
        )
    require_free(out)
    horizon = forecaster.model.recipe.horizon
    tables = []
    for recording in forecaster.read(source).recordings:
        first, last = recording.observed, recording.observed + horizon
        known = recording.known_future[first:last]
        values = np.full((horizon, len(layout.known_future)), np.nan)
        values[: len(known)] = known
        table = pd.DataFrame(values, columns=list(layout.known_future))
        table.insert(0, layout.time, through(recording.stamps, layout.frequency, last)[first:])
        if recording.name:
            table.insert(0, layout.sequence, recording.name)
        tables.append(table)
    write_text(out, pd.concat(tables).to_csv(index=False))
    return out
