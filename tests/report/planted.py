"""Planted errors of the report: (file, line as it is, line gone wrong[, tests]); the tests here kill each."""

_ASSEMBLE = "tests/report/test_assemble.py"

PLANTED = [
    ("src/rheos/report/figures.py", "(0.1, 0.25, 0.5, 0.75, 0.9)", "(0.05, 0.25, 0.5, 0.75, 0.95)"),
    ("src/rheos/report/figures.py", "last = fan.history[-1:]", "last = fan.history[:1]"),
    (
        "src/rheos/report/figures.py",
        "(scores.rheos < scores.baseline) == ours",
        "(scores.rheos > scores.baseline) == ours",
    ),
    (
        "src/rheos/report/figures.py",
        "edges[:-1], observed / share, share",
        "edges[:-1], observed * len(share), share",
    ),
    ("src/rheos/report/figures.py", "_Z90 = 1.645", "_Z90 = 1.96"),
    ("src/rheos/report/figures.py", "np.median(np.lib", "np.mean(np.lib"),
    ("src/rheos/report/figures.py", "np.nanargmax(np.abs(bias.ratio - 1))", "np.nanargmax(bias.ratio)"),
    (
        "src/rheos/report/figures.py",
        "gap = 100 * (bias.ratio[worst] - 1)",
        "gap = 100 * abs(bias.ratio[worst] - 1)",
    ),
    (
        "src/rheos/report/field_figures.py",
        'rows += [("spread", spread, scale)]',
        'rows += [("spread", spread**2, scale)]',
    ),
    (
        "src/rheos/report/field_figures.py",
        "np.abs(mean - field.truth), scale)",
        "np.abs(field.members[0] - field.truth), scale)",
    ),
    (
        "src/rheos/report/field_figures.py",
        'return _Scale(-reach, reach, "RdBu_r")',
        'return _Scale(low, high, "RdBu_r")',
    ),
    ("src/rheos/report/field_figures.py", "/ (count - 1) / 2", "/ count / 2"),
    (
        "src/rheos/report/field_figures.py",
        "shown = [series[moment] for series in self.series]",
        "shown = [series[0] for series in self.series]",
    ),
    ("src/rheos/report/sections.py", "best=value == min(values)", "best=value == max(values)"),
    (
        "src/rheos/report/sections.py",
        "abs(value - 0.9) == min(abs(v - 0.9) for v in values)",
        "value == max(values)",
    ),
    ("src/rheos/report/sections.py", "round(50 + 50 * value / reach, 2)", "round(50 * value / reach, 2)"),
    (
        "src/rheos/report/sections.py",
        "wins = int((scores.rheos < scores.baseline).sum())",
        "wins = int((scores.rheos > scores.baseline).sum())",
    ),
    (
        "src/rheos/report/assemble.py",
        'spread=ours["spread"],',
        'spread=ours["rmse"],',
        _ASSEMBLE,
    ),
    (
        "src/rheos/report/assemble.py",
        'counts = card.tallies["rheos"].histogram',
        "counts = card.tallies[card.best_baseline].histogram",
        _ASSEMBLE,
    ),
    (
        "src/rheos/report/assemble.py",
        "* (self.total - 1) / (_PICTURED - 1)",
        "* self.total / _PICTURED",
        _ASSEMBLE,
    ),
    (
        "src/rheos/report/assemble.py",
        'ours, theirs = card.per_window("rheos")',
        'theirs, ours = card.per_window("rheos")',
        _ASSEMBLE,
    ),
    (
        "src/rheos/report/assemble.py",
        "time=axis[case.origin :]",
        "time=axis[case.origin - 1 : -1]",
        _ASSEMBLE,
    ),
    (
        "src/rheos/report/assemble.py",
        "float(max(card.windows, 1) * len(card.channels))",
        "float(max(card.windows, 1))",
        _ASSEMBLE,
    ),
]
