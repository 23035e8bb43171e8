"""Videos: known values come back, smaller frames are exact means, time is kept, damage is told."""

import sys
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from rheos import inspect
from rheos.data.reader import read, video

sys.path.insert(0, str(Path(__file__).parent))

import clips


def test_lossless_frames_come_back_with_their_rate(tmp_path):
    frames = clips.noise()
    data = read(clips.write(tmp_path / "a.mkv", frames))
    assert data.recordings[0].values.dtype == np.float32
    np.testing.assert_array_equal(data.recordings[0].values[:, 0], frames)
    assert data.layout.kind == "field"
    assert (data.layout.channels, data.layout.dims) == (("intensity",), ("channel", "y", "x"))
    assert data.layout.frequency == "40ms"
    assert data.recordings[0].stamps[3] == pd.Timestamp("1970-01-01 00:00:00.120")


def test_colors_are_channels(tmp_path):
    frames = clips.noise(channels=(3,))
    path = clips.write(tmp_path / "a.avi", frames, pix_fmt="bgr0")
    data = read(path, {"color": "rgb"})
    assert data.layout.channels == ("red", "green", "blue")
    np.testing.assert_array_equal(data.recordings[0].values, np.moveaxis(frames, -1, 1))


def test_gray_of_a_colored_clip_runs_from_black_to_white(tmp_path):
    """A usual clip keeps luma between 16 and 235; what is read is stretched over 0 to 255."""
    ramp = np.broadcast_to(np.array([0, 64, 128, 255], np.uint8)[:, None, None, None], (4, 32, 32, 3))
    data = read(clips.write(tmp_path / "a.mp4", np.ascontiguousarray(ramp), codec="mpeg4", pix_fmt="yuv420p"))
    found = data.recordings[0].values.mean((1, 2, 3))
    np.testing.assert_allclose(found, [0, 64, 128, 255], atol=3)


