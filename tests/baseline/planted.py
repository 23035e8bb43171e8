"""Errors planted one at a time, each of which the tests of this room must notice: (file, old, new)."""

PLANTED = [
    (
        "src/rheos/baseline/history.py",
        "age = (~np.isnan(history[::-1])).argmax(0)",
        "age = (~np.isnan(history)).argmax(0)",
    ),
    ("src/rheos/baseline/history.py", "end = len(history) - period", "end = len(history) - period - 1"),
    ("src/rheos/baseline/lag_ridge.py", "(lead // p + 1) * p", "(lead // p + 2) * p"),
    ("src/rheos/baseline/lag_ridge.py", "shrink[0] = 0.0", "shrink[0] = penalty"),
    (
        "src/rheos/baseline/paths.py",
        "(span.number + origins - number) % period == 0",
        "(origins - number) % period == 0",
    ),
    (
        "src/rheos/baseline/paths.py",
        "center + self.path(name, pool, int(index), columns)",
        "center - self.path(name, pool, int(index), columns)",
    ),
    (
        "src/rheos/baseline/paths.py",
        "values[max(0, origin - reach) : origin, columns]",
        "values[max(0, origin - reach) : origin + 1, columns]",
    ),
    (
        "src/rheos/baseline/random_walk.py",
        "span.values[picks[:, lead] - 1]",
        "span.values[picks[:, lead] - 2]",
    ),
    ("src/rheos/baseline/seasonal.py", "int(np.nanargmin(errors))", "int(np.nanargmax(errors))"),
    ("src/rheos/baseline/phase.py", '"1970-01-01", first.date()', '"1970-01-01", stamps[-1].date()'),
]
