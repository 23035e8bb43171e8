"""Codecs: exact inverses, their Jacobians by differences, statistics by hand, and the rest of NaN."""

import numpy as np
import pytest

from rheos.core.errors import IncompatibleError, InputError
from rheos.data.codec import CODECS, AutoEncoder, Chain, Increments, Log, Patches, Scale, Tokens
from rheos.data.codec.covariates import Covariates
from rheos.data.dataset import Dataset, Layout, Recording

CODINGS = [
    Scale(),
    Scale(per_cell=True),
    Scale(mode="robust"),
    Scale(mode="robust", per_cell=True),
    Scale(mode="window"),
    Scale(mode="window", per_cell=True),
    Log(),
    Log(offset=2.0),
    Increments(),
    Chain(links=(Log(), Increments(), Scale())),
    Chain(links=(Scale(), Increments())),
    Chain(links=(Log(), Scale(mode="window"))),
]


def recordings(features, lengths=(60, 40), seed=0, missing=0.1):
    rng = np.random.default_rng(seed)
    made = []
    for length in lengths:
        values = np.exp(rng.normal(size=(length, *features))) * 3 + 1
        values[rng.uniform(size=values.shape) < missing] = np.nan
        made.append(values)
    channels = tuple("abcdef"[: features[0]])
    return Dataset(
        layout=Layout(channels=channels), recordings=tuple(Recording.of(values) for values in made)
    )


def test_every_codec_is_tried():
    assert {type(config) for config in CODINGS} == set(CODECS) - {
        Tokens,
        Patches,
        AutoEncoder,
    }  # whole numbers, grids


@pytest.mark.parametrize("features", [(2,), (2, 3, 4)])
@pytest.mark.parametrize("config", CODINGS, ids=repr)
def test_decode_inverts_encode_and_nan_stays(config, features):
    data = recordings(features)
    fitted = config.fit(data)
    clips = np.stack([data.recordings[0].values[i : i + 20] for i in (0, 7, 30)])
    history, future = clips[:, :12].copy(), clips[:, 12:]
    history[1] = np.nan
    state = fitted.state(history)
    coded = fitted.encode(future, state)
    assert (np.isnan(coded) == np.isnan(future)).all()
    np.testing.assert_allclose(fitted.decode(coded, state), future, rtol=0, atol=1e-10)


@pytest.mark.parametrize("config", CODINGS, ids=repr)
def test_restored_from_arrays_is_the_same(config):
    data = recordings((2,))
    fitted = config.fit(data)
    again = type(config).model_validate(config.model_dump()).restore(fitted.to_arrays())
    clip = data.recordings[0].values[None, :20]
    state, other = fitted.state(clip[:, :12]), again.state(clip[:, :12])
    assert np.array_equal(
        fitted.encode(clip[:, 12:], state), again.encode(clip[:, 12:], other), equal_nan=True
    )
    assert all(isinstance(array, np.ndarray) for array in fitted.to_arrays().values())


@pytest.mark.parametrize("config", CODINGS, ids=repr)
def test_log_det_is_that_of_the_jacobian(config):
    data = recordings((2,), missing=0.0)
    fitted = config.fit(data)
    clip = data.recordings[0].values[None, :16]
    state, future = fitted.state(clip[:, :12]), clip[:, 12:]
    columns = []
    for entry in range(future.size):
        step = np.zeros(future.size)
        step[entry] = 1e-6
        step = step.reshape(future.shape)
        change = fitted.encode(future + step, state) - fitted.encode(future - step, state)
        columns.append(change.ravel() / 2e-6)
    _, expected = np.linalg.slogdet(np.stack(columns, axis=1))
    assert fitted.log_det(future, state).sum() == pytest.approx(expected, abs=1e-6)


def test_global_and_robust_statistics_by_hand():
    values = np.array([[1.0, 0.0], [2.0, 0.0], [np.nan, 0.0], [6.0, 1.0]])
    data = Dataset(layout=Layout(channels=("a", "b")), recordings=(Recording.of(values),))
    fitted = Scale().fit(data)
    np.testing.assert_allclose(fitted.location, [3, 0.25])
    np.testing.assert_allclose(fitted.scale, [np.sqrt(14 / 3), np.sqrt(3) / 4])
    robust = Scale(mode="robust").fit(data)
    assert robust.location[0] == 2
    assert robust.scale[0] == pytest.approx((4 - 1.5) / 1.3489795003921634)


