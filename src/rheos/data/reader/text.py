"""Delimited text becomes a table of columns; what pandas would guess silently is refused."""

import csv
import io
import warnings
from pathlib import Path

import pandas as pd

from rheos.data.options import DataOptions
from rheos.data.reader.files import content
from rheos.data.reader.margins import SEARCHED, line_of_names, lines_of_words, without_empty_ends
from rheos.data.reader.problem import SourceError


def text_table(path: Path, options: DataOptions) -> pd.DataFrame:
    """Read a CSV file, packed or not.

    Raises:
        SourceError: it is not text, not in the encoding, or not a table.
    """
    origin = str(path)
    text = _decoded(content(path), options.encoding, origin)
    text = "".join(text.splitlines(keepends=True)[options.skip :]) if options.skip else text
    lines = text.splitlines()[:SEARCHED]
    if not lines or not text.strip():
        raise SourceError(f"{origin!r} is empty: there is no header line")
    if options.columns is None:
        _refuse_margins(lines, options, origin)
    delimiter = _delimiter(lines[0], options)
    if options.columns is not None:
        fields = len(next(csv.reader([lines[0]], delimiter=delimiter)))
        if fields != len(options.columns):
            raise SourceError(
                f"data.columns names {len(options.columns)} columns and the first line of {origin!r} has "
                f"{fields} fields",
                advice="name each once",
            )
        text = f"{delimiter.join(options.columns)}\n{text}"
        lines.insert(0, text.partition("\n")[0])
    header = _header(lines[0], delimiter, origin)
    if options.below:
        rows = text.splitlines(keepends=True)
        text = "".join([rows[0], *rows[1 + options.below :]])
    if not text.partition("\n")[2].strip():
        raise SourceError(f"{origin!r} has a header line and no rows below it")
    table = _parsed(text, delimiter, options, origin)
    if len(header) > 1 and table.iloc[:, -1].isna().any():
        _check_short_rows(text, delimiter, len(header), origin)
    return without_empty_ends(table)


def _delimiter(line: str, options: DataOptions) -> str:
    return options.delimiter or max(",;\t|", key=line.count)


def _fields(line: str, delimiter: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter), [])]


def _refuse_margins(lines: list[str], options: DataOptions, origin: str) -> None:
    """Say so where titles stand above the names of the columns, or units below them."""
    cells = [_fields(line, _delimiter(line, options)) for line in lines]
    above = line_of_names(cells)
    if above:
        raise SourceError(
            f"{origin!r} names its columns in line {options.skip + above + 1}, below {lines[0][:40]!r}",
            {"skip": options.skip + above},
        )
    below = 0 if options.below else lines_of_words(cells[1:], options.missing)
    if below:
        raise SourceError(
            f"{origin!r} has words and no number below the names of its columns, {lines[1][:40]!r}",
            {"below": below},
        )


def _decoded(raw: bytes, encoding: str, origin: str) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") and "16" not in encoding:
        raise SourceError(f"{origin!r} is written in UTF-16", {"encoding": "utf-16"})
    if b"\0" in raw[:65536] and "16" not in encoding and "32" not in encoding:
        raise SourceError(
            f"{origin!r} is not text: it holds binary data", advice="give a file of a kind that its name says"
        )
    try:
        return raw.decode(
            "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        )
    except LookupError:
        raise SourceError(f"data.encoding={encoding} is no encoding", advice="try latin-1") from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        byte = raw[error.start]
        raise SourceError(
            f"{origin!r} is not {encoding}: byte 0x{byte:02x} in line {line}", {"encoding": "latin-1"}
        ) from None


def _header(line: str, delimiter: str, origin: str) -> list[str]:
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    twice = next((name for place, name in enumerate(names) if name and name in names[:place]), None)
    if twice is not None:
        raise SourceError(f"{origin!r} has two columns named {twice!r}", advice="rename one of them")
    if all(_is_number(name) for name in names):
        what = f"the first line of {origin!r} holds numbers ({line[:40]!r}), not names of columns"
        # Frame and pedestrian are whole numbers, places are not: the files of ETH and UCY.
        whole = [float(name).is_integer() for name in names]
        if whole[:2] == [True, True] and len(names) == 4 and not all(whole):
            raise SourceError(what, {"columns": ["frame", "id", "x", "y"]})
        raise SourceError(what, advice="write a header line above it, or name them with data.columns=[...]")
    return names


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _parsed(text: str, delimiter: str, options: DataOptions, origin: str) -> pd.DataFrame:
    words = [value for value in options.missing if isinstance(value, str)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text),
                sep=delimiter,
                decimal=options.decimal,
                na_values=words,
                index_col=False,
                skipinitialspace=True,
                low_memory=False,
            ).rename(columns=lambda name: str(name).strip())
    except pd.errors.ParserWarning:
        raise SourceError(
            f"{origin!r} is ragged: its rows have more fields than the header", advice="name every column"
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise SourceError(
            f"{origin!r} is not a regular table: {reason}", advice="mend or remove that line"
        ) from None


def _check_short_rows(text: str, delimiter: str, fields: int, origin: str) -> None:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    for row in reader:
        if row and len(row) < fields:
            raise SourceError(
                f"{origin!r} is ragged: line {reader.line_num} has {len(row)} fields where the "
                f"header has {fields}",
                advice="mend or remove that line",
            )
