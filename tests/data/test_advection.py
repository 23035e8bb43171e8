"""Motion against shifts and turns that are known, and the anchor against fields that follow its law."""

from dataclasses import replace

import numpy as np
import pytest

from rheos.core.errors import IncompatibleError
from rheos.data.anchor import Advection
from rheos.data.anchor import advection as module
from rheos.data.anchor.advection import scales, scored
from rheos.data.codec import Scale
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.motion import bands, blurred, departures, motion, moved, slopes
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

BOTH = (True, True)


def texture(side=32, seed=0, width=3.0):
    made = blurred(np.random.default_rng(seed).normal(size=(1, 1, side, side)), width, BOTH)
    return made / made.std()


def shifted(field, y, x):
    """A periodic field moved by any distance, exactly, in its Fourier modes."""
    fy, fx = np.fft.fftfreq(field.shape[-2])[:, None], np.fft.fftfreq(field.shape[-1])
    return np.fft.ifft2(np.fft.fft2(field) * np.exp(-2j * np.pi * (fy * y + fx * x))).real


def drifting(frames=60, keep=0.8, noise=0.6, speed=(1.0, 2.0), seed=1):
    """X(t + 1) = shift(X(t)) in what is wide, a part of it in what is fine, and fresh noise that is fine."""
    rng = np.random.default_rng(seed)
    wide, fine = texture(width=5.0, seed=seed), np.zeros((1, 1, 32, 32))
    out = []
    for _ in range(frames):
        out.append(wide[0] + fine[0])
        fresh = blurred(rng.normal(size=fine.shape), 1.0, BOTH)
        fresh /= fresh.std()
        fine = keep * np.roll(fine, speed, (-2, -1)) + noise * fresh
        wide = np.roll(wide, speed, (-2, -1))
    return np.stack(out)


def source_of(values, periodic=BOTH, history=3, horizon=2):
    layout = Layout(kind="field", dims=("channel", "y", "x"), channels=("a",), periodic=periodic)
    data = Dataset(layout=layout, recordings=(Recording.of(values),))
    return WindowSource(data, WindowSpec(history=history, horizon=horizon), Scale().fit(data))


@pytest.mark.parametrize(("y", "x"), [(2.3, -1.4), (0.0, 3.0), (-0.5, 0.25)])
def test_the_motion_of_a_shift_is_the_shift(y, x):
    frames = np.stack([shifted(texture(), k * y, k * x) for k in range(3)], axis=1)
    found = motion(frames[:, :, 0], 6.0, BOTH)
    np.testing.assert_allclose(found[:, 0], y, atol=0.09)
    np.testing.assert_allclose(found[:, 1], x, atol=0.09)


def turning(side=48, angle=0.04):
    """Frames of a turning texture, and the motion at each cell: omega x r."""
    from scipy.ndimage import affine_transform

    field, middle = texture(side, 2)[0, 0], (side - 1) / 2
    frames = []
    for k in range(3):
        c, s = np.cos(k * angle), np.sin(k * angle)
        turn = np.array([[c, s], [-s, c]])
        frames.append(affine_transform(field, turn, np.full(2, middle) - turn @ np.full(2, middle), order=3))
    y, x = np.mgrid[:side, :side] - middle
    return np.stack(frames)[None, :, None], -angle * x, angle * y


def test_the_motion_of_a_turn_differs_from_place_to_place():
    frames, *expected = turning()
    found = motion(frames, 5.0)
    inside = (slice(12, 36), slice(12, 36))
    for part, wanted in zip(found[0], expected, strict=True):
        assert np.abs(wanted[inside]).max() > 0.4
        assert np.abs((part - wanted)[inside]).mean() < 0.06
    left = moved(frames[:, 0], found)[0, 0] - frames[0, 1, 0]
    assert np.abs(left[inside]).mean() < 0.25 * np.abs((frames[0, 1, 0] - frames[0, 0, 0])[inside]).mean()


def test_missing_cells_do_not_pull_at_the_motion():
    frames = np.stack([shifted(texture(48, 4), 0.0, k * 1.5) for k in range(3)], axis=1)[:, :, 0]
    frames += 5.0
    frames[..., 20:28] = np.nan
    found = motion(frames, 4.0, BOTH)
    np.testing.assert_allclose(found[0, 1], 1.5, atol=0.1)
    np.testing.assert_allclose(found[0, 0], 0.0, atol=0.1)
    assert (motion(np.full((1, 3, 1, 16, 16), np.nan), 4.0) == 0).all()
    assert (motion(frames[:, :1], 4.0) == 0).all()


