"""Agents that come and go: what a long table or an archive says of each is where it is read."""

import json

import numpy as np
import pandas as pd
import pytest

from rheos import cli
from rheos.core.errors import InputError
from rheos.data.inspect import inspect
from rheos.data.reader import read, survey
from rheos.data.stay import stays

RNG = np.random.default_rng(3)
# Agent 7 stays, 3 comes late, 12 leaves for a while; frame 40 has no row at all.
PRESENT = {7: [0, 10, 20, 30, 50, 60], 3: [30, 50, 60], 12: [0, 10, 30, 50]}


def long_table(present=PRESENT, space=("x", "y"), **columns):
    rows = [(frame, agent) for agent, frames in present.items() for frame in frames]
    table = pd.DataFrame(rows, columns=["frame", "id"]).assign(**columns)
    for name in space:
        table[name] = RNG.normal(size=len(table)).astype(np.float32)
    return table.sort_values("frame", kind="stable", ignore_index=True)


def where(dataset, scene=0):
    """What a recording says, as {(frame, agent): place}."""
    recording = dataset.recordings[scene]
    agents = dataset.layout.coords["agent"]
    return {
        (int(stamp), agents[i]): tuple(recording.values[frame, :, i])
        for frame, stamp in enumerate(recording.stamps)
        for i in range(len(agents))
        if np.isfinite(recording.values[frame, :, i]).any()
    }


def said(table, space=("x", "y")):
    return {(row.frame, row.id): tuple(getattr(row, n) for n in space) for row in table.itertuples()}


@pytest.mark.parametrize("space", [("x", "y"), ("x", "y", "z")])
def test_every_row_is_found_at_its_frame_and_agent_and_nothing_else_is(space):
    table = long_table(space=space)
    dataset = read(table.sample(frac=1, random_state=0))
    assert where(dataset) == said(table, space)
    layout = dataset.layout
    assert (layout.kind, layout.dims, layout.channels) == ("trajectory", ("channel", "agent"), space)
    np.testing.assert_array_equal(layout.coords["agent"], [3, 7, 12])
    recording = dataset.recordings[0]
    assert list(recording.stamps) == [0, 10, 20, 30, 40, 50, 60]
    assert np.isnan(recording.values[4]).all()
    np.testing.assert_array_equal(stays(recording.values), [4, 7, 6])


def test_containers_and_names_of_columns_do_not_matter(tmp_path):
    table = long_table()
    expected = said(table)
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    table.rename(columns={"id": "ped", "frame": "Frame_ID"}).to_parquet(tmp_path / "a.parquet")
    np.savez(tmp_path / "a.npz", **{name: table[name].to_numpy() for name in table})
    renamed = table.rename(columns={"id": "who", "frame": "step"})
    renamed.to_csv(tmp_path / "b.csv", index=False)
    for name in ("a.csv", "a.tsv", "a.parquet", "a.npz"):
        assert where(read(tmp_path / name)) == expected, name
    assert where(read(tmp_path / "b.csv", {"agent": "who", "time": "step"})) == expected


def test_text_without_a_header_as_eth_and_ucy_write_it(tmp_path):
    table = long_table()
    path = tmp_path / "biwi_eth.txt"
    table[["frame", "id", "x", "y"]].astype(float).to_csv(path, sep="\t", header=False, index=False)
    with pytest.raises(InputError, match=r"holds numbers .* data.columns=\[frame,id,x,y\]"):
        read(path)
    assert where(read(path, {"columns": ["frame", "id", "x", "y"]})) == said(table)
    found = inspect(path)
    assert (found.kind, found.agents) == ("trajectory", 3)
    assert found.options == "data.columns=[frame,id,x,y]"
    with pytest.raises(InputError, match=r"names 3 columns and the first line of .* has 4 fields"):
        read(path, {"columns": ["frame", "id", "x"]})


