"""PatchTST of GluonTS: a transformer on patches of the history, a Student-t for every lead time.

Nie, Nguyen, Sinthong and Kalagnanam, "A time series is worth 64 words: long-term forecasting with
transformers", ICLR 2023, arXiv 2211.14730. Its leads are drawn independently of each other.
"""

from typing import Any, Literal

from rheos.baseline.peer.trained import NetworkPeer

_PATCH = 16  # frames, as in the paper


class PatchTST(NetworkPeer):
    """Transformer on patches (GluonTS), leads drawn independently."""

    kind: Literal["patch_tst"] = "patch_tst"

    def estimator(self, horizon: int, frequency: str, trainer: dict[str, Any]) -> Any:
        """See :class:`NetworkPeer`."""
        from gluonts.torch import PatchTSTEstimator

        return PatchTSTEstimator(
            prediction_length=horizon,
            context_length=min(max(8 * horizon, 4 * _PATCH), 32 * _PATCH),
            patch_len=_PATCH,
            trainer_kwargs=trainer,
        )