def test_fields_are_read_where_their_content_comes_from():
    field = np.random.default_rng(5).normal(size=(1, 2, 6, 7))
    away = np.broadcast_to(np.array([1.0, -2.0])[:, None, None], (1, 2, 6, 7))
    np.testing.assert_allclose(moved(field, away, BOTH), np.roll(field, (1, -2), (-2, -1)))
    ends = moved(field, away)
    np.testing.assert_allclose(ends[..., 0, :-2], field[..., 0, 2:])
    np.testing.assert_allclose(ends[..., 1:, -1], field[..., :-1, -1])
    y, x = np.mgrid[:6, :7].astype(float)
    plane = (2 * y - 3 * x)[None, None]
    part = moved(plane, np.broadcast_to(np.array([0.25, -0.5])[:, None, None], (1, 2, 6, 7)))
    np.testing.assert_allclose(part[0, 0, 1:, :-1], (plane - 2 * 0.25 - 3 * 0.5)[0, 0, 1:, :-1])
    half = moved(field, np.full((1, 2, 6, 7), 0.5), BOTH)
    around = [np.roll(field, (i, j), (-2, -1)) for i in (0, 1) for j in (0, 1)]
    np.testing.assert_allclose(half, np.mean(around, axis=0))


def test_paths_are_followed_backward():
    y, x = np.mgrid[:12, :12].astype(float)
    velocity = np.stack([0.1 * x, 0.2 + 0.05 * y])[None]
    first, second = departures(velocity, 2)
    np.testing.assert_allclose(first, velocity)
    # v is linear, so bilinear reading is exact: D_2(x) = v(x) + v(x - v(x)).
    expected = velocity + np.stack([0.1 * (x - first[0, 1]), 0.2 + 0.05 * (y - first[0, 0])])[None]
    np.testing.assert_allclose(second[..., 3:9, 3:9], expected[..., 3:9, 3:9])
    steady = list(departures(np.full((1, 2, 5, 5), 0.7), 3))
    np.testing.assert_allclose(steady[-1], 2.1)


def test_bands_add_up_and_each_has_its_scale():
    field = texture(64, 6, 1.0)
    parts = bands(field, (1.0, 2.0, 4.0), BOTH)
    np.testing.assert_allclose(parts.sum(0), field, atol=1e-12)
    roughness = [np.abs(slopes(part, BOTH)[1]).mean() / np.abs(part).mean() for part in parts]
    assert roughness == sorted(roughness, reverse=True)
    np.testing.assert_allclose(blurred(field, np.inf), field.mean())


def test_energy_is_that_of_the_band_not_of_its_mean():
    y, x = np.mgrid[:32, :32]
    checks = np.where(x < 16, (-1.0) ** (y + x), 0.0)[None, None]
    found, energy = scales(checks, (False, False))
    assert len(found) == len(energy) + 1
    np.testing.assert_allclose(energy[0, 0, 6:26, 6:10], 1.0, atol=0.1)
    np.testing.assert_allclose(energy[0, 0, 6:26, 22:], 0.0, atol=0.01)
    assert energy[-1, 0, 16, 8] < 0.05


def test_variance_is_found_by_scoring():
    rng = np.random.default_rng(7)
    inputs = np.stack([rng.gamma(1.0, 1.0, 40000), rng.gamma(2.0, 2.0, 40000), np.ones(40000)], axis=1)
    truth = np.array([0.5, 0.0, 0.1])
    found = scored(inputs, inputs @ truth * rng.chisquare(1, 40000))
    np.testing.assert_allclose(found, truth, atol=0.03)
    assert (found >= 0).all()
    assert scored(np.ones((0, 2)), np.zeros(0)).tolist() == [0, 1]
    # A field that never is uneven has nothing to learn from.
    assert np.isfinite(scored(np.stack([np.zeros(50), np.ones(50)], axis=1), np.zeros(50))).all()


def test_a_field_that_only_moves_is_forecast_to_the_end():
    values = np.stack([np.roll(texture()[0], (t, 2 * t), (-2, -1)) for t in range(30)])
    source = source_of(values)
    fitted = Advection().fit(source, np.arange(20))
    batch = source.batch(np.arange(20, 25))
    error = fitted.future(batch) - batch.future
    assert np.abs(error).max() < 0.1 * batch.future.std()
    assert np.abs(batch.history[:, -1:] - batch.future).mean() > 5 * np.abs(error).mean()
    risen = replace(
        fitted, mean=fitted.mean + (np.arange(fitted.mean.shape[-1]) == fitted.mean.shape[-1] - 1)
    )
    np.testing.assert_allclose(risen.future(batch) - fitted.future(batch), 1.0, atol=1e-5)