def test_window_statistics_come_from_the_history_with_a_floor():
    data = recordings((1,), missing=0.0)
    fitted = Scale(mode="window", floor=0.5).fit(data)
    history = np.array([[1.0, 3.0, np.nan, 101.0], [5.0, 5.0, 5.0, 5.0], [np.nan] * 4])[..., None]
    state = fitted.state(history)
    seen = np.array([1.0, 3.0, 101.0])
    assert state["location"][:, 0] == pytest.approx([35, 5, fitted.location[0]])
    assert state["scale"][:, 0] == pytest.approx([seen.std(), 0.5 * fitted.scale[0], fitted.scale[0]])


def test_constant_and_empty_cells_get_scale_one():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(50, 1, 2, 2))
    values[:, 0, 0, 0], values[:, 0, 0, 1] = 7.3, np.nan
    values[:, 0, 1, 0] = -1.8 + 1e-7 * values[:, 0, 1, 0]
    data = Dataset(layout=Layout(kind="field", channels=("a",)), recordings=(Recording.of(values),))
    fitted = Scale(per_cell=True).fit(data)
    assert fitted.scale[0, 0, 0] == 1
    assert fitted.scale[0, 0, 1] == 1
    assert fitted.scale[0, 1, 0] >= 0.001
    constant = Dataset(layout=Layout(channels=("a",)), recordings=(Recording.of(np.full((9, 1), 1e6 + 0.1)),))
    assert Scale().fit(constant).scale == [1.0]


def test_increments_by_hand():
    data = recordings((1,))
    fitted = Increments().fit(data)
    history = np.array([1.0, 4.0, np.nan])[None, :, None]
    future = np.array([np.nan, 9.0, np.nan, 7.0])[None, :, None]
    state = fitted.state(history)
    np.testing.assert_array_equal(fitted.encode(future, state)[0, :, 0], [np.nan, 5, np.nan, -2])
    np.testing.assert_array_equal(fitted.encode_past(history, state)[0, :, 0], [np.nan, 3, np.nan])


def test_log_takes_counts_and_names_what_has_no_logarithm():
    counts = np.array([[0.0, 1.0], [3.0, 2.5]])
    layout = Layout(channels=("bikes", "rain"))
    fitted = Log().fit(Dataset(layout=layout, recordings=(Recording.of(counts),)))
    np.testing.assert_array_equal(fitted.offset, [1, 0])
    for bad in (0.0, -2.0):
        with pytest.raises(InputError, match="channel 'rain' goes down to"):
            Log().fit(Dataset(layout=layout, recordings=(Recording.of(np.array([[0.0, bad], [3.0, 2.5]])),)))
    with pytest.raises(InputError, match="channel 'rain' holds -4"):
        fitted.encode(np.array([[[1.0, -4.0]]]), {})


def test_a_window_scale_is_the_last_link():
    with pytest.raises(IncompatibleError, match="last link"):
        Chain(links=(Scale(mode="window"), Log())).fit(recordings((1,)))


def test_links_are_fitted_on_what_the_links_before_give():
    data = recordings((1,), lengths=(80,), missing=0.0)
    fitted = Chain(links=(Log(), Increments(), Scale())).fit(data)
    steps = np.diff(np.log(data.recordings[0].values[:, 0]))
    assert fitted.links[2].location[0] == pytest.approx(steps.mean())
    assert fitted.links[2].scale[0] == pytest.approx(steps.std())


def test_covariates_are_in_units_of_their_own_spread():
    """Mean and deviation of what all recordings hold; a column that never changes has deviation 1."""
    rng = np.random.default_rng(4)
    plans = [rng.normal(50, 4, size=(n, 2)) for n in (30, 50)]
    for plan in plans:
        plan[:, 1] = 7.0
        plan[::3, 0] = np.nan
    sizes = [np.array([3.0]), np.array([9.0])]
    data = Dataset(
        layout=Layout(channels=("a",), known_future=("plan", "flat"), static=("size",)),
        recordings=tuple(
            Recording.of(np.zeros((len(plan), 1)), known_future=plan, static=size)
            for plan, size in zip(plans, sizes, strict=True)
        ),
    )
    fitted = Covariates.restore(Covariates.fit(data).to_arrays())
    seen = np.concatenate(plans)[:, 0]
    coded = fitted.encode("known_future", plans[0])
    assert coded[:, 0] == pytest.approx(
        (plans[0][:, 0] - np.nanmean(seen)) / np.nanstd(seen), rel=1e-4, nan_ok=True
    )
    assert (coded[:, 1] == 0).all()
    assert fitted.encode("static", sizes[1]) == pytest.approx([1.0])
