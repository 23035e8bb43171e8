"""Peers: forecasters of other libraries, behind the extra `peers`, through the same harness as baselines."""

from rheos.baseline.peer.auto_arima import AutoARIMA
from rheos.baseline.peer.auto_ets import AutoETS
from rheos.baseline.peer.base import FittedPeer, Peer
from rheos.baseline.peer.deep_ar import DeepAR
from rheos.baseline.peer.patch_tst import PatchTST

PEERS: tuple[type[Peer], ...] = (
    AutoARIMA,
    AutoETS,
    DeepAR,
    PatchTST,
)

__all__ = ["PEERS", "AutoARIMA", "AutoETS", "DeepAR", "FittedPeer", "PatchTST", "Peer"]
