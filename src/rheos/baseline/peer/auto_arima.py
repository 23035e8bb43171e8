"""AutoARIMA of statsforecast: seasonal ARIMA, orders by stepwise search over the corrected AIC.

Hyndman and Khandakar, "Automatic time series forecasting: the forecast package for R", JSS 2008.
"""

from typing import Literal

from rheos.baseline.peer.univariate import Model, UnivariatePeer


class AutoARIMA(UnivariatePeer):
    """ARIMA by stepwise search (statsforecast), members from resampled residuals."""

    kind: Literal["auto_arima"] = "auto_arima"

    def model(self, season: int) -> Model:
        """See :class:`UnivariatePeer`."""
        from statsforecast.models import AutoARIMA as Search

        found: Model = Search(season_length=season)
        return found
