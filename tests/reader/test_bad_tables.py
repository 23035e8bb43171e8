"""Every kind of bad table ends in one sentence that says what, where, and what to do."""

import pandas as pd
import pytest

from rheos.core.errors import InputError
from rheos.data.options import DataOptions
from rheos.data.reader import read

STAMPS = pd.date_range("2020-01-01", periods=24, freq="h")


def csv(rows=24, **columns):
    """A healthy table as text, with some columns replaced."""
    table = {"time": [str(s) for s in STAMPS[:rows]], "a": [str(0.5 * i) for i in range(rows)], **columns}
    names = list(table)
    lines = [",".join(names)] + [",".join(str(table[n][i]) for n in names) for i in range(rows)]
    return "\n".join(lines) + "\n"


def changed(values, **at):
    """The values with some places (p3=...) replaced."""
    out = [str(value) for value in values]
    for place, value in at.items():
        out[int(place[1:])] = value
    return out


A = [0.5 * i for i in range(24)]
TEXTS = {
    "an empty file": ("", {}, "is empty"),
    "a file of blank lines": ("\n\n", {}, "no header line"),
    "a header alone": ("time,a\n", {}, "no rows below"),
    "a long row": (csv().replace("02:00:00,1.0", "02:00:00,1.0,7"), {}, "line 4"),
    "a short row": (
        csv(b=A).replace("02:00:00,1.0,1.0", "02:00:00,1.0"),
        {},
        "line 4 has 2 fields where the header has 3",
    ),
    "rows longer than the header": (
        "time,a\n" + "2020-01-01,1,2\n2020-01-02,1,2\n",
        {},
        "more fields than the header",
    ),
    "two columns of one name": (csv().replace("time,a", "a,a"), {}, "two columns named 'a'"),
    "no header": ("2,3\n1,2\n", {}, "not names of columns"),
    "a duplicate stamp": (
        csv(time=changed(STAMPS, p3=str(STAMPS[2]))),
        {},
        "1 duplicate stamp, the first 2020-01-01 02:00:00; give data.duplicates=mean",
    ),
    "one stamp throughout": (
        csv(time=["2020-01-01"] * 24),
        {},
        "same stamp, 2020-01-01 00:00:00, in all its 24 rows",
    ),
    "rows out of order": (
        csv(time=changed(STAMPS, p3=str(STAMPS[4]), p4=str(STAMPS[3]))),
        {},
        "data row 5; give data.order=sort",
    ),
    "a word among numbers": (
        csv(a=changed(A, p7="x")),
        {},
        "'x' in data row 8; if it means missing give data.missing=[x], else roles.a=ignore",
    ),
    "a dash among numbers": (csv(a=changed(A, p7="-")), {}, """missing give data.missing="['-']", else"""),
    "many words among numbers": (csv(b=A, a=changed(A, p7="x", p8="y", p9="z")), {}, "give roles.a=ignore"),
    "a decimal comma": (csv().replace(",", ";").replace(".", ","), {}, "give data.decimal=','"),
    "marks of thousands": (
        csv(a=changed(A, p7='"1,250"', p8='"1,250,000.5"')),
        {},
        "'1,250' in data row 8; give data.thousands=','",
    ),
    "decimal commas and marks of thousands": (
        csv(b=A).replace(",", ";").replace(".", ",").replace("1,5;", "1.000,5;"),
        {},
        "give data.thousands='.' data.decimal=','",
    ),
    "several sequences": (
        "date,shop,sold\n" + "".join(f"2020-01-{d:02d},{s},{d}\n" for d in range(1, 9) for s in "AB"),
        {},
        "one for each 'shop'; give data.series=[shop]",
    ),
    "a column without values": (csv(b=[""] * 24), {}, "column 'b' of"),
    "an infinite value": (
        csv(a=changed(A, p5="inf")),
        {},
        "infinite value in 'a' at 2020-01-01 05:00:00 (1 in all); give data.missing=[inf]",
    ),
    "no column of numbers": (csv(a=["x"] * 24), {}, "no column of numbers"),
    "no time column": ("p,q\n1,2\n3,4\n", {}, "no time column (columns: p, q)"),
    "a stamp that cannot be read": (csv(time=changed(STAMPS, p3="soon")), {}, "'soon' in 'time', data row 4"),
    "an absent stamp": (csv(time=changed(STAMPS, p3="")), {}, "no stamp in data row 4"),
    "days or months": (
        "date,a\n10/02/2020,1\n11/02/2020,2\n12/02/2020,3\n",
        {},
        "give data.time_format='%d/%m/%Y' if the day comes first, else '%m/%d/%Y'",
    ),
    "a day that no month has": (
        "date,a\n30.01.2020,1\n31.02.2020,2\n01.03.2020,3\n",
        {},
        "'31.02.2020' in 'date', data row 2",
    ),
    "some stamps with a zone": (
        csv(time=changed(STAMPS, p3="2020-01-01 03:00:00+01:00")),
        {},
        "in data row 4; write all of them in one way",
    ),
    "cells of no fixed span": (csv(), {"cells": "MS"}, "no fixed span of time"),
    "cells that are none": ("time,a\n0,1\n1,1\n1.3,1\n2,1\n", {"cells": "h"}, "stamps are numbers"),
    "irregular frames of agents": (
        "frame,id,x,y\n0,1,0,0\n1,1,0,0\n2,1,0,0\n3.3,1,0,0\n",
        {},
        "irregular axis: after 2.0 comes 3.3, where the usual step is 1",
    ),
    "a single row": (csv(rows=1), {}, "only one frame"),
    "an axis that is nearly all gap": (
        csv(time=["1970-01-01 00:00:00", *map(str, STAMPS[1:])]),
        {},
        "lies nothing",
    ),
    "gaps that are refused": (
        csv(time=changed(STAMPS, p23="2020-01-02 05:00:00")),
        {"gaps": "refuse"},
        "6 missing frames",
    ),
    "a stamp off the stated step": (csv(), {"frequency": "2h"}, "no frame of step '2h'"),
    "a frequency that is none": (csv(), {"frequency": "often"}, "not a frequency"),
    "a resampling finer than the data": (csv(), {"resample": "1min"}, "finer than the step"),
    "a zone that is none": (csv(), {"timezone": "Mars"}, "no time zone"),
    "a time column that is not there": (csv(), {"time": "tme"}, "did you mean 'time'?"),
    "a role for an unknown column": (csv(), {"roles": {"aa": "past"}}, "did you mean 'a'?"),
    "nothing to forecast": (csv(), {"roles": {"a": "ignore"}}, "is a target"),
    "a static column that changes": (csv(b=A), {"roles": {"b": "static"}}, "'b' of"),
    "a word as a target": (csv(b=["x"] * 24), {"roles": {"b": "target"}}, "cannot be a target"),
    "a period beyond the data": (csv(), {"period": 99}, "data.period=99 is longer"),
    "an encoding that is none": (csv(), {"encoding": "klingon"}, "is no encoding"),
    "a future row without its covariate": (
        csv(a=changed(A, p21="", p22="", p23=""), b=changed(A, p22="")),
        {"roles": {"b": "known_future"}},
        "'b' in",
    ),
    "a long table without a target": (
        "unique_id,ds,z\nu,2020-01-01,1\nu,2020-01-02,1\n",
        {},
        "has no column 'y'",
    ),
    "a long table without stamps": ("unique_id,y\nu,1\nu,2\n", {}, "no time column"),
    "a long table with a nameless row": (
        "unique_id,ds,y\nu,2020-01-01,1\n,2020-01-02,1\n",
        {},
        "no 'unique_id' in data row 2",
    ),
    "a sequence without values": (
        "unique_id,ds,y\nu,2020-01-01,1\nu,2020-01-02,1\nv,2020-01-01,\nv,2020-01-02,\n",
        {},
        "sequence 'v'",
    ),
    "an unknown option": (csv(), {"tme": "a"}, "did you mean 'time'?"),
    "a period of one frame": (csv(), {"period": [1]}, "at least 2"),
    "a period that is no number": (csv(), {"period": ["day"]}, "data.period"),
    "a role that is none": (csv(), {"roles": {"a": "targt"}}, "roles.a='targt'"),
    "a way with duplicates that is none": (csv(), {"duplicates": "median"}, "data.duplicates='median'"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_bad_tables(kind, tmp_path, refused):
    text, options, says = TEXTS[kind]
    path = tmp_path / "table.csv"
    path.write_text(text)
    refused(path, options, says)


@pytest.mark.parametrize("kind", TEXTS)
def test_the_remedy_that_is_named_does_mend(kind, tmp_path):
    """With the options that the sentences name, one after the other, the source is read."""
    text, given, _ = TEXTS[kind]
    path = tmp_path / "table.csv"
    path.write_text(text)
    said = set()
    problem = problem_of(path, given)
    while getattr(problem, "mend", None) is not None:
        assert problem.what not in said
        said.add(problem.what)
        given = DataOptions.of(given).amended(problem.mend).model_dump()
        problem = problem_of(path, given)
    assert not said or problem is None or kind == "a word as a target"


def problem_of(source, options):
    try:
        read(source, options)
    except InputError as error:
        return error
    return None
