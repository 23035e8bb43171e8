"""Planted errors of windows, codecs, calendar and anchors: (file, line as it is, line gone wrong)."""

PLANTED = [
    (
        "src/rheos/data/codec/scale.py",
        "return np.asarray(values, np.float64) * scale + location",
        "return (np.asarray(values, np.float64) + location) * scale",
    ),
    (
        "src/rheos/data/codec/scale.py",
        "scale = np.maximum(deviation, self.config.floor * self.scale)",
        "scale = np.maximum(deviation, self.config.floor)",
    ),
    (
        "src/rheos/data/codec/log.py",
        "return -self.encode(values, state)",
        "return self.encode(values, state)",
    ),
    (
        "src/rheos/data/codec/increments.py",
        "return whole[:, 1:] - _fill_forward(whole)[:, :-1]",
        "return whole[:, 1:] - whole[:, :-1]",
    ),
    (
        "src/rheos/data/codec/chain.py",
        "for number in reversed(range(len(self.links))):",
        "for number in range(len(self.links)):",
    ),
    (
        "src/rheos/data/calendar.py",
        'return (_field(stamps, "day_of_week") + day) / 7',
        'return _field(stamps, "day_of_week") / 7',
    ),
    (
        "src/rheos/data/window_source.py",
        "steps = np.arange(-self.spec.history, self.spec.horizon)",
        "steps = np.arange(-self.spec.history, self.spec.horizon) + 1",
    ),
    (
        "src/rheos/data/window_source.py",
        "past = self._rows(sequence, at + np.arange(-spec.history - back, 0))",
        "past = self._rows(sequence, at + np.arange(-spec.history - back, 0) + 1)",
    ),
    (
        "src/rheos/data/window_source.py",
        "return self.windows(last_origin=cut - self.spec.horizon), self.windows(first_origin=cut)",
        "return self.windows(last_origin=cut - 1), self.windows(first_origin=cut)",
    ),
    (
        "src/rheos/data/window_source.py",
        "mask[:, frames:] = exists",
        "mask[:, frames:] = True",
    ),
    (
        "src/rheos/data/anchor/base.py",
        "own = np.sqrt(square / np.maximum(count, 1))",
        "own = square / np.maximum(count, 1)",
    ),
    (
        "src/rheos/data/anchor/persistence.py",
        "return np.clip(product / np.where(square > 0, square, 1.0), 0.0, 1.0)",
        "return np.clip(square / np.where(product > 0, product, 1.0), 0.0, 1.0)",
    ),
    (
        "src/rheos/data/anchor/seasonal.py",
        "return mean.argmin(0)",
        "return mean.argmax(0)",
    ),
    (
        "src/rheos/data/anchor/penalty.py",
        "square += _square(block, solve(total - block, penalties))",
        "square += _square(block, solve(total, penalties))",
    ),
    (
        "src/rheos/data/anchor/penalty.py",
        "weights[..., p] = mean[..., p + 1] - (weights[..., :p] * mean[..., :p]).sum(-1)",
        "weights[..., p] = mean[..., p + 1]",
    ),
    (
        "src/rheos/data/anchor/ridge_features.py",
        "moved = np.roll(last, step, axis)",
        "moved = np.roll(last, step, 2)",
    ),
]
