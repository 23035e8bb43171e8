"""Excel workbooks, by openpyxl (the extra `excel`): a sheet becomes a table."""

from importlib.util import find_spec
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from rheos.data.options import DataOptions, closest
from rheos.data.reader.margins import SEARCHED, line_of_names, lines_of_words
from rheos.data.reader.problem import SourceError

SUFFIXES = (".xlsx", ".xlsm")
OTHER_SUFFIXES = (".xls", ".xlsb", ".ods")


def excel_table(path: Path, sheet: str | None, options: DataOptions) -> pd.DataFrame:
    """A sheet, its first row the names of the columns; formulas count as the values last computed.

    Args:
        path: of the workbook.
        sheet: its name; the only one that holds anything where None.
        options: how many rows stand above the names, and between these and the data.

    Raises:
        SourceError: the workbook or the sheet cannot be read, or openpyxl is not installed.
    """
    origin = str(path)
    if path.suffix.lower() in OTHER_SUFFIXES:
        raise SourceError(f"{origin!r} is a workbook of another kind", advice="save it as .xlsx or .csv")
    if not path.read_bytes():
        raise SourceError(f"{origin!r} is empty: the file has 0 bytes")
    if find_spec("openpyxl") is None:
        raise SourceError(
            f"{origin!r} is an Excel workbook, which needs openpyxl",
            advice="install it with pip install 'rheos[excel]'",
        )
    try:
        sheets = pd.read_excel(path, sheet_name=None, skiprows=options.skip, engine="openpyxl")
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise SourceError(
            f"{origin!r} is not a readable workbook ({reason[:160]})", advice="save it again"
        ) from None
    return _below_names(_chosen(sheets, sheet, origin), options, origin)


def _chosen(sheets: dict[str, pd.DataFrame], sheet: str | None, origin: str) -> pd.DataFrame:
    if sheet is not None:
        if sheet not in sheets:
            raise SourceError(f"{origin!r} has no sheet {sheet!r}", advice=closest(sheet, tuple(sheets)))
        return sheets[sheet]
    full = [name for name, table in sheets.items() if len(table)]
    if len(full) > 1:
        shown = ", ".join(full[:6]) + (", ..." if len(full) > 6 else "")
        raise SourceError(f"{origin!r} has several sheets ({shown})", advice=f"name one: {origin}::{full[0]}")
    if not full:
        raise SourceError(f"{origin!r} has no rows")
    return sheets[full[0]]


def _below_names(table: pd.DataFrame, options: DataOptions, origin: str) -> pd.DataFrame:
    """The rows of data."""
    names = ["" if str(name).startswith("Unnamed: ") else str(name) for name in table.columns]
    rows = table.head(SEARCHED).to_numpy().tolist()
    if names.count("") > 1:
        above = line_of_names([names, *rows])
        raise SourceError(
            f"the first row of {origin!r} does not name its columns",
            {"skip": options.skip + above} if above else None,
            "" if above else "remove what stands above the names",
        )
    if options.below:
        return table.iloc[options.below :].reset_index(drop=True).infer_objects()
    below = lines_of_words(rows, options.missing)
    if below:
        raise SourceError(
            f"{origin!r} has words and no number below the names of its columns", {"below": below}
        )
    return table
