"""Errors planted one at a time, each of which the tests of this room must notice: (file, old, new)."""

PLANTED = [
    (
        "src/rheos/score/crps.py",
        '_SORTED_FORM = {"fair": "pwm", "plain": "qd"}',
        '_SORTED_FORM = {"fair": "qd", "plain": "qd"}',
    ),
    ("src/rheos/score/almost_fair.py", "(1 - (1 - a) / m)", "(1 - a / m)"),
    ("src/rheos/score/quantile.py", "(value <= quantile) - level", "(value >= quantile) - level"),
    (
        "src/rheos/score/quantile.py",
        "(len(ordered) - 1) * np.asarray(levels)",
        "len(ordered) * np.asarray(levels)",
    ),
    ("src/rheos/score/energy.py", 'count - 1 if estimator == "fair" else count', "count"),
    (
        "src/rheos/score/variogram.py",
        "np.abs(value[..., i : i + 1] - value) ** p",
        "np.abs(value[..., i : i + 1] - value)",
    ),
    ("src/rheos/score/spread_skill.py", "(count + 1) / count", "1.0"),
    ("src/rheos/score/rank_histogram.py", "np.floor(uniform * (ties + 1))", "np.floor(uniform * ties)"),
    ("src/rheos/score/coverage.py", 'method="weibull"', 'method="linear"'),
    ("src/rheos/score/brier.py", "(1 - probability) / (count - 1)", "(1 - probability) / count"),
    ("src/rheos/score/area.py", "np.abs(np.diff(np.sin(bounds)))", "np.abs(np.diff(bounds))"),
    ("src/rheos/score/spectrum.py", "** 2 / np.prod(sides) ** 2", "** 2 / np.prod(sides)"),
    (
        "src/rheos/score/anomaly_correlation.py",
        "(ours * theirs, ours**2, theirs**2)",
        "(ours * theirs, ours**2, ours**2)",
    ),
    ("src/rheos/score/bootstrap.py", "np.arange(length)", "np.zeros(length, int)"),
    (
        "src/rheos/score/entries.py",
        "np.where(seen, np.asarray(weights, np.float64), 0.0)",
        "np.asarray(weights)",
    ),
    (
        "src/rheos/score/circular.py",
        "once = 0.5 if 2 * shift == count else 1.0",
        "once = 1.0",
        "tests/score/test_circular.py",
    ),
    (
        "src/rheos/score/circular.py",
        '(count - 1 if estimator == "fair" else count)',
        "count",
        "tests/score/test_circular.py",
    ),
    (
        "src/rheos/score/circular.py",
        "score = np.abs(signed(members - value, period)).mean(0)",
        "score = np.abs(members - value).mean(0)",
        "tests/score/test_circular.py",
    ),
    (
        "src/rheos/score/fractions.py",
        "float((p**2 + o**2).sum())",
        "float(((p + o) ** 2).sum())",
        "tests/score/test_field_scores.py",
    ),
    (
        "src/rheos/score/fractions.py",
        'uniform_filter(share, box, mode="constant")',
        "uniform_filter(share, box)",
        "tests/score/test_field_scores.py",
    ),
    (
        "src/rheos/score/fractions.py",
        "outcome = np.where(seen, value >= threshold, 0.0)",
        "outcome = np.where(seen, value > threshold, 0.0)",
        "tests/score/test_field_scores.py",
    ),
    (
        "src/rheos/score/contingency.py",
        "return _ratio(self.false_alarms, self.hits + self.false_alarms)",
        "return _ratio(self.false_alarms, self.hits + self.misses)",
        "tests/score/test_field_scores.py",
    ),
    (
        "src/rheos/score/contingency.py",
        "return _ratio(h - chance, h + m + f - chance)",
        "return _ratio(h - chance, h + m + f)",
        "tests/score/test_field_scores.py",
    ),
    (
        "src/rheos/score/contingency.py",
        "return _ratio(2 * (h * c - m * f), (h + m) * (m + c) + (h + f) * (f + c))",
        "return _ratio(2 * (h * c - m * f), (h + m) * (f + c) + (h + f) * (m + c))",
        "tests/score/test_field_scores.py",
    ),
]
