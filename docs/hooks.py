"""Pages that are made from the code: methods, options, command line.

mkdocs calls `on_files`, which adds a page for every method, and `on_page_markdown`; a page asks for a list by
the line `<!-- generated: methods -->`.
"""

import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import torch
import typer

from rheos.cli import app
from rheos.forecast.catalog import ROOMS
from rheos.forecast.page import Page, page_of
from rheos.forecast.recipe import Recipe
from rheos.forecast.told import sections
from rheos.process import PROCESSES, Process
from rheos.sample import PRESETS, Preset, variance_ratio
from rheos.sample.compatibility import compatibility
from rheos.sample.grid import GRIDS
from rheos.sample.solver import SOLVERS

MARK = re.compile(r"<!-- generated: (\w+) -->")
PLAIN = str.maketrans({mark: f"\\{mark}" for mark in "\\*_[]"} | {"<": "&lt;"})


def cell(text: object) -> str:
    """Text that fits into a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def table(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell(c) for c in line) + " |" for line in lines)


def arxiv(numbers: Iterable[str]) -> str:
    """Papers as links."""
    return ", ".join(f"[{number}](https://arxiv.org/abs/{number})" for number in numbers)


@cache
def pages() -> dict[str, Page]:
    """The page of every method by its address below docs/."""
    return {
        f"methods/{room}/{method.name()}.md": page_of(room, method)
        for room, registry in ROOMS.items()
        for method in registry
    }


def methods() -> str:
    """Word, line and papers of every method, by room; the word leads to its page."""
    rooms: dict[str, list[tuple[object, ...]]] = {}
    for address, page in pages().items():
        row = (f"[`{page.word}`]({address})", page.summary, arxiv(page.papers))
        rooms.setdefault(page.room, []).append(row)
    heads = ("word", "what it is", "papers")
    return "\n\n".join(f"## {room.replace('_', ' ')}\n\n{table(heads, rows)}" for room, rows in rooms.items())


def prose(text: str) -> str:
    """A docstring's paragraph as Markdown that shows it as it is written, code between backticks kept."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else part.translate(PLAIN) for part in parts)


def method_page(page: Page) -> str:
    """A method's page: its equation first, then what it is, how it is named, its options and its company."""
    heads = ("option", "default", "meaning")
    body = "\n\n".join(part if part.startswith("    ") else prose(part) for part in page.body)
    parts = [
        f"# {page.word}",
        f"[{page.room.replace('_', ' ')}](../../methods.md#{page.room.replace('_', '-')})",
        f"```text\n{page.equation}\n```",
        f"**{prose(page.summary)}**",
        body,
        "\n".join(f"- {line}" for line in page.said),
        f"## Options\n\n{table(heads, [*page.options])}" if page.options else "",
        "## Goes with\n\n" + "\n".join(f"- {prose(line)}" for line in page.company) if page.company else "",
        f"## Papers\n\n{arxiv(page.papers)}" if page.papers else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


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


def on_files(files: Any, config: Any) -> Any:
    """Add the page of every method; none stands in the navigation, the list leads to them."""
    from mkdocs.structure.files import File, InclusionLevel

    for address, page in pages().items():
        made = File.generated(config, address, content=method_page(page), inclusion=InclusionLevel.NOT_IN_NAV)
        files.append(made)
    return files


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
