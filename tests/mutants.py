"""Plant one-line errors, one at a time, and see the tests of their room fail.

Every `tests/**/planted.py` holds a list PLANTED of (file, old, new) or (file, old, new, tests): in `file`
the text `old`, which must occur once, becomes `new`; then `tests`, by default the folder of the list, must
fail. Errors are planted in a temporary copy, never in the working tree.

    python tests/mutants.py [room ...]
"""

import ast
import importlib.util
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("src", "tests", "pyproject.toml", "README.md", "docs", "examples")
WORKERS = 2
TIMEOUT = 900


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
        return None

    def change(self, text: str) -> str:
        """The file's text with the error in it."""
        return text.replace(self.old, self.new)


def collect(rooms: Sequence[str]) -> list[Mutant]:
    """All planted errors, or those of some rooms."""
    mutants = []
    for path in sorted((ROOT / "tests").rglob("planted.py")):
        room = path.parent.relative_to(ROOT)
        if rooms and room.name not in rooms:
            continue
        spec = importlib.util.spec_from_file_location(f"planted_{room.name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for file, old, new, *tests in module.PLANTED:
            mutants.append(Mutant(file, old, new, tests[0] if tests else str(room)))
    return mutants


def copy_tree(to: Path) -> None:
    """What the tests need of the tree, without compiled files: they could hide a change."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif source.is_file():
            shutil.copy(source, to / name)


def run(tree: Path, tests: str) -> tuple[bool, str]:
    """Whether the tests pass in a copy, and the last lines of what they say."""
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests.split()]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return False, f"did not end within {TIMEOUT} s"
    return done.returncode == 0, "\n".join((done.stdout + done.stderr).splitlines()[-3:])


def main(rooms: Sequence[str]) -> int:
    """Plant every error; 0 if each one was noticed."""
    mutants = collect(rooms)
    failed = False
    for mutant in mutants:
        if problem := mutant.problem():
            print(f"UNFIT     {mutant}: {problem}")
            failed = True
    if failed or not mutants:
        print("no planted errors" if not mutants else "mend the lists first")
        return 1
    with tempfile.TemporaryDirectory(prefix="rheos-mutants-") as folder:
        trees: queue.Queue[Path] = queue.Queue()
        for worker in range(WORKERS):
            copy_tree(Path(folder) / str(worker))
            trees.put(Path(folder) / str(worker))

        def sound(tests: str) -> tuple[str, bool, str]:
            tree = trees.get()
            passed, said = run(tree, tests)
            trees.put(tree)
            return tests, passed, said

        def survives(mutant: Mutant) -> tuple[Mutant, bool]:
            tree = trees.get()
            target = tree / mutant.file
            clean = target.read_text()
            target.write_text(mutant.change(clean))
            passed, _ = run(tree, mutant.tests)
            target.write_text(clean)
            trees.put(tree)
            return mutant, passed

        with ThreadPoolExecutor(WORKERS) as pool:
            for tests, passed, said in pool.map(sound, dict.fromkeys(m.tests for m in mutants)):
                if not passed:
                    print(f"UNSOUND   {tests} fails without any planted error:\n{said}")
                    failed = True
            if failed:
                return 1
            alive = 0
            for mutant, survived in pool.map(survives, mutants):
                alive += survived
                print(f"{'SURVIVED ' if survived else 'killed   '} {mutant}", flush=True)
    print(f"{len(mutants) - alive} of {len(mutants)} planted errors were noticed.")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
