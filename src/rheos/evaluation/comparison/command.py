"""The one command that makes a comparison again."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rheos.data.options import BY_COLUMN
from rheos.evaluation.comparison.contender import (
    BaselineContender,
    Contender,
    ModelContender,
    RecipeContender,
)
from rheos.evaluation.comparison.settings import Comparing
from rheos.evaluation.comparison.task import Task


def as_words(options: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Nested options as the `a.b=c` words that give them."""
    for name, value in options.items():
        here = (*path, name)
        if isinstance(value, Mapping) and value:
            yield from as_words(value, here)
        else:
            place = ".".join(
                here[1:] if path[:1] == ("data",) and path[1:2] and path[1] in BY_COLUMN else here
            )
            plain = isinstance(value, str) and yaml.safe_load(value) == value
            yield f"{place}={value if plain else json.dumps(value)}"


def command_of(
    source: Any,
    task: Task,
    common: Mapping[str, Any],
    contenders: Sequence[Contender],
    settings: Comparing,
    out: str | Path | None,
) -> str:
    """The command line, or "" where a source or a contender lies in memory only.

    Args:
        source: as given.
        task: what is compared on.
        common: options of all recipes.
        contenders: who takes part.
        settings: of the comparison, its subject and reference found.
        out: the folder, if there is one.
    """
    if not isinstance(source, str | Path):
        return ""
    parts = ["rheos", "compare", str(source), *as_words(common)]
    parts += ["--horizon", str(task.horizon), "--holdout", str(task.holdout)]
    methods = []
    for contender in contenders:
        if isinstance(contender, RecipeContender):
            if contender.own or contender.name != "rheos":
                parts += ["--recipe", f"{contender.name}={shlex.join(as_words(contender.own))}"]
            else:
                methods.append("rheos")
        elif isinstance(contender, ModelContender) and contender.folder is not None:
            parts += ["--model", f"{contender.name}={contender.folder}"]
        elif isinstance(contender, BaselineContender) and _by_name(contender):
            methods.append(contender.name)
        else:
            return ""
    parts += ["--methods", ",".join(methods)]
    parts += ["--windows", str(task.windows), "--members", str(task.members), "--quality", task.quality]
    parts += ["--seeds", ",".join(map(str, settings.seeds)), "--score", settings.score]
    given = {name: getattr(settings, name) for name in ("subject", "reference", "time")} | {"out": out}
    for name, value in given.items():
        if value is not None:
            parts += [f"--{name}", str(value)]
    return shlex.join(parts)


def _by_name(contender: BaselineContender) -> bool:
    """Whether the method's word alone brings it back; its time budget is the comparison's."""
    method = contender.baseline
    own = method.model_dump(exclude={"time", "seed"})
    return contender.name == method.name() and own == type(method)().model_dump(exclude={"time", "seed"})
