"""Which columns of a long table tell its sequences apart: `store` in `date, store, sales`."""

from itertools import combinations

import pandas as pd

_ROWS_OF_A_STAMP = 1.5  # on average, from which a table holds several sequences and no mere mistakes
_ROWS_OF_A_SEQUENCE = 4
_CANDIDATES = 8
_MOST = 3


def likely_names(table: pd.DataFrame, time: str) -> tuple[str, ...]:
    """The fewest columns of words or whole numbers that, beside the stamp, tell all rows apart.

    Args:
        table: its columns.
        time: the column of the stamps.

    Returns:
        Their names; none where hardly any stamp comes twice, or no such columns do.
    """
    rows = len(table)
    if table[time].nunique() * _ROWS_OF_A_STAMP > rows:
        return ()
    label = [name for name in table.columns if name != time and _could_name(table[name])]
    label.sort(key=lambda name: pd.api.types.is_integer_dtype(table[name].dtype))  # words first
    for count in range(1, _MOST + 1):
        for names in combinations(label[:_CANDIDATES], count):
            few = table.groupby(list(names), observed=True).ngroups * _ROWS_OF_A_SEQUENCE <= rows
            if few and not table.duplicated([time, *names]).any():
                return names
    return ()


def _could_name(series: pd.Series) -> bool:
    kind = series.dtype
    words = pd.api.types.is_string_dtype(kind) or pd.api.types.is_object_dtype(kind)
    words = words or isinstance(kind, pd.CategoricalDtype)
    whole = pd.api.types.is_integer_dtype(kind)
    return (words or whole) and not series.isna().any() and series.nunique() > 1


def named_by(table: pd.DataFrame, names: tuple[str, ...]) -> tuple[pd.DataFrame, str]:
    """The table with one column in place of those that name its sequences, and that column's name."""
    if len(names) == 1:
        return table, names[0]
    whole = table[names[0]].astype(str)
    for name in names[1:]:
        whole = whole + ", " + table[name].astype(str)
    # Pandas before 3 writes "nan" where a name is missing.
    whole = whole.mask(table[list(names)].isna().any(axis=1))
    joint = "_".join(names)
    rest = table.drop(columns=list(names))
    return rest.assign(**{joint: whole}), joint
