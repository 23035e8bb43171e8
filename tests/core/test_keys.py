"""Keys: the published words of Philox, and streams that depend only on what they are for."""

import pytest
import torch
from scipy import stats

from rheos.core.keys import Key, Purpose, philox

ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, words):
    """Known answers of the Random123 distribution for philox4x32, 10 rounds."""
    out = philox([torch.tensor(c) for c in counter], [torch.tensor(k) for k in key])
    assert tuple(int(w) for w in out) == words


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (3, 10), (2, 40_000), (0, 5), (5, 0)])
def test_words_are_the_same_by_either_library(rows, count):
    """Numpy's, which the CPU uses, in one piece or many, and torch's, which devices use."""
    key = Key.of(3, rows, "a").at(Purpose.STEP, 4)
    assert key._words(0, count).shape == (rows, count)
    for first in (0, 6):
        torches = key._by_torch(first // 4, -(-(first + count) // 4), "cpu")
        for dtype in (torch.int64, torch.float32, torch.float64):
            assert torch.equal(key._blocks(first, count, dtype, "cpu"), torches.to(dtype))
        words = torches.permute(2, 3, 1, 0).flatten(1)[:, first % 4 :][:, :count]
        assert torch.equal(key._words(first, count), words)


def test_a_member_does_not_depend_on_its_company():
    whole = Key.of(3, 10, "a", "2020-01-01").normal((4, 5))
    some = Key.of(3, [7, 2], "a", "2020-01-01").normal((4, 5))
    assert torch.equal(some, whole[[7, 2]])


@pytest.mark.parametrize("skipped", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_part_of_a_stream_can_be_drawn_alone(skipped, count):
    key, part = Key.of(4, 3), slice(skipped, skipped + count)
    later = key.after(skipped)
    for dtype in (torch.float32, torch.float64):
        assert torch.equal(later.normal((count,), dtype), key.normal((15,), dtype)[:, part])
    assert torch.equal(later.uniform((count,)), key.uniform((15,))[:, part])
    assert torch.equal(later.integers(99, count), key.integers(99, 15)[:, part])
    assert torch.equal(later.after(2).normal((count,)), key.after(skipped + 2).normal((count,)))
    assert torch.isfinite(key.after(2**36).normal((3,))).all()


def test_every_part_of_a_key_names_another_stream():
    keys = [
        Key.of(0, [0], "a", "x"),
        Key.of(1, [0], "a", "x"),
        Key.of(0, [1], "a", "x"),
        Key.of(0, [0], "b", "x"),
        Key.of(0, [0], "a", "y"),
        Key.of(0, [0], "a", "x").at(Purpose.STEP),
        Key.of(0, [0], "a", "x").at(Purpose.START, 1),
    ]
    draws = torch.cat([k.normal((3,)) for k in keys])
    assert len(torch.unique(draws)) == draws.numel()


def test_numbers_follow_their_law():
    """Kolmogorov-Smirnov and chi-square with a fixed seed: no false alarm can come and go."""
    key = Key.of(11, 200)
    assert stats.kstest(key.normal((501,)).double().flatten(), "norm").pvalue > 1e-3
    assert stats.kstest(key.uniform((500,)).flatten(), "uniform").pvalue > 1e-3
    counts = torch.bincount(key.integers(7, 500).flatten(), minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-3


def test_drawing_leaves_the_global_state_alone():
    before = torch.get_rng_state()
    Key.of(0, 2).normal((3,))
    assert torch.equal(before, torch.get_rng_state())
