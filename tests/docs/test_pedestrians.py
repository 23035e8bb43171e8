"""The protocol of the pedestrian benchmark: who is fitted on, which windows count, what is scored."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

_FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "pedestrians.py"
_SPEC = importlib.util.spec_from_file_location("pedestrians", _FILE)
pedestrians = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(pedestrians)


def table():
    """Walkers who go straight: 1 for 25 frames, 2 for 19, too few for a window."""
    rows = [
        (scene, "train" if frame < 12 else "val", 10 * frame, agent, 0.3 * frame + agent, 0.1 * frame)
        for scene in ("biwi_eth", "biwi_hotel", "students001", "students003", "uni_examples")
        for agent, frames in ((1, 25), (2, 19))
        for frame in range(frames)
    ]
    return pd.DataFrame(rows, columns=["scene", "split", "frame", "id", "x", "y"])


def test_a_scene_left_out_is_scored_whole_and_never_fitted_on():
    fitted, held_out = pedestrians.folds(table(), "eth")
    assert set(held_out["scene"]) == {"biwi_eth"}
    assert len(held_out) == 25 + 19
    assert set(fitted["scene"]) == {"biwi_hotel", "students001", "students003", "uni_examples"}
    assert fitted["frame"].max() == 110
    fitted, held_out = pedestrians.folds(table(), "univ")
    assert set(fitted["scene"]) == {"biwi_eth", "biwi_hotel"}
    assert set(held_out["scene"]) == {"students001", "students003"}


def test_windows_hold_those_who_are_there_in_all_twenty_frames():
    _, held_out = pedestrians.folds(table(), "univ")
    found = list(pedestrians.windows(held_out))
    assert [window.origin for window in found] == 2 * list(range(8, 14))
    assert all(window.agents.tolist() == [True, False] for window in found)


def test_straight_walkers_are_foreseen_by_constant_velocity():
    _, held_out = pedestrians.folds(table(), "eth")
    found = list(pedestrians.windows(held_out))
    exact = pedestrians.score(found, pedestrians.going(held_out, 1, turn=0.0, spread=0.0))
    assert list(exact) == list(pedestrians.FIGURES)
    assert max(exact.values()) < 1e-5
    scattered = pedestrians.score(found, pedestrians.going(held_out, 20))
    assert 0 < scattered["best_ade"] < scattered["ade"] < scattered["fde"]

    def late(recording, origin):
        return np.repeat(recording.values[None, origin - 1 : origin], 12, axis=1)

    still = pedestrians.score(found, late)
    speed = np.hypot(0.3, 0.1)
    assert still["fde"] == pytest.approx(12 * speed, rel=1e-5)
    assert still["ade"] == pytest.approx(6.5 * speed, rel=1e-5)
