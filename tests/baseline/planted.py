"""Errors planted one at a time, each of which the tests of this room must notice: (file, old, new)."""

PEER = "tests/baseline/test_peer.py"

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
    (
        "src/rheos/baseline/peer/univariate.py",
        "return np.concatenate(([1.0], answer[:-1]))",
        "return answer",
        PEER,
    ),
    (
        "src/rheos/baseline/peer/univariate.py",
        "lag = np.arange(horizon)[None, :] - np.arange(horizon)[:, None]",
        "lag = np.arange(horizon)[:, None] - np.arange(horizon)[None, :]",
        PEER,
    ),
    (
        "src/rheos/baseline/peer/univariate.py",
        "part[len(part) - period + np.arange(horizon) % period]",
        "part[len(part) - 1 - period + np.arange(horizon) % period]",
        PEER,
    ),
    (
        "src/rheos/baseline/peer/univariate.py",
        'return {"mean": np.repeat(y[-1], h), "fitted": np.concatenate((y[:1], y[:-1]))}',
        'return {"mean": np.repeat(y[-1], h), "fitted": y}',
        PEER,
    ),
    (
        "src/rheos/baseline/peer/univariate.py",
        "known = recording.values[max(0, origin - self.points) : origin]",
        "known = recording.values[max(0, origin - self.points) : origin + 1]",
        PEER,
    ),
    (
        "src/rheos/baseline/peer/univariate.py",
        "y = y - inside",
        "y = y + 0 * inside",
        PEER,
    ),
    (
        "src/rheos/baseline/peer/trained.py",
        "np.asarray(recording.values[:frames], np.float32).reshape(frames, -1)",
        "np.asarray(recording.values, np.float32).reshape(len(recording), -1)",
        PEER,
    ),
    (
        "src/rheos/baseline/peer/trained.py",
        "torch.manual_seed(seed)",
        "torch.manual_seed(0)",
        PEER,
    ),
    (
        "src/rheos/baseline/damped_anomaly.py",
        "anomaly[: len(anomaly) - lead - 1], anomaly[lead + 1 :]",
        "anomaly[: len(anomaly) - lead - 2], anomaly[lead + 2 :]",
    ),
    (
        "src/rheos/baseline/damped_anomaly.py",
        "(number + origin + np.arange(self.anomalies.horizon)) % self.season",
        "(origin + np.arange(self.anomalies.horizon)) % self.season",
    ),
    (
        "src/rheos/baseline/damped_anomaly.py",
        "square = np.where(both, before, 0.0) ** 2",
        "square = before**2",
    ),
    (
        "src/rheos/baseline/damped_anomaly.py",
        "np.nansum(rest**2) / (len(span.values) - season) ** 2",
        "np.nansum(rest**2)",
    ),
    (
        "src/rheos/baseline/damped_anomaly.py",
        "np.add.at(count, phase, seen)",
        "np.add.at(count, phase, 1)",
    ),
    (
        "src/rheos/baseline/__init__.py",
        'if layout.kind == "series" else',
        'if layout.kind != "series" else',
        "tests/evaluation/test_compare.py",
    ),
    (
        "src/rheos/baseline/on_circle.py",
        "return circle.wrap(self.fitted.forecast(recording, origin, key))",
        "return self.fitted.forecast(recording, origin, key)",
        "tests/baseline/test_on_circle.py",
    ),
    (
        "src/rheos/baseline/random_walk.py",
        "adds: ClassVar[bool] = True",
        "adds: ClassVar[bool] = False",
        "tests/baseline/test_on_circle.py",
    ),
    (
        "src/rheos/baseline/constant_velocity.py",
        "speed = np.exp(self.spread * drawn[:, 0])",
        "speed = 1 + self.spread * drawn[:, 0]",
        "tests/baseline/test_constant_velocity.py",
    ),
    (
        "src/rheos/baseline/constant_velocity.py",
        "np.stack([-step[1], step[0]])",
        "np.stack([step[1], step[0]])",
        "tests/baseline/test_constant_velocity.py",
    ),
    (
        "src/rheos/baseline/constant_velocity.py",
        "across = direction - step * (direction * step)",
        "across = direction + step * (direction * step)",
        "tests/baseline/test_constant_velocity.py",
    ),
    (
        "src/rheos/baseline/constant_velocity.py",
        "np.radians(self.turn), self.spread",
        "self.turn, self.spread",
        "tests/baseline/test_constant_velocity.py",
    ),
    (
        "src/rheos/baseline/constant_velocity.py",
        "ahead = np.arange(1, self.horizon + 1)",
        "ahead = np.arange(self.horizon)",
        "tests/baseline/test_constant_velocity.py",
    ),
]
