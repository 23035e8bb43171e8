"""Planted errors of training and forecasting: (file, line as it is, line gone wrong[, tests])."""

_HELD = "tests/forecast/test_held_out.py"
_KILL = "tests/forecast/test_kill.py tests/train"
_BITS = "tests/forecast/test_same_bits.py"
_LEAK = "tests/forecast/test_leakage.py"
_TRIP = "tests/forecast/test_round_trip.py"
_STREAM = "tests/forecast/test_stream.py"
_TUNE = "tests/forecast/test_tuning.py"
_TRIAL = "src/rheos/forecast/trial.py"
_TUNING = "src/rheos/forecast/tuning.py"
_WELL = "tests/forecast/test_health.py"
_HEALTH = "src/rheos/forecast/health.py"

PLANTED = [
    (
        "src/rheos/train/average.py",
        "beta = (1.0 - 1.0 / step) ** (self._exponent + 1.0)",
        "beta = (1.0 - 1.0 / step) ** self._exponent",
        "tests/train",
    ),
    (
        "src/rheos/train/loop.py",
        "(1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))",
        "(1 + math.cos(math.pi * step / max(1, steps)))",
        "tests/train",
    ),
    (
        "src/rheos/train/loop.py",
        'self.best[i].copy_(tensors[f"best.{i}"])',
        'self.best[i].copy_(tensors[f"average.{i}"])',
        "tests/forecast/test_resume.py",
    ),
    (
        "src/rheos/train/loop.py",
        'self._gathered = list(tensors["gathered"]) if "gathered" in tensors else []',
        "self._gathered = []",
        "tests/train",
    ),
    (
        "src/rheos/forecast/fitting.py",
        "codec = Chain(links=self.recipe.codec).fit(seen)",
        "codec = Chain(links=recipe.codec).fit(Circle(known.layout.circular).lift(self.dataset))",
        _LEAK,
    ),
    (
        "src/rheos/forecast/fitting.py",
        "windows = WindowSource(seen, recipe.window, codec)",
        "windows = WindowSource(Circle(known.layout.circular).lift(self.dataset), recipe.window, codec)",
        _LEAK,
    ),
    (
        "src/rheos/forecast/continuation.py",
        "past=_whole(self._recording.past[first : max(first, self._origin)], last - first),",
        "past=_whole(self._recording.past[first:last], last - first),",
        _LEAK,
    ),
    (
        "src/rheos/forecast/continuation.py",
        "before = np.asarray(self._recording.values[first:origin], np.float32)",
        "before = np.asarray(self._recording.values[first + 1 : origin + 1], np.float32)",
        _LEAK,
    ),
    (
        "src/rheos/forecast/engine.py",
        "center = circle.about(first, middle).mean(0, dtype=np.float64)",
        "center = circle.about(values, middle).mean(0, dtype=np.float64)",
        _BITS,
    ),
    (
        "src/rheos/forecast/engine.py",
        "return torch.arange(number * rows, (number + 1) * rows)",
        "return torch.arange(rows)",
        _BITS,
    ),
    (
        "src/rheos/forecast/engine.py",
        "if self._first is None or self._first[0] != (recording, origin):",
        "if self._first is None:",
        _BITS,
    ),
    (
        "src/rheos/forecast/store.py",
        'lines = self._journal.read_text().split("\\n")[:-1]',
        'lines = self._journal.read_text().split("\\n")',
        _KILL,
    ),
    (
        "src/rheos/forecast/model.py",
        'return {"start": int(stamps[0]), "length": len(stamps), "step": step}',
        'return {"start": int(stamps[0]), "length": len(stamps), "step": 1}',
        _TRIP,
    ),
    (
        "src/rheos/forecast/event.py",
        "low = xr.apply_ufunc(lambda h, n: stats.beta.ppf(tail, h + 0.5, n - h + 0.5), hits, count)",
        "low = xr.apply_ufunc(lambda h, n: stats.beta.ppf(tail, h + 1, n - h + 1), hits, count)",
        "tests/forecast/test_event.py",
    ),
    (
        "src/rheos/forecast/engine.py",
        "return self.model.project(calibrated.apply(circle.about(values, middle), center))",
        "return calibrated.apply(circle.about(values, middle), center)",
        "tests/forecast/test_bounds.py tests/forecast/test_sums_and_circles.py",
    ),
    (
        "src/rheos/forecast/held_out.py",
        "if recording not in last or origin - last[recording] >= step:",
        "if recording not in last or origin - last[recording] >= 1:",
        _HELD,
    ),
    (
        "src/rheos/forecast/held_out.py",
        "size = max(horizon, round(share * frames))",
        "size = max(1, round(share * frames))",
        _HELD,
    ),
    (
        "src/rheos/forecast/held_out.py",
        "first + (np.arange(count) + 0.5) * (frames - first) / count",
        "first + np.arange(count) * (frames - first) / count",
        _HELD,
    ),
    (
        "src/rheos/forecast/held_out.py",
        "(origin[:, None] + horizon <= start)",
        "(origin[:, None] < start)",
        _HELD,
    ),
    (
        "src/rheos/forecast/held_out.py",
        "(origin[:, None] + horizon <= end)",
        "(origin[:, None] < end)",
        _HELD,
    ),
    ("src/rheos/train/loop.py", "score * (1 + _UNTRAINED) if step == 0 else score", "score", "tests/train"),
    (
        "src/rheos/train/loop.py",
        "len(trained) - 1 - int(np.argmin(trained))",
        "len(trained) - int(np.argmin(trained))",
        "tests/train",
    ),
    (
        "src/rheos/train/loop.py",
        '{"params": vectors, "weight_decay": 0.0}',
        '{"params": vectors, "weight_decay": settings.weight_decay}',
        "tests/train",
    ),
    (
        "src/rheos/train/settings.py",
        "return spent / calls",
        "return spent / (calls + 1)",
        "tests/train",
    ),
    (
        "src/rheos/train/average.py",
        "16.0 - inverse, 12.0 - inverse",
        "16.0 - inverse, 12.0 + inverse",
        "tests/train",
    ),
    (
        "src/rheos/forecast/budget.py",
        "4 * recipe.block * clip * width",
        "4 * clip * width",
        "tests/forecast/test_memory.py",
    ),
    (
        "src/rheos/forecast/measure.py",
        "np.sqrt(square / np.maximum(count, 1))",
        "np.sqrt(square)",
        "tests/forecast/test_measure.py",
    ),
    (
        "src/rheos/forecast/measure.py",
        "square += np.nansum(values**2",
        "square = np.nansum(values**2",
        "tests/forecast/test_measure.py",
    ),
    (
        "src/rheos/forecast/measure.py",
        "process.canonical(clip, context)[:, frames:]",
        "process.canonical(clip, context)[:, :-frames]",
        "tests/forecast/test_measure.py",
    ),
    (
        "src/rheos/forecast/model.py",
        "return self.circle.wrap(self.bounds.clip(self.sums.project(values, self.bounds)))",
        "return self.circle.wrap(self.bounds.clip(values))",
        "tests/forecast/test_sums_and_circles.py",
    ),
    (
        "src/rheos/forecast/forecast.py",
        'return self._wrapped(self._straight.mean("member", keep_attrs=True))',
        'return self.dataset.mean("member", keep_attrs=True)',
        "tests/forecast/test_sums_and_circles.py",
    ),
    (
        "src/rheos/forecast/fitting.py",
        "sums.require(known)",
        "pass",
        "tests/forecast/test_sums_and_circles.py",
    ),
    ("src/rheos/forecast/continuation.py", "longer[:, -self._most :].copy()", "longer", _STREAM),
    ("src/rheos/forecast/continuation.py", "[gone:known]", "[:2]", _STREAM),
    ("src/rheos/forecast/streaming.py", "first=lead + 1)", "first=lead)", _STREAM),
    ("src/rheos/forecast/streaming.py", "            own.add(values)\n", "", _STREAM),
    (
        "src/rheos/forecast/streaming.py",
        "engine.finish(part, values[0], lead)",
        "engine.finish(part, values[0], 0)",
        _STREAM,
    ),
    (_TRIAL, "return max(away, abs(", "return max(0.0, abs(", _TUNE),
    (_TRIAL, "float(found.var(1).nanmean()) - spread)", "0.0)", _TUNE),
    (_TRIAL, "max(abs(ratio - 1.0) for ratio", "max(ratio - 1.0 for ratio", _TUNE),
    (_TRIAL, "ends = cuts(model, dataset)", "ends = [r.observed for r in dataset.recordings]", _TUNE),
    (_TRIAL, "recording.observed - recipe.holdout", "recording.observed", _TUNE),
    (_TUNING, "next((p for p in points if", "next((p for p in points[::-1] if", _TUNE),
    (_TUNING, "n * each <= allowed", "n * trial.seconds <= allowed", _TUNE),
    (_TUNING, "whole.grid.times[:last]", "whole.grid.times", _TUNE),
    (_TUNING, "points[-1].off <= min(bounds.values())", "points[-1].off <= max(bounds.values())", _TUNE),
    (_TUNING, "return max(self.bias, self.error)", "return self.bias", _TUNE),
    ("src/rheos/forecast/model.py", "return self.presets[word] if", "return preset(word) if", _TUNE),
    (
        "src/rheos/forecast/forecaster.py",
        '"preset": engine.preset.model_dump(mode="json")',
        '"preset": quality',
        _TUNE,
    ),
    (
        "src/rheos/evaluation/backtest.py",
        "model.preset(quality)",
        "replace(model, presets={}).preset(quality)",
        _TUNE,
    ),
    (_HEALTH, "np.diff(longer, axis=1) ** 2", "np.diff(longer, axis=1)", _WELL),
    (_HEALTH, "self._last = values[:, -1:].copy()", "self._last = None", _WELL),
    (_HEALTH, "each = rate / _MARGIN", "each = 3000.0 * rate / _MARGIN", _WELL),
    (_HEALTH, "np.maximum(low, 1e-3 * self.least)", "low", _WELL),
    (_HEALTH, "runs[:, :, 0] = new[:, :, 0]", "runs[:, :, 0] = 0.0", _WELL),
    (_HEALTH, "& self._exists).any(", ").any(", _WELL),
    (_HEALTH, "np.exp(self.log_mean + normal * log_spread)", "self.mean + normal * spread", _WELL),
    (_HEALTH, "measured.shape[1] - health.span + 1)", "measured.shape[1] - health.span)", _WELL),
    (_HEALTH, "/ (2.0 * correlation[", "/ (0.0 * correlation[", _WELL),
    ("src/rheos/forecast/fitting.py", "Health.of(windows.dataset)", "Health.of(self.dataset)", _WELL),
    ("src/rheos/forecast/unwell.py", "np.flatnonzero(one)[0]", "np.flatnonzero(one)[-1]", _WELL),
    (
        "src/rheos/forecast/engine.py",
        "watch(circle.lifted(values))",
        "0 * watch(circle.lifted(values))",
        _WELL,
    ),
    (
        "src/rheos/forecast/recipe.py",
        "if shown > seen:",
        "if shown < 0:",
        "tests/forecast/test_noisy_history.py",
    ),
    (
        "src/rheos/forecast/spending.py",
        "row = step / settings.batch / 3",
        "row = step / settings.batch / 30",
        "tests/forecast/test_spending.py",
    ),
    (
        "src/rheos/forecast/spending.py",
        "left = settings.time - (checks + 1) * windows * members * member - calibrated * ensemble",
        "left = settings.time - calibrated * ensemble",
        "tests/forecast/test_spending.py",
    ),
]
