"""Every kind of bad file and object ends in one sentence that says what, where, and what to do."""

import gzip
import json
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from rheos.core.errors import InputError
from rheos.data.reader import read

STAMPS = pd.date_range("2020-01-01", periods=24, freq="h")
TABLE = "time,a,b\n2020-01-01,1,2\n2020-01-02,3,4\n"


def grid(**changes):
    """A healthy field of 6 days, 3 latitudes and 4 longitudes."""
    frames = pd.date_range("2020-01-01", periods=6)
    sst = xr.DataArray(
        np.random.default_rng(0).normal(size=(6, 3, 4)).astype(np.float32),
        dims=("time", "lat", "lon"),
        coords={"time": frames, "lat": [10.0, 0.0, -10.0], "lon": [0.0, 90.0, 180.0, 270.0]},
    )
    return xr.Dataset({"sst": sst, **changes})


def packed(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(np.random.default_rng(0).bytes(4000))[:2000])
    return path


def file(name, raw):
    def write(tmp_path):
        path = tmp_path / name
        path.write_bytes(raw)
        return path

    return write


def saved(name, **arrays):
    def write(tmp_path):
        path = tmp_path / name
        if name.endswith(".npz"):
            np.savez(path, **arrays)
        else:
            np.save(path, arrays["a"], allow_pickle=True)
        return path

    return write


def netcdf(dataset, cut=None, part=""):
    def write(tmp_path):
        path = tmp_path / "grid.nc"
        dataset().to_netcdf(path, engine="h5netcdf")
        if cut is not None:
            path.write_bytes(path.read_bytes()[:cut])
        return path

    return write


def with_calendar(name):
    def make():
        out = grid().assign_coords(
            time=("time", np.arange(6.0), {"units": "days since 2000-01-01", "calendar": name})
        )
        return out

    return make


def zipped(tmp_path):
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", TABLE)
        archive.writestr("b.csv", TABLE)
    return path


def folder(name, files):
    def write(tmp_path):
        place = tmp_path / name
        for file_name, text in files.items():
            (place / file_name).parent.mkdir(parents=True, exist_ok=True)
            (place / file_name).write_text(text)
        place.mkdir(exist_ok=True)
        return place

    return write


