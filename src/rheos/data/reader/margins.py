"""What stands around a table in a file: titles above it, units below its names, empty rows and columns."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

_NOTHING = ("", "na", "nan", "n/a", "null", "none")  # words of a missing value
_MOST = 3  # lines of units and the like
SEARCHED = 30
"""Lines in which the names of the columns are looked for."""


def line_of_names(lines: Sequence[Sequence[Any]]) -> int:
    """How many lines stand above the names of the columns: the first of the words above a row with numbers.

    Args:
        lines: the cells of the first lines.

    Returns:
        0 too where the first line may well be the names.
    """
    for place, row in enumerate(lines):
        if len(row) < 2 or not any(map(_is_number, row)):
            continue
        first = place
        while first > 0 and len(lines[first - 1]) == len(row) and not any(map(_is_number, lines[first - 1])):
            first -= 1
        found = next((at for at in range(first, place) if all(map(_is_word, lines[at]))), None)
        if found is not None:
            return found if len([cell for cell in lines[0] if not _is_nothing(cell)]) < len(row) else 0
    return 0


def lines_of_words(rows: Sequence[Sequence[Any]], missing: Sequence[Any] = ()) -> int:
    """How many of the first rows hold words above numbers and no number themselves: units, and the like.

    Args:
        rows: the cells of the first rows below the names.
        missing: values that mean missing.
    """
    for count, row in enumerate(rows[: _MOST + 1]):
        if any(map(_is_number, row)):
            above = [cells for line in rows[:count] for cells in zip(line, row, strict=False)]
            words = (word for word, cell in above if _is_number(cell) and word not in missing)
            return count if any(map(_is_word, words)) else 0
    return 0


def without_empty_ends(table: pd.DataFrame) -> pd.DataFrame:
    """The table without empty rows at its end and empty columns of no name, as spreadsheets leave them."""
    nothing = [name for name in table.columns if name.startswith("Unnamed: ") and table[name].isna().all()]
    full = table.notna().any(axis=1).to_numpy()
    rows = len(full) - int(full[::-1].argmax()) if full.any() else len(full)
    return table.drop(columns=nothing).iloc[:rows]


def _is_nothing(cell: Any) -> bool:
    return bool(pd.isna(cell)) or (isinstance(cell, str) and cell.strip().lower() in _NOTHING)


def _is_number(cell: Any) -> bool:
    """Whether a cell is a number or begins as one, as stamps do too."""
    if isinstance(cell, str):
        return cell.strip().lstrip("+-.,")[:1].isdigit()
    return not pd.isna(cell)


def _is_word(cell: Any) -> bool:
    return isinstance(cell, str) and not _is_nothing(cell) and not _is_number(cell)
