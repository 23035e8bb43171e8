"""Peers: other libraries' forecasters, behind the extras `peers` and `radar`, in the harness of baselines."""

from rheos.baseline.peer.auto_arima import AutoARIMA
from rheos.baseline.peer.auto_ets import AutoETS
from rheos.baseline.peer.base import FittedPeer, Peer
from rheos.baseline.peer.deep_ar import DeepAR
from rheos.baseline.peer.extrapolation import Extrapolation
from rheos.baseline.peer.patch_tst import PatchTST
from rheos.baseline.peer.steps import Steps

PEERS: tuple[type[Peer], ...] = (
    AutoARIMA,
    AutoETS,
    DeepAR,
    PatchTST,
    Extrapolation,
    Steps,
)

__all__ = [
    "PEERS",
    "AutoARIMA",
    "AutoETS",
    "DeepAR",
    "Extrapolation",
    "FittedPeer",
    "PatchTST",
    "Peer",
    "Steps",
]
