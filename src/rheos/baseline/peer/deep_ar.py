"""DeepAR of GluonTS: an autoregressive recurrent network with a Student-t output, unrolled by sampling.

Salinas, Flunkert, Gasthaus and Januschowski, "DeepAR: probabilistic forecasting with autoregressive
recurrent networks", IJF 2020, arXiv 1704.04110.
"""

from typing import Any, Literal

from rheos.baseline.peer.trained import NetworkPeer


class DeepAR(NetworkPeer):
    """Autoregressive recurrent network (GluonTS), members its sample paths."""

    kind: Literal["deep_ar"] = "deep_ar"

    def estimator(self, horizon: int, frequency: str, trainer: dict[str, Any]) -> Any:
        """See :class:`NetworkPeer`."""
        from gluonts.torch import DeepAREstimator

        return DeepAREstimator(freq=frequency, prediction_length=horizon, trainer_kwargs=trainer)
