"""The folder of a comparison: a record of what is compared, and one file a result, each whole or absent."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rheos.core.errors import InputError
from rheos.core.files import read_json, write_json, write_text
from rheos.evaluation.comparison.contender import Contender
from rheos.evaluation.comparison.result import Result, versions
from rheos.evaluation.comparison.task import Task

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")


def check_names(names: Sequence[str]) -> None:
    """Raise InputError where two have one name, or a name cannot be that of a file."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} cannot name a result; use letters, digits, _, -, + and dots.")
        if list(names).count(name) > 1:
            raise InputError(f"two of the forecasters to compare are called {name!r}; give each a name.")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a comparison is kept, so that the same command goes on where it was stopped."""

    path: Path

    def begin(self, task: Task, contenders: Sequence[Contender], seeds: Sequence[int], command: str) -> None:
        """Check that the folder is free or this task's own, and write the record.

        Raises:
            InputError: the folder holds something else, or another recipe under one of these names.
        """
        described = {c.name: c.describe(task, seeds[0]) for c in contenders}
        identity = task.identity()
        record = self.path / "record.json"
        if record.exists():
            found = read_json(record)
            if not isinstance(found, dict) or found.get("task") != identity:
                raise InputError(
                    f"{self.path} holds a comparison of other data, windows or members; give another --out."
                )
            for name, description in described.items():
                if found.get("methods", {}).get(name, description) != description:
                    raise InputError(
                        f"{self.path} holds results of another {name!r}; give it another name, or another "
                        "--out."
                    )
            described = {**found.get("methods", {}), **described}
        elif self.path.exists() and any(self.path.iterdir()):
            raise InputError(f"{self.path} is in the way and no comparison; move it or give another --out.")
        (self.path / "results").mkdir(parents=True, exist_ok=True)
        (self.path / "models").mkdir(exist_ok=True)
        content = {
            "format": FORMAT,
            "command": command,
            "task": identity,
            "seeds": list(seeds),
            "methods": described,
            "versions": versions(),
        }
        write_json(record, content)

    def model(self, name: str, seed: int) -> Path:
        """Where a contender may keep its model."""
        return self.path / "models" / f"{name}-seed{seed}"

    def _file(self, name: str, seed: int) -> Path:
        return self.path / "results" / f"{name}-seed{seed}.json"

    def has(self, name: str, seed: int) -> bool:
        """Whether a result was made before."""
        return self._file(name, seed).exists()

    def result(self, contender: Contender, seed: int, task: Task) -> Result | None:
        """A result made before, or None.

        Raises:
            InputError: it is damaged, or of another contender of that name.
        """
        path = self._file(contender.name, seed)
        if not path.exists():
            return None
        result = Result.from_dict(read_json(path), task)
        if result.description != json.loads(json.dumps(contender.describe(task, seed))):
            raise InputError(f"{path} is of another {contender.name!r}; give another name or another --out.")
        return result

    def keep(self, result: Result) -> None:
        """Write one result."""
        # One line: a result is thousands of numbers, and nobody reads them as they lie there.
        text = json.dumps(result.to_dict(), allow_nan=False)
        write_text(self._file(result.name, result.seed), text + "\n")

    def finish(self, content: dict[str, Any], table: str, picture: bytes) -> None:
        """Write what is read: the comparison, its table and its picture."""
        write_json(self.path / "comparison.json", content)
        write_text(self.path / "table.md", table)
        aside = self.path / "skill-against-cost.png.writing"
        aside.write_bytes(picture)
        aside.replace(self.path / "skill-against-cost.png")
