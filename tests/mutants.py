"""Plant one-line errors, one at a time, and see the tests of their room fail.

Every `tests/**/planted.py` holds a list PLANTED of (file, old, new) or (file, old, new, tests): in `file`
the text `old`, which must occur once, becomes `new`; then `tests`, by default the folder of the list, must
fail. Errors are planted in temporary copies, never in the working tree.

    python tests/mutants.py [room ...] [--file src/rheos/...] [--workers N]

To be quick, a room's tests first run once without an error, while it is noted which lines each test executes
and how long it takes. An error then meets the tests that run its statement, the quickest first, until one
fails; only where none does, the others follow. What all tests import is loaded once: each run is a fork.
Last, the tests that noticed an error must pass once more without one, again the quickest first.
"""

import argparse
import ast
import compileall
import contextlib
import importlib
import importlib.util
import json
import multiprocessing
import os
import py_compile
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("src", "tests", "pyproject.toml", "README.md", "docs", "examples")
CPU_SECONDS, SECONDS = 900, 7200  # a run that takes more has not ended; busy machines are slow, not wrong
# What the tests import, beside Rheos itself, which each run must load anew from its own copy.
PRELOADED = (
    *("torch", "numpy", "scipy.integrate", "scipy.optimize", "scipy.signal", "scipy.stats", "pandas"),
    *("pyarrow.parquet", "xarray", "zarr", "h5py", "h5netcdf", "cf_xarray", "cftime", "pydantic", "yaml"),
    *("typer", "rich", "safetensors.torch", "scoringrules", "matplotlib.pyplot", "jinja2", "jaxtyping"),
)
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted error and the tests that must notice it."""

    file: str
    old: str
    new: str
    tests: str

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}: {old[:60]!r} -> {new[:60]!r}"

    def problem(self) -> str | None:
        """Why this error cannot be planted, or None."""
        path = ROOT / self.file
        if not path.is_file():
            return "no such file"
        found = path.read_text().count(self.old)
        if found != 1:
            return f"the text occurs {found} times, not once"
        try:
            ast.parse(self.change(path.read_text()))
        except SyntaxError as error:
            return f"the change is not Python: {error}"
        absent = [name for name in self.tests.split() if not (ROOT / name).exists()]
        return f"no such tests: {', '.join(absent)}" if absent else None

    def change(self, text: str) -> str:
        """The file's text with the error in it."""
        return text.replace(self.old, self.new)

    def test_files(self) -> list[str]:
        """The files of its tests."""
        found: list[Path] = []
        for path in (ROOT / name for name in self.tests.split()):
            found += sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
        return [str(path.relative_to(ROOT)) for path in found]

    def blocks(self, text: str) -> list[set[int]]:
        """Lines of the changed statement, then of each block around it, as far as they lie in functions.

        Lines outside functions are left out: they run at the first import, whoever asks for it.
        """
        first = 1 + text.count("\n", 0, text.index(self.old))
        last = first + self.old.count("\n")
        statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
        inside: set[int] = set()
        for node in statements:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inside.update(range(node.body[0].lineno, node.end_lineno + 1))
        around = [node for node in statements if node.lineno <= first and last <= node.end_lineno]
        return [inside & {*range(node.lineno, node.end_lineno + 1)} for node in reversed(around)] + [inside]


@dataclass(slots=True)
class Outcome:
    """How a run of tests went: its last lines, the tests that failed, and what a :class:`Watch` noted."""

    passed: bool
    said: str
    failed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    reached: dict[str, list[list[str]]] = field(default_factory=dict)


