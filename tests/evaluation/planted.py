"""Planted errors of evaluation: (file, line as it is, line gone wrong)."""

PLANTED = [
    (
        "src/rheos/evaluation/tally.py",
        "ensemble.var(0, ddof=1, dtype=np.float64) * (count + 1) / count",
        "ensemble.var(0, ddof=1, dtype=np.float64)",
    ),
    (
        "src/rheos/evaluation/tally.py",
        "loss = quantile_loss(ensemble.sum(2), total, LEVELS_19)",
        "loss = quantile_loss(ensemble.mean(2), total, LEVELS_19)",
    ),
    (
        "src/rheos/evaluation/tally.py",
        "error = aggregate(squared / scale**2)",
        "error = aggregate(squared / scale)",
    ),
    (
        "src/rheos/evaluation/scorecard.py",
        "return np.asarray(aggregate(scores.reshape(windows, -1), axes=1))",
        "return np.asarray(aggregate(scores.reshape(-1, windows), axes=0))",
    ),
    ("src/rheos/evaluation/verdict.py", "if low > 0:", "if value > 0:"),
    (
        "src/rheos/evaluation/windows.py",
        "return [[r.observed - horizon * k for k in range(count, 0, -1)] for r in dataset.recordings]",
        "return [[r.observed - horizon * k - 1 for k in range(count, 0, -1)] for r in dataset.recordings]",
    ),
    (
        "src/rheos/evaluation/backtest.py",
        "recordings=tuple(r.until(cut) for r, cut in seen)",
        "recordings=tuple(r for r, cut in seen)",
    ),
    (
        "src/rheos/evaluation/backtest.py",
        "at = dataset[names].reindex(time=times[i])",
        "at = dataset[names].isel(time=slice(len(times[i])))",
    ),
]
