"""What can be chosen about a forecast beside where it starts, how far it goes and how many members it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecasting:
    """What is known of the future, what is asked of it, and what the work may take.

    Attributes:
        given: known or supposed values of some variables over the horizon, a table (or gridded) with the
            data's stamps and names, empty where the forecast is wanted: members hold them and draw the rest
            given them, uncalibrated. For a model fitted with `times=per_group`; with `times=per_frame`,
            values of all variables at some frames; with `process=light_bridge`, any values.
        only: names of the variables to forecast, the others left out: their marginal law, or, with `given`,
            that given the values. For a model fitted with `times=per_group` or `process=light_bridge`, within
            its trained horizon.
        memory: most memory to use, "2GB" or bytes; checked before the start.
    """

    given: Any = None
    only: str | Sequence[str] | None = None
    memory: str | float | None = None
