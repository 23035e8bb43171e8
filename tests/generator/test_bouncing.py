"""Moving pictures: inside, thrown back at the walls, the brighter in front, same bits for the same seed."""

import gzip
import struct

import numpy as np
import pytest

from rheos.core.errors import InputError
from rheos.core.keys import Key, Purpose
from rheos.data.generator import BouncingShapes, MovingDigits
from rheos.data.generator.bouncing import fold

SHAPES = BouncingShapes(sequences=8, frames=40, size=24, side=7, objects=2)


def places(method, seed=0):
    return method.places(Key.of(seed, method.sequences, method.name()).at(Purpose.DATA))


def digits(tmp_path, count=20, side=5):
    """A file of pictures told apart by their value: number n has 10 + n everywhere."""
    pictures = np.repeat(np.arange(10, 10 + count, dtype=np.uint8), side * side)
    path = tmp_path / "digits.gz"
    path.write_bytes(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, count, side, side) + pictures.tobytes()))
    return path


def test_a_fold_is_a_walk_that_turns_at_the_walls():
    """Against small steps, each turned round where it would leave [0, 1]."""
    start, speed, place, sign = 0.3, 0.0007, 0.3, 1.0
    for step in range(1, 9001):
        place += sign * speed
        if not 0 <= place <= 1:
            place, sign = (-place if place < 0 else 2 - place), -sign
        if step % 1000 == 0:
            assert fold(np.array(start + step * speed)) == pytest.approx(place, abs=1e-9)
            assert fold(np.array(start - step * speed)) == pytest.approx(
                fold(np.array(-start + step * speed)), abs=1e-9
            )


def test_pictures_stay_inside_and_move_at_their_speed():
    found = places(SHAPES)
    assert found.min() >= 0
    assert found.max() <= 1
    step = np.diff(found, axis=1)
    # Away from the walls a step is as long as it should be, in every direction alike.
    free = (np.abs(found[:, 1:] - 0.5) < 0.4).all(-1) & (np.abs(found[:, :-1] - 0.5) < 0.4).all(-1)
    np.testing.assert_allclose(np.linalg.norm(step, axis=-1)[free], SHAPES.speed, rtol=1e-9)
    assert free.sum() > 100
    assert np.linalg.matrix_rank(step[:, 0, 0]) == 2
    # Each wall is met, and passed back from.
    assert (np.sign(step[:, 1:]) != np.sign(step[:, :-1])).any((0, 1, 2)).all()


def test_the_middle_of_a_lone_shape_is_where_the_closed_form_says():
    method = BouncingShapes(sequences=6, frames=30, size=32, side=9, objects=1)
    values = np.stack([r.values[:, 0] for r in method.generate(3).recordings])
    corner = np.floor(places(method, 3)[:, :, 0] * (32 - 9))
    for axis, other in ((0, 3), (1, 2)):
        seen = values.any(axis=other)
        np.testing.assert_array_equal(seen.argmax(2), corner[..., axis])
        np.testing.assert_array_equal(seen.sum(2), 9)


def test_shapes_have_their_areas():
    diamond, disc, square = BouncingShapes(side=101).pictures().mean((1, 2))
    assert diamond == pytest.approx(0.5, abs=0.01)
    assert disc == pytest.approx(np.pi / 4, abs=0.01)
    assert square == 1


def test_the_brighter_of_two_is_seen(tmp_path):
    method = MovingDigits(file=digits(tmp_path), last=20, size=8, sequences=30)
    values = np.stack([r.values for r in method.generate().recordings]) * 255
    corner = np.floor(places(method) * 3).astype(int)
    key = Key.of(0, 30, "moving_digits").at(Purpose.DATA, 1)
    shown = 10 + key.integers(20, 2).numpy()
    expected = np.zeros((30, 20, 2, 8, 8))
    for i, frame, number in np.ndindex(30, 20, 2):
        y, x = corner[i, frame, number]
        expected[i, frame, number, y : y + 5, x : x + 5] = shown[i, number]
    np.testing.assert_allclose(values[:, :, 0], expected.max(2), rtol=1e-6)


def test_only_the_digits_asked_for_are_shown(tmp_path):
    path = digits(tmp_path)
    values = MovingDigits(file=path, first=15, last=18, size=12, sequences=40).generate().recordings
    shown = np.unique(np.round(255 * np.stack([r.values for r in values])))
    np.testing.assert_array_equal(shown, [0, 25, 26, 27])


def test_same_seed_same_bits_whatever_is_asked_for_beside():
    first = SHAPES.generate(1).recordings
    fewer = SHAPES.model_copy(update={"sequences": 3, "frames": 9}).generate(1).recordings
    for a, b in zip(fewer, first, strict=False):
        np.testing.assert_array_equal(a.values, b.values[:9])
    assert not np.array_equal(SHAPES.generate(2).recordings[0].values, first[0].values)


def test_what_does_not_fit_is_told(tmp_path):
    with pytest.raises(InputError, match="do not fit"):
        BouncingShapes(size=8, side=9).generate()
    with pytest.raises(InputError, match="has 20 digits"):
        MovingDigits(file=digits(tmp_path)).generate()