def test_scenes_are_recordings_that_share_an_axis_where_they_share_names():
    first, second = long_table(), long_table({7: [0, 10], 9: [0, 10, 20]})
    table = pd.concat([first.assign(scene="a"), second.assign(scene="b")])
    dataset = read(table)
    assert [recording.name for recording in dataset.recordings] == ["a", "b"]
    np.testing.assert_array_equal(dataset.layout.coords["agent"], [3, 7, 9, 12])
    assert where(dataset, 1) == said(second)
    for recording, one in zip(dataset.recordings, (first, second), strict=True):
        assert np.isfinite(recording.values).sum() == 2 * len(one)


def test_names_used_in_one_scene_only_are_numbered_in_each():
    scenes = [long_table({10 * s + 5: [0, 10], 10 * s + 2: [0, 10]}) for s in range(5)]
    dataset = survey(pd.concat([t.assign(scene=f"s{i}") for i, t in enumerate(scenes)]))
    assert dataset.dataset.features == (2, 2)
    assert "10 agents are numbered in each scene anew" in " ".join(dataset.notes)
    for number, table in enumerate(scenes):
        expected = {(f, (a - 10 * number) // 5): v for (f, a), v in said(table).items()}
        assert where(dataset.dataset, number) == expected


def test_constants_of_agents_lie_along_their_axis():
    table = long_table()
    table["charge"] = table["id"].map({7: 1.0, 3: -1.0, 12: 0.5})
    dataset = read(table, {"roles": {"charge": "static"}})
    assert dataset.layout.static == ("charge[3]", "charge[7]", "charge[12]")
    np.testing.assert_array_equal(dataset.recordings[0].static, [-1.0, 1.0, 0.5])
    assert read(table).layout.static == ()
    two = pd.concat([table.assign(scene="a"), long_table({12: [0, 10]}).assign(scene="b", charge=3.0)])
    second = read(two, {"roles": {"charge": "static"}}).recordings[1]
    np.testing.assert_array_equal(second.static, [np.nan, np.nan, 3.0])


def test_an_agent_twice_in_a_frame():
    table = long_table()
    twice = pd.concat([table, table.iloc[[2]].assign(x=9.0, y=5.0)])
    with pytest.raises(InputError, match=r"agent 7 twice in frame 10 .*data.duplicates=mean"):
        read(twice)
    frame, agent = int(table.frame[2]), int(table.id[2])
    kept = said(table)[(frame, agent)]
    assert where(read(twice, {"duplicates": "first"}))[(frame, agent)] == kept
    assert where(read(twice, {"duplicates": "last"}))[(frame, agent)] == (9.0, 5.0)
    mean = where(read(twice, {"duplicates": "mean"}))[(frame, agent)]
    np.testing.assert_allclose(mean, np.mean([kept, (9.0, 5.0)], axis=0), rtol=1e-6)


def test_arrays_of_places(tmp_path):
    places = RNG.normal(size=(6, 4, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", xyz=places, other=np.zeros(3))
    dataset = read(f"{tmp_path}/a.npz::xyz", {"dims": ["time", "agent", "space"]})
    assert (dataset.layout.kind, dataset.layout.channels) == ("trajectory", ("x", "y", "z"))
    np.testing.assert_array_equal(dataset.recordings[0].values, places.swapaxes(1, 2))
    scenes = RNG.normal(size=(2, 3, 6, 4))
    several = read(scenes, {"dims": ["space", "scene", "time", "agent"]})
    assert [recording.name for recording in several.recordings] == ["0", "1", "2"]
    np.testing.assert_allclose(several.recordings[2].values, scenes[:, 2].swapaxes(0, 1), rtol=1e-6)


def test_inspection_tells_scenes_agents_and_frames():
    table = pd.concat(
        [long_table().assign(scene="a"), long_table({7: [0, 10], 9: [0, 10, 20]}).assign(scene="b")]
    )
    found = inspect(table)
    assert (found.recordings, found.agents, found.together, found.stay) == (2, 5, 3, (2, 4, 7))
    assert found.frames == (3, 7)
    assert found.gap_frames == 1
    # Of the 4 + 7 + 6 + 2 + 3 frames that agents stay, frame 40 and one of agent 12 are missing.
    assert found.channels[0].missing == pytest.approx(4 / 22)
    text = str(found)
    assert "trajectory 2 scenes of 3 to 7 frames, 2 channel x 4 agent" in text
    assert "agents    5, at most 3 at once, for 2 to 7 frames, half of them for 4 or more" in text
    assert json.dumps(found.to_dict())


BAD = {
    "a word among places": (
        long_table().astype({"x": object}).assign(x=lambda t: t.x.where(t.index != 3, "left")),
        {},
        "column 'x' of 'the DataFrame' has text among its numbers: 'left' in data row 4",
    ),
    "words for places": (
        long_table(x="a", space=("y",)),
        {},
        "column 'x' of 'the DataFrame' holds no places but 'a'",
    ),
    "an agent without a name": (
        long_table().astype({"id": float}).assign(id=lambda t: t.id.where(t.index != 2)),
        {},
        "has no 'id' in data row 3 (1 such rows); fill it in or remove the row",
    ),
    "a frame without a number": (
        long_table().astype({"frame": float}).assign(frame=lambda t: t.frame.where(t.index != 2)),
        {},
        "has no stamp in data row 3",
    ),
    "no place": (long_table().drop(columns="y"), {"agent": "id"}, "no columns x and y beside x"),
    "an agent that is no column": (long_table(), {"agent": "who"}, "data.agent=who names no column"),
    "rows for frames": (long_table(), {"time": "rows"}, "but rows of 'the DataFrame' are agents"),
    "a role for nothing": (long_table(), {"roles": {"mass": "static"}}, "roles.mass names no column"),
    "a covariate": (long_table(v=1.0), {"roles": {"v": "past"}}, "roles.v=past does not suit"),
    "a constant that changes": (
        long_table().assign(q=lambda t: np.where(t.index == 0, 1.0, 2.0)),
        {"roles": {"q": "static"}},
        "column 'q' of 'the DataFrame' is not static: it changes for agent 7; give roles.q=ignore",
    ),
    "one frame": (long_table({1: [5], 2: [5]}), {}, "holds only one frame"),
    "a scene between the frames of another": (
        pd.concat([long_table().assign(scene="a"), long_table({7: [0, 4, 10]}).assign(scene="b")]),
        {},
        "has a stamp off its axis of sequence 'b': 4 is no frame of step 10.0 from 0",
    ),
    "frames out of step": (long_table({1: [0, 10, 20, 30, 33.5]}), {}, "33.5"),
    "an infinite place": (
        long_table().assign(y=lambda t: t.y.where(t.index != 1, np.inf)),
        {},
        "has an infinite value in 'y' at 0",
    ),
    "four dimensions": (
        np.zeros((5, 2, 4)),
        {"dims": ["time", "agent", "space"]},
        "has a space of 4 dimensions; give places in 2 or 3",
    ),
    "an axis that has no place": (
        np.zeros((5, 2, 2)),
        {"dims": ["time", "agent", "y"]},
        "name them time, agent, space",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_trajectories_end_in_one_sentence(case, refused):
    refused(*BAD[case])


def test_an_archive_whose_columns_differ_in_length(tmp_path, refused):
    np.savez(tmp_path / "a.npz", frame=np.arange(4), id=np.ones(4), x=np.zeros(3), y=np.zeros(4))
    refused(tmp_path / "a.npz", {}, "its array 'x' has shape (3,) where 'frame' has (4,)")


def test_agents_that_hardly_meet_are_refused(refused):
    count = 9000
    table = long_table({i: [i] for i in range(count)})
    refused(table, {}, "has 9000 rows for 9000 frames and 9000 agents, few of which meet")


def test_the_command_line_leaves_with_2_and_one_sentence(tmp_path, capsys):
    long_table(x="here", space=("y",)).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(SystemExit) as left:
        cli.main(["inspect", str(tmp_path / "bad.csv")])
    assert left.value.code == 2
    told = capsys.readouterr().err.strip()
    assert "holds no places but 'here' in data row 1" in told
    assert "\n" not in told
