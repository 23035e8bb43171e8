"""Peers: forecasters of other libraries, behind the extra `peers`, through the same harness as baselines."""

from rheos.baseline.peer.base import FittedPeer, Peer

PEERS: tuple[type[Peer], ...] = ()

__all__ = ["PEERS", "FittedPeer", "Peer"]
