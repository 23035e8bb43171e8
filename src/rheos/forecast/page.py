"""The page of a method, from its docstrings and by trial: equation, what it is, options, company, papers.

A file opens with the equation, so its docstring's first paragraph is that. Where methods share a file, it is
the paragraph after the first line of the class, if there is one.
"""

import difflib
import inspect
import re
import sys
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import Any

from rheos.core.errors import InputError
from rheos.core.method import Method
from rheos.forecast.catalog import ROOMS
from rheos.forecast.company import company, said_as
from rheos.forecast.told import Row, rows_of

_PAPER = re.compile(r"arXiv[ :]+(\d{4}\.\d{4,5})")
_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")
_SOURCE = re.compile(r"arXiv[ :]+\d{4}\.\d{4,5}|\b(?:1[89]|20)\d\d\b|Rheos' own")
_SHARED = Counter(method.__module__ for registry in ROOMS.values() for method in registry)
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to say of a method.

    Attributes:
        room: where it belongs.
        word: that selects it.
        equation: what it is in symbols, or where there are none in one statement.
        summary: what it is in one line.
        body: further paragraphs as written; indented ones are equations.
        said: how it is named in a recipe, a preset, a comparison or Python.
        options: name, default and meaning.
        company: what it goes with, and why not with the rest.
        papers: numbers at arXiv.
    """

    room: str
    word: str
    equation: str
    summary: str
    body: tuple[str, ...]
    said: tuple[str, ...]
    options: tuple[Row, ...]
    company: tuple[str, ...]
    papers: tuple[str, ...]

    @property
    def sourced(self) -> bool:
        """Whether it names a paper or a book, or says that it is Rheos' own."""
        return bool(_SOURCE.search("\n".join((self.equation, self.summary, *self.body))))

    def text(self) -> str:
        """As the terminal shows it."""
        parts = [f"{self.room}: {self.word}", textwrap.indent(self.equation, "    "), _flow(self.summary)]
        parts += [part if part.startswith(" ") else _flow(part) for part in self.body]
        parts.append("\n".join(f"    {line}" for line in self.said))
        if self.options:
            parts.append("Options:\n" + "\n".join(map(_option, self.options)))
        if self.company:
            parts.append("Goes with:\n" + "\n".join(_flow(f"- {line}", "  ") for line in self.company))
        if self.papers:
            parts.append("Papers: " + ", ".join(f"https://arxiv.org/abs/{number}" for number in self.papers))
        return "\n\n".join(parts).replace("`", "")

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def page_of(room: str, method: type[Method]) -> Page:
    """The page of a method of a room."""
    of_class, of_file = _paragraphs(method.__doc__), _paragraphs(sys.modules[method.__module__].__doc__)
    (opening, *after), (summary, *rest) = of_file, of_class
    if _SHARED[method.__module__] > 1 and rest:
        equation, *rest = rest
        # A file's only line says what its methods have in common, which a page of one need not.
        rest += of_file if after else []
    else:
        equation, rest = opening, [*after, *rest]
    numbers = dict.fromkeys(_PAPER.findall("\n".join((equation, summary, *rest))))
    return Page(
        room=room,
        word=method.name(),
        equation=equation,
        summary=summary,
        body=tuple(rest),
        said=said_as(room, method),
        options=tuple(rows_of(method)),
        company=company(room, method),
        papers=tuple(numbers),
    )


def pages_for(word: str) -> list[Page]:
    """The pages of every method of that word.

    Raises:
        InputError: there is none.
    """
    found = [(room, m) for room, registry in ROOMS.items() for m in registry if m.name() == word]
    if not found:
        known = sorted({method.name() for registry in ROOMS.values() for method in registry})
        close = difflib.get_close_matches(word, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else "`rheos methods` lists them."
        raise InputError(f"there is no method {word!r}; {hint}")
    return [page_of(room, method) for room, method in found]


def _paragraphs(docstring: str | None) -> list[str]:
    """Of a docstring before its sections: running text on one line each, indented parts as they are."""
    told = inspect.cleandoc(docstring or "").split("\n\nAttributes:\n")[0]
    parts = (_ROLE.sub(r"`\1`", part) for part in told.split("\n\n"))
    return [part if part.startswith("    ") else " ".join(part.split()) for part in parts if part]


def _flow(text: str, indent: str = "") -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _option(row: Row) -> str:
    name, default, meaning = row
    lead = f"  {name} = {default}: " if default else f"  {name}: "
    return _flow(lead + meaning, "      ")
