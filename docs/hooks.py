"""Pages that are made from the code: methods, options, command line.

mkdocs calls `on_page_markdown`; a page asks for a list by the line `<!-- generated: methods -->`.
"""

import math
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, get_args

import torch
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from rheos.cli import app
from rheos.core.method import Method
from rheos.forecast.catalog import ROOMS
from rheos.forecast.recipe import Recipe
from rheos.process import PROCESSES, Process
from rheos.sample import PRESETS, Preset, variance_ratio
from rheos.sample.compatibility import compatibility
from rheos.sample.grid import GRIDS
from rheos.sample.solver import SOLVERS

MARK = re.compile(r"<!-- generated: (\w+) -->")
PAPER = re.compile(r"arXiv[ :]+(\d{4}\.\d{4,5})|(doi:\S+)")


def cell(text: object) -> str:
    """Text that fits into a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def table(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell(c) for c in line) + " |" for line in lines)


def papers(method: type[Method]) -> str:
    """The arXiv papers that a method's class or file names, as links."""
    told = f"{method.__doc__}\n{sys.modules[method.__module__].__doc__}"
    numbers = dict.fromkeys(match[1] for match in PAPER.finditer(told) if match[1])
    return ", ".join(f"[{number}](https://arxiv.org/abs/{number})" for number in numbers)


def methods() -> str:
    """Word, line and papers of every method, by room."""
    parts = []
    for room, registry in ROOMS.items():
        rows = [(f"`{m.name()}`", m.summary(), papers(m)) for m in registry]
        parts.append(f"## {room.replace('_', ' ')}\n\n{table(('word', 'what it is', 'papers'), rows)}")
    return "\n\n".join(parts)


def combinations() -> str:
    """Each process against the other rooms, and why what is left out is."""
    found = {recipe.name(): compatibility(recipe()) for recipe in PROCESSES}
    rooms = list(next(iter(found.values())))
    rows: list[tuple[object, ...]] = []
    reasons: dict[str, list[str]] = {}
    for process, choices in found.items():
        cells = []
        for room in rooms:
            without = [word for word, reason in choices[room].items() if reason]
            cells.append("all" if not without else "all but " + ", ".join(f"`{word}`" for word in without))
            for word in without:
                reasons.setdefault(str(choices[room][word]), []).append(f"`{process}` with `{word}`")
        rows.append((f"`{process}`", *cells))
    why = "\n".join(f"- {', '.join(pairs)}: {cell(reason)}" for reason, pairs in reasons.items())
    return f"{table(('process', *rooms), rows)}\n\n## Why not\n\n{why}"


def told(model: type[BaseModel]) -> dict[str, str]:
    """What the docstring's `Attributes:` say of each field, base classes included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        _, _, attributes = (base.__dict__.get("__doc__") or "").partition("Attributes:\n")
        for match in re.finditer(r"^ {8}(\w+): (.*(?:\n {9,}.*)*)", attributes, re.M):
            found[match[1]] = " ".join(match[2].split())
    return found


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def default_of(model: type[BaseModel], name: str) -> str:
    """How a field's default is typed."""
    field = model.model_fields[name]
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "from the data" if name == "history" else "needed"
    if isinstance(value, Method):
        return f"`{value.name()}`"
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(v.name() if isinstance(v, Method) else str(v) for v in value)}]`"
    return "" if value is None else f"`{value}`"


def allowed(annotation: Any) -> str:
    """The words a field takes, where it takes words."""
    if methods_there := [m for m in models_in(annotation) if issubclass(m, Method)]:
        return ", ".join(f"`{m.name()}`" for m in methods_there) if len(methods_there) > 1 else ""
    words = [word for part in get_args(annotation) for word in get_args(part) if isinstance(word, str)]
    words += [word for word in get_args(annotation) if isinstance(word, str)]
    return ", ".join(f"`{word}`" for word in words)


def rows_of(model: type[BaseModel], prefix: str) -> list[tuple[object, ...]]:
    """One row a field that has a value of its own."""
    lines = told(model)
    rows: list[tuple[object, ...]] = []
    for name, field in model.model_fields.items():
        if name == "kind":
            continue
        choices = allowed(field.annotation)
        meaning = lines.get(name, "") + (f" One of {choices}." if choices else "")
        rows.append((f"`{prefix}{name}`", default_of(model, name), meaning))
    return rows


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, list[tuple[object, ...]]]]:
    """Heading, line and rows of a model and of all that its fields may hold."""
    first = (model.__doc__ or "").strip().split("\n")[0]
    kind = f"{prefix.rstrip('.')}={model.name()}" if issubclass(model, Method) else prefix.rstrip(".")
    rows = rows_of(model, prefix)
    if rows:
        yield kind or "Recipe", first, rows
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            yield from sections(inner, f"{prefix}{name}.")


def options() -> str:
    """Every option of a recipe, from the models that read it."""
    heads = ("option", "default", "meaning")
    # Several processes take the same schedules: each is told once.
    parts = {title: f"{line}\n\n{table(heads, rows)}" for title, line, rows in sections(Recipe)}
    return "\n\n".join(f"## `{title}`\n\n{text}" for title, text in parts.items())


def commands() -> str:
    """Every command with its arguments and options, from the command line itself."""
    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="rheos")
    parts = []
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        rows: list[tuple[object, ...]] = []
        for parameter in command.params:
            option = parameter.param_type_name == "option"
            label = ", ".join(parameter.opts) if option else str(parameter.name).upper()
            given = parameter.default
            shown = "" if given is None or given is False else f"`{given}`"
            rows.append((f"`{label}`", "needed" if parameter.required else shown, parameter.help or ""))
        parts.append(f"## rheos {name}\n\n{command.help}\n\n{table(('word', 'default', 'meaning'), rows)}")
    return "\n\n".join(parts)


def solver_bias() -> str:
    """The worst mode's variance ratio of every preset, and of every linear solver on every grid."""
    modes = torch.logspace(-3, math.log10(30.0), 40, dtype=torch.float64)
    process = Process()

    def worst(chosen: Preset) -> str:
        return f"{variance_ratio(process, modes, preset=chosen, floor=0.0).worst:.4g}"

    words = [
        (f"`{word}`", f"`{p.solver.name()}`", f"`{p.grid.name()}`", p.evaluations, worst(p))
        for word, p in PRESETS.items()
    ]
    rows: list[tuple[object, ...]] = [
        (
            f"`{solver.name()}`",
            f"`{grid.name()}`",
            *(worst(Preset(solver=solver(), grid=grid(), evaluations=n)) for n in (5, 10, 20, 50)),
        )
        for solver in SOLVERS
        if solver().linear
        for grid in GRIDS
    ]
    presets = table(("preset", "solver", "grid", "calls", "worst mode"), [*words])
    return f"{presets}\n\n{table(('solver', 'grid', '5', '10', '20', '50'), rows)}"


GENERATED: dict[str, Callable[[], str]] = {
    "methods": methods,
    "options": options,
    "cli": commands,
    "combinations": combinations,
    "solver_bias": solver_bias,
}


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the generated lists in the place of their marks."""
    return MARK.sub(lambda match: GENERATED[match[1]](), markdown)