def test_scales_last_as_long_as_they_do_and_the_spread_is_that_of_the_errors():
    values = drifting()
    source = source_of(values)
    fitted = Advection().fit(source, np.arange(40))
    unit = source.codec.scale.ravel()[0]
    assert fitted.mean[1, 0, 0] < 0.8 * fitted.mean[0, 0, 0]
    batch = source.batch(np.arange(42, 55))
    anchor, scale = fitted(batch)
    assert anchor.shape == scale.shape == (13, 5, 1, 32, 32)
    assert anchor.dtype == scale.dtype == np.float32
    error = batch.future - anchor[:, 3:]
    np.testing.assert_allclose((error**2 / scale[:, 3:] ** 2).mean((0, 2, 3, 4)), 1.0, atol=0.15)
    # No forecast is better than the fresh noise of each frame, and this one nearly is as good.
    left = np.sqrt((error**2).mean((0, 2, 3, 4))) * unit
    np.testing.assert_allclose(left, 0.6 * np.sqrt([1, 1 + 0.8**2]), rtol=0.15)


def test_the_spread_follows_the_unevenness():
    """Half of every field is calm: errors are small there, and that is foretold."""
    still = np.where(np.arange(32) < 16, 0.05, 1.0)
    rng = np.random.default_rng(8)
    values = still * blurred(rng.normal(size=(40, 1, 32, 32)), 1.0, BOTH)
    source = source_of(values, periodic=())
    fitted = Advection().fit(source, np.arange(30))
    batch = source.batch(np.arange(30, 34))
    spread, error = fitted.spread(batch), batch.future - fitted.future(batch)
    calm, lively = (np.sqrt((spread[..., part] ** 2).mean()) for part in (slice(0, 10), slice(20, 32)))
    assert calm < 0.5 * lively
    assert lively == pytest.approx(np.sqrt((error[..., 20:] ** 2).mean()), rel=0.1)


def test_gaps_are_filled_and_nothing_from_the_origin_on_is_read():
    values = drifting(40)
    values[10:14, :, 4:9] = np.nan
    values[:, :, 25:, 25:] = np.nan
    source = source_of(values)
    fitted = Advection().fit(source, np.arange(len(source)))
    batch = source.gather(np.zeros(41, int), np.arange(41))
    anchor, scale = fitted(batch)
    assert np.isfinite(anchor).all()
    assert (scale > 0).all()
    spoilt = values.copy()
    spoilt[20:] = 99.0
    known = WindowSource(
        Dataset(layout=source.dataset.layout, recordings=(Recording.of(spoilt),)), source.spec, source.codec
    )
    np.testing.assert_array_equal(fitted.future(known.at(0, 20)), fitted.future(source.at(0, 20)))


def test_numbers_restore_it_and_the_memory_of_histories_is_bounded(monkeypatch):
    source = source_of(drifting(30))
    fitted = Advection(window=6.0).fit(source, np.arange(20))
    again = Advection(window=6.0).restore(fitted.to_arrays())
    batch = source.batch(np.arange(20, 25))
    for one, other in zip(fitted(batch), again(batch), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.wraps == (True, True)
    assert len(fitted._kept) == 5
    monkeypatch.setattr(module, "_CACHE_BYTES", 0)
    fresh = Advection(window=6.0).restore(fitted.to_arrays())
    np.testing.assert_array_equal(fresh.future(batch), fitted.future(batch))
    assert len(fresh._kept) == 1


def test_only_fields_move():
    layout = Layout(channels=("a",))
    data = Dataset(layout=layout, recordings=(Recording.of(np.arange(60.0)[:, None]),))
    source = WindowSource(data, WindowSpec(history=3, horizon=2), Scale().fit(data))
    with pytest.raises(IncompatibleError, match="two axes in space"):
        Advection().fit(source, np.arange(len(source)))


def test_the_last_frames_tell_the_motion():
    still = np.repeat(texture()[0][None], 4, axis=0)
    history = np.concatenate([still, np.roll(texture()[0], 3, -1)[None]])
    (away,) = Advection(reach=2).paths(history, 1, BOTH)
    np.testing.assert_allclose(away[0, 1], 3.0, atol=0.1)
    (away,) = Advection(reach=5).paths(history, 1, BOTH)
    assert np.abs(away).max() < 2.5
