"""Planted errors, as (file, one line, what it becomes); the tests of this folder kill each."""

PLANTED = [
    ("src/rheos/data/reader/axis.py", "total / np.maximum(count, 1)", "total / len(array)"),
    ("src/rheos/data/reader/axis.py", "holes = np.diff(place) - 1", "holes = np.diff(place)"),
    ("src/rheos/data/reader/axis.py", "    out[place] = array", "    out[: len(array)] = array"),
    ("src/rheos/data/reader/period.py", "if 2 * period <= frames", "if period <= frames"),
    ("src/rheos/data/reader/rhythm.py", "(stamps.day_of_week < 5).all()", "True"),
    ("src/rheos/data/reader/gridded.py", 'key=lambda axis: "?ZYX"', 'key=lambda axis: "?ZXY"'),
    (
        "src/rheos/data/reader/stamps.py",
        'index.tz_convert("UTC").tz_localize(None)',
        "index.tz_localize(None)",
    ),
    ("src/rheos/data/reader/assemble.py", "np.abs(seen).max() / 1e5", "np.abs(seen).max() / 1e9"),
    (
        "src/rheos/data/reader/joint.py",
        "out[stamps.get_indexer(sequence.stamps)] = array",
        "out[: len(array)] = array",
    ),
    ("src/rheos/data/inspect.py", "missing=1.0 - seen.size / size", "missing=seen.size / size"),
]