class Choice:
    """Pytest plugin: some of the tests, the quickest first; notes which fail.

    Args:
        named: names of tests.
        wanted: whether to run these, or all others.
        seconds: how long tests take; those not in it come first.
    """

    def __init__(self, named: Collection[str], wanted: bool, seconds: Mapping[str, float]) -> None:
        self.named, self.wanted, self.seconds = named, wanted, seconds
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if (item.nodeid in self.named) == self.wanted]
        items[:] = sorted(chosen, key=lambda item: self.seconds.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


class Watch:
    """Pytest plugin: which lines each test runs, and how long it takes.

    What a fixture of more than one test does counts for every test that needs it.
    """

    def __init__(self, tree: Path) -> None:
        # Only a run needs it: the lists can be checked without.
        from coverage import Coverage

        self.tree = tree
        self.coverage = Coverage(data_file=None, config_file=False, include=[f"{tree}/src/rheos/*"])
        self.needs: dict[str, set[str]] = {}
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._here, self._since = "", time.perf_counter()

    @contextlib.contextmanager
    def _at(self, here: str) -> Iterator[None]:
        before = self._here
        self._turn_to(here)
        try:
            yield
        finally:
            self._turn_to(before)

    def _turn_to(self, here: str) -> None:
        now = time.perf_counter()
        self._spent[self._here] += now - self._since
        self._here, self._since = here, now
        self.coverage.switch_context(here)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Any:
        self.needs[item.nodeid] = {item.nodeid, *(f"fixture {name}" for name in item.fixturenames)}
        with self._at(item.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Any:
        if fixturedef.scope == "function":
            return (yield)
        with self._at(f"fixture {fixturedef.argname}"):
            return (yield)

    def seconds(self) -> dict[str, float]:
        """How long each test takes alone."""
        return {test: sum(self._spent.get(part, 0.0) for part in parts) for test, parts in self.needs.items()}

    def reached(self, mutants: Sequence[Mutant]) -> dict[str, list[list[str]]]:
        """By number of the error: which tests run its statement, and which each block around it."""
        data, found = self.coverage.get_data(), {}
        for number, mutant in enumerate(mutants):
            path = self.tree / mutant.file
            if not (contexts := data.contexts_by_lineno(str(path))):
                continue
            ran = [
                {context for line in block for context in contexts.get(line, ())}
                for block in mutant.blocks(path.read_text())
            ]
            found[str(number)] = [[t for t, parts in self.needs.items() if parts & block] for block in ran]
        return found


def collect(rooms: Sequence[str], files: Sequence[str]) -> dict[str, list[Mutant]]:
    """All planted errors by room, or those of some rooms, or in some files or folders."""
    mutants: dict[str, list[Mutant]] = {}
    for path in sorted((ROOT / "tests").rglob("planted.py")):
        room = path.parent.relative_to(ROOT)
        if rooms and room.name not in rooms:
            continue
        spec = importlib.util.spec_from_file_location(f"planted_{room.name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if torn := [entry for entry in module.PLANTED if len(entry) not in (3, 4)]:
            sys.exit(f"UNFIT     {path.relative_to(ROOT)}: not (file, old, new[, tests]): {torn}")
        every = (Mutant(file, old, new, *(tests or [str(room)])) for file, old, new, *tests in module.PLANTED)
        mutants[room.name] = [m for m in every if not files or m.file.startswith(tuple(files))]
    return mutants


def copy_tree(to: Path) -> None:
    """What the tests need of the tree, compiled so that content, not time, tells that a file was changed."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif source.is_file():
            shutil.copy(source, to / name)
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    for name in ("src", "tests"):
        compileall.compile_dir(to / name, quiet=1, invalidation_mode=mode)


class Bench:
    """What a worker process has: its own copy of the tree, in which it forks a process for every run."""

    tree: Path

    @classmethod
    def settle(cls, folder: str) -> None:
        """Make this process a worker."""
        cls.tree = Path(folder) / str(os.getpid())
        shutil.copytree(Path(folder) / "sound", cls.tree)

    @classmethod
    def run(cls, tests: Sequence[str], choice: Choice, watch: Sequence[Mutant] = ()) -> Outcome:
        """Run tests in a fork, all of them if it is to be noted which run the statements of some errors."""
        notes, log = cls.tree.with_suffix(".json"), cls.tree.with_suffix(".log")
        notes.unlink(missing_ok=True)
        child = FORK.Process(target=cls._run_here, args=(tests, choice, watch, notes, log))
        child.start()
        try:
            child.join(SECONDS)
        finally:
            if late := child.exitcode is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.join()
        if late:
            return Outcome(False, f"did not end within {SECONDS} s")
        said = "\n".join(log.read_text().splitlines()[-3:])
        told = json.loads(notes.read_text()) if notes.exists() else {}
        # A choice that holds none of the collected tests has noticed nothing.
        passed = child.exitcode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        return Outcome(passed, said, **told)

    @classmethod
    def _run_here(
        cls, tests: Sequence[str], choice: Choice, watch: Sequence[Mutant], notes: Path, log: Path
    ) -> None:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        with log.open("w") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        os.chdir(cls.tree)
        sys.path[0] = str(cls.tree)
        sys.path.insert(1, str(cls.tree / "src"))
        os.environ["PYTHONPATH"] = str(cls.tree / "src")
        temporary = f"--basetemp={cls.tree.with_suffix('.tmp')}"
        arguments = ["-q", "-p", "no:cacheprovider", "--assert=plain", temporary, *tests]
        if watch:
            watcher = Watch(cls.tree)
            with watcher.coverage.collect():
                code = pytest.main(arguments, [choice, watcher])
            told = {"seconds": watcher.seconds(), "reached": watcher.reached(watch)}
        else:
            code = pytest.main(["-x", *arguments], [choice])
            told = {}
        assert Path(importlib.import_module("rheos").__file__).is_relative_to(cls.tree)
        notes.write_text(json.dumps(told | {"failed": choice.failed}))
        sys.exit(code)


def sound(file: str, mutants: Sequence[Mutant]) -> Outcome:
    """One file's tests without an error, watched."""
    return Bench.run([file], Choice((), False, {}), mutants)


def alone(tests: Sequence[str], seconds: Mapping[str, float]) -> Outcome:
    """Some tests of one file without an error, in the order in which an error meets them."""
    return Bench.run([tests[0].split("::")[0]], Choice(tests, True, seconds))


def meet(mutant: Mutant, near: Collection[str], seconds: Mapping[str, float]) -> Outcome:
    """Plant an error and run the tests near it; if these pass, the others."""
    target = Bench.tree / mutant.file
    clean = target.read_text()
    target.write_text(mutant.change(clean))
    try:
        if near:
            files = sorted({test.split("::")[0] for test in near})
            outcome = Bench.run(files, Choice(near, True, seconds))
            if not outcome.passed:
                return outcome
        return Bench.run(mutant.tests.split(), Choice(near, False, seconds))
    finally:
        target.write_text(clean)


def nearest(number: int, outcomes: Sequence[Outcome]) -> set[str]:
    """The tests that run an error's statement, else the smallest block around it that any test runs."""
    by_file = [outcome.reached[str(number)] for outcome in outcomes if str(number) in outcome.reached]
    by_block = (set().union(*tests) for tests in zip(*by_file, strict=True))
    return next(filter(None, by_block), set())


def unsound(outcomes: Mapping[str, Outcome]) -> bool:
    """Say which files' tests fail without an error, if any."""
    failed = {file: outcome for file, outcome in outcomes.items() if not outcome.passed}
    for file, outcome in failed.items():
        which = " ".join(outcome.failed) or file
        print(f"UNSOUND   {which} fails without any planted error:\n{outcome.said}", flush=True)
    return bool(failed)


def plant(mutants: Sequence[Mutant], pool: ProcessPoolExecutor) -> int | None:
    """Plant the errors of a room and say how it went; how many survived, or None if tests are unsound."""
    files = list(dict.fromkeys(file for mutant in mutants for file in mutant.test_files()))
    before = dict(zip(files, pool.map(sound, files, repeat(mutants)), strict=True))
    if unsound(before):
        return None
    seconds = {test: spent for outcome in before.values() for test, spent in outcome.seconds.items()}
    near = [nearest(i, [before[f] for f in mutant.test_files()]) for i, mutant in enumerate(mutants)]
    alive, killers = 0, defaultdict(list)
    for mutant, outcome in zip(mutants, pool.map(meet, mutants, near, repeat(seconds)), strict=True):
        alive += outcome.passed
        print(f"{'SURVIVED ' if outcome.passed else 'killed   '} {mutant}", flush=True)
        for test in outcome.failed:
            killers[test.split("::")[0]].append(test)
    again = dict(zip(killers, pool.map(alone, killers.values(), repeat(seconds)), strict=True))
    return None if unsound(again) else alive


def main(arguments: Sequence[str]) -> int:
    """Read the lists, check them, and plant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", metavar="room", help="folders of tests; all by default")
    parser.add_argument("--file", action="append", default=[], help="only errors in this file or folder")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    rooms = collect(options.rooms, options.file)
    mutants = [mutant for room in rooms.values() for mutant in room]
    unfit = {mutant: problem for mutant in mutants if (problem := mutant.problem())}
    for mutant, problem in unfit.items():
        print(f"UNFIT     {mutant}: {problem}")
    if unfit or not mutants:
        print("no planted errors" if not mutants else "mend the lists first")
        return 1
    # Before torch and pytest read it. No test needs a plugin; coverage's other cores cannot tell tests apart.
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COVERAGE_CORE": "ctrace"}
    for name in PRELOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="rheos-mutants-") as folder:
        copy_tree(Path(folder) / "sound")
        with ProcessPoolExecutor(options.workers, FORK, Bench.settle, (folder,)) as pool:
            alive = [plant(room, pool) for room in rooms.values() if room]
    if None in alive:
        return 1
    print(f"{len(mutants) - sum(alive)} of {len(mutants)} planted errors were noticed.")
    return 1 if any(alive) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
