"""AutoETS of statsforecast: exponential smoothing in state-space form, the type by the corrected AIC.

Hyndman, Koehler, Snyder and Grose, "A state space framework for automatic forecasting using exponential
smoothing methods", IJF 2002.
"""

from typing import Literal

from rheos.baseline.peer.univariate import Model, UnivariatePeer


class AutoETS(UnivariatePeer):
    """Exponential smoothing, its type by search (statsforecast), members from resampled residuals."""

    kind: Literal["auto_ets"] = "auto_ets"

    def model(self, season: int) -> Model:
        """See :class:`UnivariatePeer`."""
        from statsforecast.models import AutoETS as Search

        found: Model = Search(season_length=season)
        return found
