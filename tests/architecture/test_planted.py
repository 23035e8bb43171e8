"""The lists of planted errors fit the code: a changed line takes its error along."""

import importlib.util
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_every_planted_error_can_be_planted():
    """Each is whole, its line stands once in its file, the change is Python, and its tests exist."""
    spec = importlib.util.spec_from_file_location("planting", TESTS / "mutants.py")
    planting = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(planting)
    rooms = planting.collect([], [])
    assert len(rooms) == len(list(TESTS.rglob("planted.py")))
    assert [f"{m}: {why}" for room in rooms.values() for m in room if (why := m.problem())] == []
