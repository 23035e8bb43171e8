"""Columns of a table become numbers, or are said not to be numbers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

_FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


@dataclass(frozen=True, slots=True)
class Column:
    """A column as numbers.

    Attributes:
        kind: "number"; "flag", words of truth as 0 and 1; "text", where no value is a number; "mixed",
            where some are; "stamp"; "empty".
        values: `(rows,)` float64, NaN where there is no number.
        row: the first row, from 0, that holds something else than a number.
        word: what it holds.
        words: how many different such words there are.
    """

    kind: Literal["number", "flag", "text", "mixed", "stamp", "empty"]
    values: np.ndarray
    row: int = -1
    word: str = ""
    words: int = 0


def column(series: pd.Series, words: tuple[str, ...] = ()) -> Column:
    """Understand one column.

    Args:
        series: as pandas holds it.
        words: text that means missing.
    """
    kind = series.dtype
    if pd.api.types.is_datetime64_any_dtype(kind) or isinstance(kind, pd.PeriodDtype):
        return Column("stamp", np.full(len(series), np.nan))
    if pd.api.types.is_complex_dtype(kind):
        return Column("text", np.full(len(series), np.nan), 0, str(series.iloc[0]), series.nunique())
    if pd.api.types.is_bool_dtype(kind) or pd.api.types.is_numeric_dtype(kind):
        values = series.to_numpy(np.float64, na_value=np.nan)
        if np.isnan(values).all():
            return Column("empty", values)
        return Column("flag" if pd.api.types.is_bool_dtype(kind) else "number", values)
    return _from_text(series.astype(object), words)


def _from_text(series: pd.Series, words: tuple[str, ...]) -> Column:
    text = series.where(series.isna(), series.astype(str).str.strip())
    present = (text.notna() & (text != "") & ~text.isin(words)).to_numpy()
    values = np.full(len(text), np.nan)
    if not present.any():
        return Column("empty", values)
    lower = text[present].astype(str).str.lower()
    if lower.isin(list(_FLAGS)).all():
        values[present] = lower.map(_FLAGS).to_numpy(np.float64)
        return Column("flag", values)
    values[present] = pd.to_numeric(text[present], errors="coerce").to_numpy(np.float64)
    bad = present & np.isnan(values) & ~text.astype(str).str.lower().eq("nan").to_numpy()
    if not bad.any():
        return Column("number", values)
    row = int(np.flatnonzero(bad)[0])
    kind: Literal["text", "mixed"] = "mixed" if np.isfinite(values).any() else "text"
    return Column(kind, values, row, str(text.iloc[row]), int(text[bad].nunique()))