@pytest.mark.parametrize("size", [[4, 6], [6, 6], [12, 9]])
def test_smaller_frames_are_means_of_blocks(tmp_path, size):
    frames = clips.noise()
    data = read(clips.write(tmp_path / "a.mkv", frames), {"size": size})
    blocks = frames.reshape(12, size[0], 12 // size[0], size[1], 18 // size[1]).mean((2, 4))
    np.testing.assert_allclose(data.recordings[0].values[:, 0], blocks, rtol=1e-5)


@pytest.mark.parametrize(("before", "after"), [(10, 4), (7, 7), (9, 2), (5, 1)])
def test_area_means_are_those_of_the_finest_common_grid(before, after):
    fine = np.lcm(before, after)
    spread = np.repeat(np.eye(before), fine // before, axis=1)
    expected = spread.reshape(before, after, fine // after).mean(2).T
    np.testing.assert_allclose(video.area_means(before, after), expected, atol=1e-7)


def test_a_factor_and_every_other_frame(tmp_path):
    frames = clips.noise(frames=13)
    path = clips.write(tmp_path / "a.mkv", frames, rate=30)
    data = read(path, {"size": 0.5, "every": 3})
    blocks = frames[::3].reshape(5, 6, 2, 9, 2).mean((2, 4))
    np.testing.assert_allclose(data.recordings[0].values[:, 0], blocks, rtol=1e-5)
    assert data.layout.frequency == "100ms"


def test_a_rate_that_is_no_whole_number_of_milliseconds(tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.noise(frames=100), rate="30000/1001")
    data = read(path)
    assert data.layout.frequency == "33367us"
    assert len(data.recordings[0]) == 100


def test_frames_left_out_are_missing(tmp_path):
    frames = clips.noise(frames=20)
    places = [n for n in range(22) if n not in (7, 8)]
    values = read(clips.write(tmp_path / "a.mkv", frames, places=places)).recordings[0].values[:, 0]
    assert np.isnan(values[7:9]).all()
    np.testing.assert_array_equal(values[places], frames)
    thinned = read(tmp_path / "a.mkv", {"every": 4}).recordings[0].values[:, 0]
    np.testing.assert_array_equal(thinned, values[::4])


def test_a_gif(tmp_path):
    frames = np.repeat(clips.noise(frames=8, channels=(1,)) // 128 * 255, 3, axis=3)
    path = clips.write(tmp_path / "a.gif", frames, rate=10, codec="gif", pix_fmt="bgr8")
    data = read(path, {"color": "rgb"})
    np.testing.assert_array_equal(data.recordings[0].values[:, 1] > 128, frames[..., 1] > 128)
    assert data.layout.frequency == "100ms"


def test_a_folder_of_clips_is_several_recordings(tmp_path):
    for number, name in enumerate(("b.mkv", "a.MKV")):
        clips.write(tmp_path / name, clips.noise(frames=10 + number, seed=number))
    (tmp_path / "notes.txt").write_text("two clips")
    (tmp_path / "._a.mkv").write_text("what another system leaves behind")
    data = read(tmp_path)
    assert [(r.name, len(r)) for r in data.recordings] == [("a", 11), ("b", 10)]
    np.testing.assert_array_equal(data.recordings[1].values[:, 0], clips.noise(frames=10))


def test_inspect_proposes_a_recipe(tmp_path):
    found = inspect(clips.write(tmp_path / "a.mkv", clips.noise(frames=60)), horizon=4)
    assert found.recipe["network"]["kind"] == "field"
    assert found.frequency == "40ms"


def sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def text(path):
    path.write_text("hello")
    return path


def empty(path):
    path.touch()
    return path


def cut(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    return path


def long(path):
    return clips.write(path, clips.noise(frames=40, height=32, width=32), codec="mpeg4", pix_fmt="yuv420p")


def ended(path):
    """A file that ends between two frames, and says at its start that it has more."""
    frames = clips.noise(frames=40, height=32, width=32)
    clips.write(path, frames, codec="mpeg4", pix_fmt="yuv420p", options={"movflags": "faststart"})
    with av.open(str(path)) as container:
        starts = [packet.pos for packet in container.demux(video=0)]
    path.write_bytes(path.read_bytes()[: starts[20]])
    return path


def playlist(path):
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    return path


BAD = {
    "no video": ("a.mkv", sound, {}, "no video stream, only audio"),
    "text": ("a.mp4", text, {}, "is not a readable video"),
    "nothing": (
        "a.mp4",
        empty,
        {},
        "is empty: the file has 0 bytes",
    ),
    "a playlist": ("a.mp4", playlist, {}, "is not a readable video"),
    "half an mp4": ("a.mp4", lambda path: cut(long(path), 0.5), {}, "is not a readable video"),
    "half an avi": ("a.avi", lambda path: cut(long(path), 0.5), {}, "is damaged at frame"),
    "an mp4 without its end": (
        "a.mp4",
        ended,
        {},
        "says that it has 40 frames, but only",
    ),
    "one frame": ("a.mkv", lambda path: clips.write(path, clips.noise(1)), {}, "only one frame"),
    "no steady rate": (
        "a.mkv",
        lambda path: clips.write(path, clips.noise(6), 1000, places=[0, 33, 90, 103, 180, 200]),
        {},
        "has a variable frame rate: its frames come 13 to 77 ms apart",
    ),
    "too large": (
        "a.mkv",
        lambda path: clips.write(path, clips.noise()),
        {"memory": "10KB"},
        "MiB as 12 frames of 12 x 18, more than data.memory=10KB; make it smaller",
    ),
    "larger than it is": (
        "a.mkv",
        lambda path: clips.write(path, clips.noise()),
        {"size": [24, 18]},
        "data.size=[24,18] is larger",
    ),
    "a size of three": (
        "a.mkv",
        lambda path: path,
        {"size": [1, 2, 3]},
        "data.size=[1, 2, 3] cannot be used: give a factor",
    ),
    "a memory of words": (
        "a.mkv",
        lambda path: clips.write(path, clips.noise()),
        {"memory": "much"},
        "not a size",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_told_in_one_sentence(name, tmp_path, refused):
    file, write, options, says = BAD[name]
    refused(write(tmp_path / file), options, says)


def test_clips_together_have_one_memory(tmp_path, refused):
    for name in "abc":
        clips.write(tmp_path / f"{name}.mkv", clips.noise())
    assert len(read(tmp_path, {"memory": "40KB"}).recordings) == 3
    refused(tmp_path, {"memory": "30KB"}, "c.mkv' takes at least")


def test_clips_that_differ_are_refused(tmp_path, refused):
    clips.write(tmp_path / "a.mkv", clips.noise())
    clips.write(tmp_path / "b.mkv", clips.noise(), rate=30)
    refused(tmp_path, {}, "frames of 12 x 18 at 30 a second")


def test_frames_beyond_what_the_file_says_are_counted(tmp_path, monkeypatch, refused):
    path = clips.write(tmp_path / "a.mkv", clips.noise())
    monkeypatch.setattr(video, "_expected", lambda stream, rates: 0)
    refused(path, {"memory": "5KB"}, "as 6 frames")


def test_without_the_extra_the_way_to_it_is_told(tmp_path, monkeypatch, refused):
    path = clips.write(tmp_path / "a.mkv", clips.noise())
    monkeypatch.setattr(video, "find_spec", lambda name: None if name == "av" else find_spec(name))
    refused(path, {}, "install it with pip install 'rheos[video]'")
