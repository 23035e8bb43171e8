"""Planted errors of evaluation: (file, line as it is, line gone wrong, tests)."""

BACKTEST = "tests/evaluation/test_backtest.py"
CARD = "tests/evaluation/test_scorecard.py"
COMPARE = "tests/evaluation/test_compare.py"
TALLY = "tests/evaluation/test_tally.py"

PLANTED = [
    (
        "src/rheos/evaluation/tally.py",
        "ensemble.var(0, ddof=1, dtype=np.float64) * (count + 1) / count",
        "ensemble.var(0, ddof=1, dtype=np.float64)",
        TALLY,
    ),
    (
        "src/rheos/evaluation/tally.py",
        "loss = quantile_loss(ensemble.sum(2), total, LEVELS_19)",
        "loss = quantile_loss(ensemble.mean(2), total, LEVELS_19)",
        TALLY,
    ),
    (
        "src/rheos/evaluation/tally.py",
        "error = aggregate(squared / scale**2)",
        "error = aggregate(squared / scale)",
        TALLY,
    ),
    (
        "src/rheos/evaluation/scorecard.py",
        "return np.asarray(aggregate(scores.reshape(windows, -1), axes=1))",
        "return np.asarray(aggregate(scores.reshape(-1, windows), axes=0))",
        CARD,
    ),
    ("src/rheos/evaluation/verdict.py", "if low > 0:", "if value > 0:", CARD),
    (
        "src/rheos/evaluation/windows.py",
        "return [[r.observed - horizon * k for k in range(count, 0, -1)] for r in dataset.recordings]",
        "return [[r.observed - horizon * k - 1 for k in range(count, 0, -1)] for r in dataset.recordings]",
        BACKTEST,
    ),
    (
        "src/rheos/evaluation/backtest.py",
        "recordings=tuple(r.until(cut) for r, cut in seen)",
        "recordings=tuple(r for r, cut in seen)",
        BACKTEST,
    ),
    (
        "src/rheos/evaluation/backtest.py",
        "at = dataset[names].reindex(time=times[i])",
        "at = dataset[names].isel(time=slice(len(times[i])))",
        BACKTEST,
    ),
    (
        "src/rheos/evaluation/comparison/comparison.py",
        "return losses / np.mean(tally.magnitude_of_sum if total else tally.magnitude)",
        "return losses / np.sum(tally.magnitude_of_sum if total else tally.magnitude)",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/comparison.py",
        "np.stack(tally.loss_of_sum if total else tally.loss)",
        "np.stack(tally.loss if total else tally.loss_of_sum)",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/comparison.py",
        "by_window(np.mean(rows, axis=0), self.task.windows)",
        "by_window(np.max(rows, axis=0), self.task.windows)",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/comparison.py",
        "for other in self.results if other != name}",
        "for other in self.results}",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/comparison.py",
        "return skill(self.per_window(name, score), self.per_window(other, score))",
        "return skill(self.per_window(other, score), self.per_window(name, score))",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/comparison.py",
        "return mean_difference(self.per_window(name, score), self.per_window(other, score))",
        "return mean_difference(self.per_window(other, score), self.per_window(name, score))",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/contender.py",
        "known = self.task.dataset.recordings[recording].until(origin)",
        "known = self.task.dataset.recordings[recording].until(origin + 1)",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/contender.py",
        "fitted_on(self._seeded_with(seed), task.training, task.horizon)",
        "fitted_on(self._seeded_with(seed), task.dataset, task.horizon)",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/contender.py",
        '"holdout": task.holdout,',
        '"holdout": 0,',
        COMPARE,
    ),
    (
        "src/rheos/evaluation/comparison/task.py",
        "clip(shortest // _HELD_OUT // self.horizon, 1, self.windows)",
        "clip(shortest // self.horizon, 1, self.windows)",
        COMPARE,
    ),
    (
        "src/rheos/evaluation/tally.py",
        "ends = np.linspace(0, count + 1, _BINS + 1)",
        "ends = np.linspace(0, count, _BINS + 1)",
        TALLY,
    ),
    (
        "src/rheos/evaluation/tally.py",
        "ensemble, truth = self.circle.about(ensemble, middle), self.circle.about(truth, middle, 1)",
        "ensemble = self.circle.about(ensemble, middle)",
        "tests/evaluation/test_tally.py",
    ),
    (
        "src/rheos/evaluation/tally.py",
        "score[:, number] = circular_crps(members, value, self.circle.period[number])",
        "score[:, number] = crps(members, value)",
        "tests/evaluation/test_tally.py",
    ),
    (
        "src/rheos/evaluation/comparison/comparison.py",
        "bins.reshape(windows, -1, bins.shape[-1]).sum(1)",
        "bins.reshape(windows, -1, bins.shape[-1])[:, 0]",
        "tests/evaluation/test_reliability.py",
    ),
    (
        "src/rheos/evaluation/comparison/comparison.py",
        "mean_difference(covered, np.zeros(len(covered)))",
        "mean_difference(np.zeros(len(covered)), covered)",
        "tests/evaluation/test_reliability.py",
    ),
]
