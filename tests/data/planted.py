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
        "_square(block, solve(total - block, penalties)) for",
        "_square(block, solve(total, penalties)) for",
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
    (
        "src/rheos/data/anchor/rhythm.py",
        "mean = (square / usual + prior * toward) / (count + prior)",
        "mean = (square / usual + prior) / (count + prior)",
    ),
    (
        "src/rheos/data/anchor/rhythm.py",
        "turn = np.arctan2(sine, cosine).astype(np.float64) / (2 * np.pi)",
        "turn = np.arctan2(cosine, sine).astype(np.float64) / (2 * np.pi)",
    ),
    (
        "src/rheos/data/anchor/rhythm.py",
        "return np.maximum(np.sqrt(cell), _LOWEST)",
        "return np.maximum(cell, _LOWEST)",
    ),
    (
        "src/rheos/data/anchor/base.py",
        "away[:, -1] = away[:, -2] if history.shape[1] > 1 else np.nan",
        "away[:, -1] = np.nan",
    ),
    (
        "src/rheos/data/anchor/damped_anomaly.py",
        "left_out = _climatology(part, ~mine if (~mine).any() else mine)",
        "left_out = _climatology(part, mine)",
    ),
    (
        "src/rheos/data/anchor/damped_anomaly.py",
        "square = np.maximum(yy - 2 * damping * xy + damping**2 * xx, 0.0)",
        "square = np.maximum(yy - damping * xy + damping**2 * xx, 0.0)",
    ),
    (
        "src/rheos/data/anchor/damped_anomaly.py",
        "shrunk = np.append(np.full(count - 1, 1.0), 0.0)",
        "shrunk = np.append(np.full(count - 1, 0.0), 1.0)",
    ),
    (
        "src/rheos/data/calendar.py",
        "found[name] = 0 if turns < 4 else 1 if turns < 10 and fine else HARMONICS[name]",
        "found[name] = 1 if turns < 10 and fine else HARMONICS[name]",
    ),
    (
        "src/rheos/data/calendar.py",
        'step = _DAY if name == "week" else step_seconds(frequency)',
        "step = step_seconds(frequency)",
    ),
    ("src/rheos/data/bounds.py", "if (values == lowest).sum() >= fewest", "if (values <= lowest).sum() >= 1"),
    (
        "src/rheos/data/bounds.py",
        "values[(values < low) | (values > high)]",
        "values[(values < low) & (values > high)]",
    ),
    (
        "src/rheos/data/bounds.py",
        "shape = (-1,) + (1,) * (values.ndim - 3)",
        "shape = (1,) * (values.ndim - 3) + (-1,)",
    ),
    (
        "src/rheos/data/anchor/penalty.py",
        "solve(blocks[:k].sum(0), penalties)",
        "solve(blocks[: k + 1].sum(0), penalties)",
    ),
    (
        "src/rheos/data/anchor/penalty.py",
        "shrunk = correlation + penalty[..., None] * eye",
        "shrunk = correlation + penalty[..., :1, None] * eye",
    ),
    (
        "src/rheos/data/anchor/ridge.py",
        "return np.concatenate([alike, without, own])",
        "return np.concatenate([alike, alike, alike])",
    ),
    (
        "src/rheos/data/calendar.py",
        "1 if turns < 10 and fine else HARMONICS[name]",
        "1 if turns < 10 else HARMONICS[name]",
        "tests/data/test_calendar.py",
    ),
    (
        "src/rheos/data/calendar.py",
        "length / step > _MANY_FRAMES",
        "length / step > 1",
        "tests/data/test_calendar.py",
    ),
    (
        "src/rheos/data/calendar.py",
        "resolved = int(np.ceil(length / (2 * step))) - 1",
        "resolved = int(np.ceil(length / (2 * step)))",
        "tests/data/test_calendar.py",
    ),
    (
        "src/rheos/data/calendar.py",
        '(_field(stamps, "day_of_year") - 1 + day)',
        '(_field(stamps, "day_of_year") + day)',
        "tests/data/test_calendar.py",
    ),
    (
        "src/rheos/data/anchor/base.py",
        "away = history.astype(np.float64) - last_observed(history)[:, None]",
        "away = history.astype(np.float64)",
    ),
    ("src/rheos/data/anchor/base.py", "np.maximum(own, _CELL_FLOOR * typical)", "own"),
    (
        "src/rheos/data/anchor/base.py",
        "self.scale[frames:] * self.rhythm(batch)",
        "np.broadcast_to(self.scale[frames:], batch.future.shape)",
    ),
    (
        "src/rheos/data/anchor/base.py",
        "np.nansum(error**2, axis=0), np.isfinite(error).sum(0)",
        "np.nansum(error**2, axis=0), np.full(error.shape[1:], len(error))",
    ),
    (
        "src/rheos/data/codec/covariates.py",
        "np.where(seen, values - mean, 0.0) ** 2",
        "np.where(seen, values, 0.0) ** 2",
    ),
    (
        "src/rheos/data/codec/covariates.py",
        "count = np.maximum(seen.sum(0), 1)",
        "count = np.full(values.shape[1:], len(values))",
    ),
    (
        "src/rheos/core/circle.py",
        "return difference - period * np.round(difference / period)",
        "return difference - period * np.floor(difference / period)",
        "tests/data/test_circle.py",
    ),
    (
        "src/rheos/core/circle.py",
        "np.where(around >= period, np.zeros_like(around), around)",
        "around",
        "tests/data/test_circle.py",
    ),
    (
        "src/rheos/core/circle.py",
        "np.arctan2(np.sin(angle).mean(axis), np.cos(angle).mean(axis))",
        "angle.mean(axis)",
        "tests/data/test_circle.py",
    ),
    (
        "src/rheos/data/circle.py",
        "angle = np.arctan2(np.take(values, place + 1, axis), part)",
        "angle = np.arctan2(part, np.take(values, place + 1, axis))",
        "tests/data/test_circle.py",
    ),
    (
        "src/rheos/data/circle.py",
        "place += 2 if period else 1",
        "place += 1",
        "tests/data/test_circle.py",
    ),
    (
        "src/rheos/data/direction.py",
        "period / 2 < high - low <= 1.001 * period",
        "high - low <= 1.001 * period",
        "tests/data/test_circle.py",
    ),
    (
        "src/rheos/data/polytope.py",
        "return rows + self.weight * (multiplier @ self.matrix)",
        "return rows + multiplier @ self.matrix",
        "tests/data/test_sums.py",
    ),
    (
        "src/rheos/data/polytope.py",
        "return np.asarray(missed.any(1) | outside.any(1))",
        "return np.asarray(missed.any(1))",
        "tests/data/test_sums.py",
    ),
    (
        "src/rheos/data/polytope.py",
        "out[broken] = self._moved(rows[broken], multiplier)",
        "out = self._moved(rows, (self.constant - rows @ self.matrix.T) @ np.linalg.pinv(gram))",
        "tests/data/test_sums.py",
    ),
    (
        "src/rheos/data/polytope.py",
        "free = self.weight * ((moved > self.box[0]) & (moved < self.box[1]))",
        "free = 0 * self.weight * ((moved > self.box[0]) & (moved < self.box[1]))",
        "tests/data/test_sums.py",
    ),
    (
        "src/rheos/data/sums.py",
        "row[channels.index(total)] -= 1.0",
        "row[channels.index(total)] += 1.0",
        "tests/data/test_sums.py",
    ),
    (
        "src/rheos/data/sums.py",
        "return cls(tuple(names), matrix, np.array(constants), scale**2)",
        "return cls(tuple(names), matrix, np.array(constants), scale)",
        "tests/data/test_sums.py",
    ),
    (
        "src/rheos/data/sums.py",
        "alive = ~(np.abs(self.matrix[:, used]) @ pattern.astype(float)).astype(bool)",
        "alive = np.full(len(self.matrix), not pattern.any())",
        "tests/data/test_sums.py",
    ),
]
