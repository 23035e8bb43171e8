"""Planted errors, as (file, one line, what it becomes); the tests of this folder kill each."""

_TRAJECTORIES = "src/rheos/data/reader/trajectories.py"
_OF_AGENTS = "tests/reader/test_trajectories.py"
_VIDEO = "src/rheos/data/reader/video.py"
_OF_VIDEO = "tests/reader/test_video.py"
_MARKS = "src/rheos/data/reader/marks.py"
_OF_MARKS = "tests/reader/test_marks.py"
_SEQUENCES = "src/rheos/data/reader/sequences.py"
_OF_SEQUENCES = "tests/reader/test_sequences.py"
_PARTS = "src/rheos/data/reader/time_parts.py"
_OF_PARTS = "tests/reader/test_time_parts.py"
_DAY_FIRST = "src/rheos/data/reader/day_first.py"
_OF_DAYS = "tests/reader/test_day_first.py"

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
    ("src/rheos/data/channel.py", "missing=1.0 - seen.size / size", "missing=seen.size / size"),
    (_TRAJECTORIES, 'values[cells["frame"], :, cells["slot"]]', "values[frame, :, slot]", _OF_AGENTS),
    (_TRAJECTORIES, "pd.factorize(rows.axis, sort=True)", "pd.factorize(rows.axis)", _OF_AGENTS),
    (_TRAJECTORIES, "unique().sort_values() for part", "unique() for part", _OF_AGENTS),
    (_TRAJECTORIES, "if len(together) <= 2 * most:", "if len(together) <= most:", _OF_AGENTS),
    (_TRAJECTORIES, "static[place, first.index] = first", "static[place, : len(first)] = first", _OF_AGENTS),
    ("src/rheos/data/stay.py", "len(seen) - seen[::-1].argmax(0)", "seen.sum(0)", _OF_AGENTS),
    ("src/rheos/data/reader/axis.py", "< _OFF_AXIS", "< 1", _OF_AGENTS),
    (
        "src/rheos/data/reader/arrays.py",
        'wanted = ("scene", "time", "space", "agent")',
        'wanted = ("scene", "time", "agent", "space")',
        _OF_AGENTS,
    ),
    (
        "src/rheos/data/inspect.py",
        "isfinite(r.values).all(1).sum(-1)",
        "isfinite(r.values).all(1).sum(0)",
        _OF_AGENTS,
    ),
    (_VIDEO, "np.clip(covered, 0.0, None) * (after / before)", "np.clip(covered, 0.0, None)", _OF_VIDEO),
    (_VIDEO, "- np.maximum(edges[:-1, None], cells)", "- edges[:-1, None]", _OF_VIDEO),
    (_VIDEO, "if place % options.every == 0:", "if number % options.every == 0:", _OF_VIDEO),
    (_VIDEO, "round(1e6 * options.every / exact)", "round(1e6 / exact)", _OF_VIDEO),
    (_VIDEO, "need = self.taken + 4 * frames", "need = self.taken + frames", _OF_VIDEO),
    (_VIDEO, "taken += clips[-1].frames.nbytes", "taken = clips[-1].frames.nbytes", _OF_VIDEO),
    (_VIDEO, "and np.median(steps) == 1", "", _OF_VIDEO),
    (_VIDEO, "np.moveaxis(pixels, -1, 0)", "np.moveaxis(pixels[..., ::-1], -1, 0)", _OF_VIDEO),
    ("src/rheos/data/reader/idx.py", '12: ">i4"', '12: "<i4"', "tests/reader/test_idx.py"),
    (
        "src/rheos/data/reader/arrays.py",
        '("scene", "time", "channel", *spatial) if name in dims',
        '("time", "scene", "channel", *spatial) if name in dims',
        "tests/reader/test_read.py",
    ),
    (
        "src/rheos/data/reader/cells.py",
        "offset = away / step_seconds(str(rhythm.frequency))",
        "offset = away / 3600",
        "tests/reader/test_irregular.py",
    ),
    (
        "src/rheos/data/reader/cells.py",
        "offset = (ticks - np.asarray(at)) / rhythm.step",
        "offset = (np.asarray(at) - ticks) / rhythm.step",
        "tests/reader/test_irregular.py",
    ),
    (
        "src/rheos/data/reader/cells.py",
        "last = np.append(np.asarray(at[1:] != at[:-1]), True)",
        "last = np.append(True, np.asarray(at[1:] != at[:-1]))",
        "tests/reader/test_irregular.py",
    ),
    (
        "src/rheos/data/reader/cells.py",
        "step = max(alone) if alone else min(few or steps)",
        "step = min(few or steps)",
        "tests/reader/test_irregular.py",
    ),
    (
        "src/rheos/data/reader/cells.py",
        "<= _MOST_CELLS * len(ticks)]",
        "<= 1000 * _MOST_CELLS * len(ticks)]",
        "tests/reader/test_irregular.py",
    ),
    (
        _MARKS,
        "(?:{re.escape(_typed(thousands))}\\d{{3}})+",
        "(?:{re.escape(_typed(thousands))}\\d+)+",
        _OF_MARKS,
    ),
    (_MARKS, '.replace(options.decimal, ".")', "", _OF_MARKS),
    (_MARKS, "if all(_EITHER.fullmatch(word) for word in words)", "if False", _OF_MARKS),
    (_MARKS, '"\\u00a0\\u2009\\u202f"', '"\\u00a0"', _OF_MARKS),
    (_SEQUENCES, "if table[time].nunique() * _ROWS_OF_A_STAMP > rows:", "if False:", _OF_SEQUENCES),
    (_SEQUENCES, "* _ROWS_OF_A_SEQUENCE <= rows", "<= rows", _OF_SEQUENCES),
    (_SEQUENCES, "    label.sort(key=", "    sorted(label, key=", _OF_SEQUENCES),
    (_SEQUENCES, "range(1, _MOST + 1)", "range(1, _MOST)", _OF_SEQUENCES),
    (_SEQUENCES, "series.nunique() > 1", "series.nunique() > 0", _OF_SEQUENCES),
    (
        "src/rheos/data/reader/table.py",
        'if time and series is None and options.duplicates == "refuse":',
        "if time and series is None:",
        _OF_SEQUENCES,
    ),
    ("src/rheos/data/reader/excel.py", "if len(table)]", "]", "tests/reader/test_excel.py"),
    ("src/rheos/data/reader/excel.py", "if sum(nameless) > 1:", "if False:", "tests/reader/test_excel.py"),
    (
        "src/rheos/data/reader/assemble.py",
        "np.logical_or.accumulate(~absent[::-1])[::-1]",
        "np.logical_or.accumulate(~absent)",
    ),
    (_DAY_FIRST, "form = max(orders,", "form = min(orders,", _OF_DAYS),
    (_DAY_FIRST, "if full[form] >= _EVENER", "if full[other] >= _EVENER", _OF_DAYS),
    (_DAY_FIRST, "* full[other]:", "* 0:", _OF_DAYS),
    (_DAY_FIRST, "float(steps.min() * len(steps)", "float(steps.max() * len(steps)", _OF_DAYS),
    (_DAY_FIRST, '"." in day_first[:3]', '"." in day_first', _OF_DAYS),
    (_DAY_FIRST, "or read[day_first].equals(read[month_first])", "", _OF_DAYS),
    (_DAY_FIRST, "if digits == 4", "if digits", _OF_DAYS),
    (_DAY_FIRST, "{'.%f' * part}", "", _OF_DAYS),
    ("src/rheos/data/reader/stamps.py", "or written_numbers(head)", "", _OF_DAYS),
    ("src/rheos/data/reader/stamps.py", "of_numbers = dates_of_numbers(head)", "of_numbers = None", _OF_DAYS),
    ("src/rheos/data/reader/stamps.py", "or order_of(text, name, origin, notes)", "", _OF_DAYS),
    (_DAY_FIRST, '1.0 if "%y" in orders[0] else share > 0.5', "1.0", _OF_DAYS),
    (_DAY_FIRST, 'share == 1.0 if "%y" in orders[0] else', "", _OF_PARTS),
    (_PARTS, "or table[date].duplicated().any()", "or True", _OF_PARTS),
    (_PARTS, 'known == " ".join(parts) or', "", _OF_PARTS),
    (_PARTS, "if named(columns, STAMP_NAMES) is not None:", "if False:", _OF_PARTS),
    (_PARTS, "if clock is None or not _is_date(table[date]):", "if clock is None:", _OF_PARTS),
    (_PARTS, "between(0, 24)), unit=", "between(0, 23)), unit=", _OF_PARTS),
    (_PARTS, '{"timezone": None}', "{}", _OF_PARTS),
    (_PARTS, "{m[4] or '00'}", "00", _OF_PARTS),
    (_PARTS, "whole = whole + span", "whole = whole - span", _OF_PARTS),
    (_PARTS, "_refuse(table, whole.isna()", "_refuse(table, ~whole.notna() & False", _OF_PARTS),
    (_PARTS, "rest = table.drop(columns=list(parts))", "rest = table.copy()", _OF_PARTS),
    ("src/rheos/data/reader/stamps.py", "    if _are_times_of_day(text):", "    if False:", _OF_PARTS),
    ("src/rheos/data/reader/stamps.py", "    if _are_times_of_day(head):", "    if False:", _OF_PARTS),
    ("src/rheos/data/reader/table.py", "or next(like, None) or named", "or named", _OF_PARTS),
    ("src/rheos/data/reader/text.py", ".iloc[:rows]", "", _OF_PARTS),
    ("src/rheos/data/reader/text.py", "int(full[::-1].argmax())", "int((~full).sum())", _OF_PARTS),
]
