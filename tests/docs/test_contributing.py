"""The worked example of CONTRIBUTING.md is a real method: its test passes, and so do its room's."""

import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from rheos.process.schedule import SCHEDULES, Schedule

ROOT = Path(__file__).resolve().parents[2]
TITLED = re.compile(r'^```python title="([^"]+)"\n(.*?)^```$', re.M | re.S)
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = dict(TITLED.findall(PAGE))
PLANTED = re.findall(r"^    \(\n(.*?)^    \),$", PAGE, re.M | re.S)
METHOD, TEST = FILES
NAME = METHOD.removeprefix("src/").removesuffix(".py").replace("/", ".")


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def functions(module: ModuleType) -> dict[str, tuple[object, list[str]]]:
    """Tests of a module and the names of their arguments."""
    tests = {n: f for n, f in vars(module).items() if n.startswith("test_")}
    return {n: (f, list(inspect.signature(f).parameters)) for n, f in tests.items()}


@pytest.fixture
def method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example's file, imported under the name it would have."""
    file = tmp_path / "method.py"
    file.write_text(FILES[METHOD], encoding="utf-8")
    module = load(file, NAME)
    monkeypatch.setitem(sys.modules, NAME, module)
    return module


def schedule_of(module: ModuleType) -> Schedule:
    found = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
    assert len(found) == 1
    return found[0]()


def test_its_own_test_passes(method, tmp_path):
    file = tmp_path / "example.py"
    file.write_text(FILES[TEST], encoding="utf-8")
    tests = functions(load(file, "example_of_a_test"))
    assert len(tests) >= 2
    for test, arguments in tests.values():
        assert arguments == []
        test()


def test_it_keeps_the_laws_of_its_room(method):
    room = functions(load(ROOT / "tests" / "process" / "test_schedule.py", "laws_of_schedules"))
    laws = [test for test, arguments in room.values() if arguments == ["schedule"]]
    assert len(laws) >= 4
    for law in laws:
        law(schedule_of(method))


def test_it_is_not_in_the_registry_yet(method):
    schedule = schedule_of(method)
    assert schedule.name() not in {known.name() for known in SCHEDULES}
    assert schedule.summary().endswith(".")


@pytest.mark.parametrize("block", PLANTED)
def test_its_planted_errors_break_a_law(block, method, tmp_path):
    file, old, new = re.findall(r'"(.*)",', block)
    assert file == METHOD
    assert FILES[METHOD].count(old) == 1
    broken = tmp_path / "broken.py"
    broken.write_text(FILES[METHOD].replace(old, new), encoding="utf-8")
    schedule = schedule_of(load(broken, "broken_example"))
    t = torch.linspace(0.01, 0.99, 50, dtype=torch.float64, requires_grad=True)
    exact = torch.autograd.grad(schedule.sigma(t).sum(), t)[0]
    assert not torch.allclose(schedule.d_sigma(t.detach()), exact)
