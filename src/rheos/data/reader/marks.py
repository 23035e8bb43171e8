"""Marks in written numbers: `1,234.5`, `1.234,5`, `1 234,5`, `1'234.5` are numbers if the options say so."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from rheos.data.options import DataOptions

_WAYS = ((",", "."), (".", ","), ("space", ","), ("space", "."), ("'", "."))  # of thousands, of decimals
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f", " "))
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@cache
def _written(thousands: str | None, decimal: str) -> re.Pattern[str]:
    """What a number looks like, in groups of three where there is a mark for them."""
    grouped = rf"\d{{1,3}}(?:{re.escape(_typed(thousands))}\d{{3}})+|" if thousands else ""
    decimals = rf"(?:{re.escape(decimal)}\d*)?(?:[eE][+-]?\d+)?"
    return re.compile(rf"[+-]?(?:{grouped}\d+){decimals}|[+-]?{re.escape(decimal)}\d+")


def unmarked(series: pd.Series, options: DataOptions) -> pd.Series:
    """The column with what is a number, as its marks say, written as Python writes it; other text stays."""
    plain = options.thousands is None and options.decimal == "."
    if plain or pd.api.types.is_numeric_dtype(series.dtype) or not _is_text(series):
        return series
    pattern = _written(options.thousands, options.decimal)

    def number(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        word = value.strip().translate(_SPACES)
        if not pattern.fullmatch(word):
            return value
        return word.replace(_typed(options.thousands or ""), "").replace(options.decimal, ".")

    return series.astype(object).map(number)


def marks_of(series: pd.Series, options: DataOptions) -> tuple[Mapping[str, Any], str] | None:
    """What makes numbers of the text in a column, and advice where it may also mean something else.

    Returns:
        The change of the options and a sentence or ""; None where it is no matter of marks.
    """
    if options.thousands is not None or not _is_text(series):
        return None
    text = series.dropna().astype(str).str.strip().str.translate(_SPACES)
    words = text[pd.to_numeric(text, errors="coerce").isna() & text.str.contains(r"\d")].unique()
    if len(words) == 0:
        return None
    if all(_EITHER.fullmatch(word) for word in words) and options.decimal == ".":
        either = (
            "give data.thousands=',' if the comma groups thousands, data.decimal=',' if it is a decimal mark"
        )
        return {"thousands": ","}, either
    if all(_DECIMAL_COMMA.fullmatch(word) for word in words) and options.decimal == ".":
        return {"decimal": ","}, ""
    for thousands, decimal in _WAYS:
        pattern = _written(thousands, decimal)
        if all(pattern.fullmatch(word) for word in words):
            mend = {"thousands": thousands} | ({"decimal": decimal} if decimal != options.decimal else {})
            return (mend, "") if options.decimal in (".", decimal) else None
    return None


def written_numbers(text: pd.Series) -> bool:
    """Whether all words are numbers written in one of the ways that marks make."""
    words = text.str.translate(_SPACES)
    return any(all(map(_written(*way).fullmatch, words)) for way in _WAYS)


def _typed(thousands: str) -> str:
    return " " if thousands == "space" else thousands


def _is_text(series: pd.Series) -> bool:
    return pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype)