def lines(*records, name="a.jsonl"):
    return file(name, "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records).encode())


START = {"start": "2020-01-01", "target": [1, 2, 3]}
ENSEMBLE = xr.DataArray(np.zeros((2, 6)), dims=("member", "time"))
FILES = {
    "no such file": (lambda p: p / "no.csv", {}, "there is no file"),
    "no such folder": (lambda p: p / "no" / "no.csv", {}, "does not exist either"),
    "a folder of nothing": (folder("d", {}), {}, "holds neither Zarr, JSON lines nor videos"),
    "rubbish named csv": (file("a.csv", bytes(range(256)) * 9), {}, "is not text"),
    "a wrong encoding": (
        file("a.csv", TABLE.replace("b\n", "é\n").encode("latin-1")),
        {},
        "byte 0xe9 in line 1; give data.encoding=latin-1",
    ),
    "utf-16": (file("a.csv", TABLE.encode("utf-16")), {}, "give data.encoding=utf-16"),
    "a truncated gzip": (packed, {}, "damaged gzip"),
    "a truncated xz": (file("a.csv.xz", b"\xfd7zXZ\x00abc"), {}, "damaged xz"),
    "a broken zip": (file("a.zip", b"PK\x03\x04abc"), {}, "damaged zip"),
    "a zip of two files": (zipped, {}, "zip archive of 2 files"),
    "a corrupt parquet": (
        file("a.parquet", b"PAR1" + b"x" * 40 + b"PAR1"),
        {},
        "not a readable Parquet file",
    ),
    "an empty parquet": (file("a.parquet", b""), {}, "0 bytes"),
    "a truncated NetCDF": (netcdf(grid, cut=3000), {}, "cannot be read as a NetCDF file"),
    "text named nc": (file("a.nc", b"hello"), {}, "is not a NetCDF file"),
    "an empty NetCDF": (file("a.nc", b""), {}, "is empty"),
    "a NetCDF without time": (netcdf(lambda: grid().isel(time=0, drop=True)), {}, "has no dimension of time"),
    "a calendar that is none": (netcdf(with_calendar("klingon")), {}, "cannot be read as a NetCDF file"),
    "a variable that is not there": (
        netcdf(grid),
        {"variables": ["sts"]},
        "no variable 'sts'; did you mean 'sst'?",
    ),
    "a variable of words": (
        netcdf(lambda: grid(w=("time", np.array(list("abcdef"), dtype=object)))),
        {"variables": "w"},
        "not real numbers",
    ),
    "a variable without time": (
        netcdf(lambda: grid(m=("lat", np.zeros(3)))),
        {"variables": "m"},
        "has no dimension 'time'",
    ),
    "two grids": (netcdf(lambda: grid(m=("time", np.arange(6.0)))), {}, "give data.variables=[sst]"),
    "an ensemble": (netcdf(lambda: ENSEMBLE.to_dataset(name="e")), {}, "data.select.member=0"),
    "a member beyond the ensemble": (
        netcdf(lambda: ENSEMBLE.to_dataset(name="e")),
        {"select": {"member": 7}},
        "beyond its length 2",
    ),
    "a selection along nothing": (netcdf(grid), {"select": {"lvl": 0}}, "data.select.lvl names no dimension"),
    "dims that are not the data's": (netcdf(grid), {"dims": ["y", "x"]}, "are not the spatial dimensions"),
    "a covariate on a grid": (netcdf(grid), {"roles": {"sst": "past"}}, "is for tables"),
    "a word for missing on a grid": (netcdf(grid), {"missing": ["?"]}, "is text"),
    "a Zarr folder that is none": (folder("a.zarr", {"x/0": "?"}), {}, "without Zarr metadata"),
    "a Zarr folder of rubbish": (folder("a.zarr", {"zarr.json": "?"}), {}, "cannot be read as a Zarr folder"),
    "an npz of several arrays": (
        saved("a.npz", a=np.zeros(5), b=np.zeros(5)),
        {},
        "holds several arrays (a, b); name one",
    ),
    "an npz without arrays": (saved("a.npz"), {}, "several arrays (none)"),
    "rubbish named npz": (file("a.npz", b"PK nonsense"), {}, "is not a numpy archive"),
    "rubbish named npy": (file("a.npy", b"nonsense"), {}, "is not a numpy file"),
    "a truncated npy": (
        file("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'"),
        {},
        "not a readable numpy file",
    ),
    "objects in npy": (
        saved("a.npy", a=np.array([{}, 1], dtype=object)),
        {},
        "Python objects, which are never read",
    ),
    "objects in npz": (
        saved("a.npz", a=np.array([{}, 1], dtype=object)),
        {},
        "Python objects, which are never read",
    ),
    "a pickle named npy": (file("a.npy", pickle.dumps([1.0, 2.0])), {}, "is not a numpy file"),
    "complex numbers": (saved("a.npy", a=np.zeros(5, complex)), {}, "complex numbers"),
    "words in npy": (saved("a.npy", a=np.array(["a", "b"])), {}, "holds text"),
    "a lone number": (saved("a.npy", a=np.float64(3)), {}, "a single number"),
    "an empty array": (saved("a.npy", a=np.zeros((0, 3))), {}, "shape is (0, 3)"),
    "six axes": (saved("a.npy", a=np.zeros((2,) * 6)), {}, "has 6 axes"),
    "names for other axes": (
        saved("a.npy", a=np.zeros((4, 3))),
        {"dims": ["time"]},
        "does not name the 2 axes",
    ),
    "axes without time": (saved("a.npy", a=np.zeros((4, 3))), {"dims": ["x", "y"]}, "names no axis 'time'"),
    "a word for missing in an array": (saved("a.npy", a=np.zeros(5)), {"missing": ["?"]}, "is text"),
    "an average without stamps": (saved("a.npy", a=np.zeros(5)), {"resample": "1h"}, "only frame numbers"),
    "stamps of another length": (
        saved("a.npz", a=np.zeros(5), time=np.arange(4)),
        {"time": "time"},
        "4 stamps",
    ),
    "a part of a file without parts": (
        lambda p: f"{file('a.csv', TABLE.encode())(p)}::x",
        {},
        "which has none",
    ),
    "broken JSON": (lines(START, '{"start": '), {"frequency": "D"}, "line 2 is not JSON"),
    "JSON that is no object": (lines("[1, 2]"), {"frequency": "D"}, "not an object but list"),
    "a line without target": (lines({"start": "2020-01-01"}), {"frequency": "D"}, "has no 'target'"),
    "a line without start": (lines({"target": [1]}), {"frequency": "D"}, "has no 'start'"),
    "a start that is none": (
        lines({**START, "start": "soon"}),
        {"frequency": "D"},
        "start that cannot be read",
    ),
    "words in a target": (
        lines({**START, "target": [1, "x"]}),
        {"frequency": "D"},
        "something else than numbers",
    ),
    "a ragged target": (
        lines({**START, "target": [[1, 2], [1]]}),
        {"frequency": "D"},
        "something else than numbers",
    ),
    "an empty target": (lines({**START, "target": []}), {"frequency": "D"}, "empty target"),
    "lines without frequency": (lines(START), {}, "does not say its frequency"),
    "a short covariate": (
        lines({**START, "feat_dynamic_real": [[1]]}),
        {"frequency": "D"},
        "but 1 of a covariate",
    ),
    "unequal covariates": (
        lines(START, {**START, "feat_static_real": [1], "target": [4, 5]}),
        {"frequency": "D"},
        "same number",
    ),
    "an unknown part": (
        lambda p: f"{folder('g', {'train/a.json': json.dumps(START)})(p)}::tset",
        {},
        "has no part 'tset'",
    ),
    "a tar that is none": (file("a.tar.gz", gzip.compress(b"hello")), {}, "not a tar archive"),
    "a video": (file("a.mp4", b"\0"), {}, "is not a readable video"),
}


@pytest.mark.parametrize("kind", FILES)
def test_bad_files(kind, tmp_path, refused):
    write, options, says = FILES[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = write(tmp_path)
    refused(source, options, says)


def frame(**changes):
    return pd.DataFrame({"time": STAMPS, "a": np.arange(24.0), **changes})


mixed_calendars = grid().assign_coords(
    time=xr.DataArray(
        np.array(
            [
                *xr.date_range("2000-01-01", periods=3, calendar="noleap", use_cftime=True),
                *xr.date_range("2000-01-04", periods=3, calendar="360_day", use_cftime=True),
            ],
            dtype=object,
        ),
        dims="time",
    )
)
OBJECTS = {
    "a list": ([1, 2, 3], {}, "type list"),
    "levels of columns": (
        frame().set_axis(pd.MultiIndex.from_product([["x"], ["time", "a"]]), axis=1),
        {},
        "several levels",
    ),
    "two columns of one name": (frame().set_axis(["time", "time"], axis=1), {}, "two columns named 'time'"),
    "an index like a column": (frame().set_axis(pd.Index(range(24), name="a")), {}, "index and a column"),
    "no rows": (frame().iloc[:0], {}, "has no rows"),
    "complex numbers": (frame(a=np.zeros(24, complex)), {"roles": {"a": "target"}}, "cannot be a target"),
    "two dimensions of time": (
        xr.DataArray(np.zeros((2, 2)), dims=("a", "b"), coords={"a": STAMPS[:2], "b": STAMPS[:2]}),
        {},
        "several dimensions of time (a, b)",
    ),
    "mixed calendars": (mixed_calendars, {}, "stamps of"),
    "a dimension of length 0": (grid().isel(lat=slice(0)), {}, "has length 0"),
    "five dimensions": (
        xr.DataArray(np.zeros((2,) * 5), dims=("time", "p", "q", "r", "s"), coords={"time": STAMPS[:2]}),
        {},
        "4 dimensions besides time",
    ),
    "objects": (np.array([None, 1], dtype=object), {}, "Python objects"),
    "an infinite cell": (np.array([[1.0, np.inf], [1.0, 2.0]]), {}, "infinite value in 'value1' at 0"),
    "nothing but NaN": (np.full((5, 2), np.nan), {}, "holds no value at all"),
    "a field made joint": (grid(), {"time": "lato"}, "did you mean 'lat'?"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_bad_objects(kind, refused):
    refused(*OBJECTS[kind])


def test_a_pickle_is_never_run(tmp_path):
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return Path.touch, (marker,)

    for name in ("bomb.npy", "bomb.csv", "bomb.parquet", "bomb.nc", "bomb.npz", "bomb.jsonl"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(InputError):
            read(tmp_path / name)
    np.save(tmp_path / "object.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError):
        read(tmp_path / "object.npy")
    assert not marker.exists()
