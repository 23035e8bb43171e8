"""Patches: full rank is the identity, data of rank r lose nothing in r numbers, what is lost is least."""

import numpy as np
import pytest

from rheos.core.errors import IncompatibleError, InputError
from rheos.data.anchor import NoAnchor, Persistence, Ridge
from rheos.data.codec import Chain, Log, Patches, Scale
from rheos.data.codec.patches import cut, joined
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.window_source import WindowSource
from rheos.data.windows import WindowSpec

DIMS = ("channel", "z", "y", "x")


def data(features, frames=60, seed=0, values=None, periodic=False):
    space = len(features) - 1
    layout = Layout(
        kind="field",
        dims=("channel", *DIMS[4 - space :]),
        channels=tuple("abcdef"[: features[0]]),
        periodic=(periodic,) * space,
    )
    if values is None:
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(frames, *features)).cumsum(-1) * 3 + 20
    return Dataset(layout=layout, recordings=(Recording.of(values[:40]), Recording.of(values[40:])))


@pytest.mark.parametrize("features", [(2, 9), (2, 8, 6), (1, 5, 7), (2, 3, 4, 5)])
def test_patches_are_squares_of_cells(features):
    values = np.random.default_rng(0).normal(size=(3, 4, *features))
    patches = cut(values, 2, len(features) - 1)
    grid = tuple(-(-size // 2) for size in features[1:])
    assert patches.shape == (3, 4, *grid, features[0] * 2 ** len(grid))
    padded = np.pad(values, [(0, 0)] * 3 + [(0, size % 2) for size in features[1:]])
    for place in np.ndindex(*grid):
        square = padded[(..., *(slice(2 * at, 2 * at + 2) for at in place))]
        np.testing.assert_array_equal(patches[(slice(None), slice(None), *place)], square.reshape(3, 4, -1))
    np.testing.assert_array_equal(joined(patches, 2, features), values)


@pytest.mark.parametrize("features", [(1, 12), (2, 8, 6), (1, 9, 7), (2, 4, 4, 4)])
def test_all_components_are_the_identity(features):
    dataset = data(features)
    fitted = Patches(factor=2, channels=1000).fit(dataset)
    values = dataset.recordings[0].values[None]
    coded = fitted.encode(values, {})
    assert coded.shape[2:] == fitted.features(features) == Patches(factor=2, channels=1000).features(features)
    np.testing.assert_allclose(fitted.decode(coded, {}), values, rtol=0, atol=1e-10)


def low_rank(rank, frames=80, features=(2, 8, 12), noise=0.0):
    """Frames whose patches of 4 x 4 cells are combinations of a few pictures."""
    rng = np.random.default_rng(3)
    pictures = rng.normal(size=(rank, 2 * 16))
    weights = rng.normal(size=(frames, 2, 3, rank)) * np.arange(1, rank + 1)
    return joined(weights @ pictures + 5.0 + noise * rng.normal(size=(frames, 2, 3, 32)), 4, features)


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_data_of_rank_r_lose_nothing_in_r_numbers(rank):
    values = low_rank(rank)
    exact, short = (Patches(channels=n).fit(data((2, 8, 12), values=values)) for n in (rank, rank + 1))
    for fitted in (exact, short):
        decoded = fitted.decode(fitted.encode(values[None], {}), {})
        np.testing.assert_allclose(decoded[0], values, atol=1e-6 * np.abs(values).max())


def test_components_are_those_of_the_singular_values_and_lose_the_least():
    values = low_rank(8, noise=0.5)
    fitted = Patches(channels=5).fit(data((2, 8, 12), values=values))
    rows = cut(values, 4, 2).reshape(-1, 32)
    _, singular, right = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(fitted.components @ right[:5].T), np.eye(5), atol=1e-7)
    coded = fitted.encode(values[None], {})[0]
    lost = ((fitted.decode(coded[None], {})[0] - values) ** 2).sum()
    assert lost == pytest.approx((singular[5:] ** 2).sum(), rel=1e-9)
    flat = np.moveaxis(coded, 1, -1).reshape(-1, 5)
    expected = singular[:5] ** 2 / (singular[:5] ** 2).mean()
    np.testing.assert_allclose(np.cov(flat.T, bias=True), np.diag(expected), atol=1e-9)
    assert (fitted.components[np.arange(5), np.abs(fitted.components).argmax(1)] > 0).all()


def test_land_and_gaps():
    values = np.random.default_rng(0).normal(size=(60, 1, 8, 9))
    values[:, 0, :3, :3] = np.nan  # a patch of land but for its coast
    values[:, 0, 4:, :4] = np.nan  # one of nothing else
    values[7, 0, 2, 5] = np.nan
    fitted = Patches(channels=16).fit(data((1, 8, 9), values=values))
    coded = fitted.encode(values[None], {})
    exists = fitted.exists(np.isfinite(values).any(0))
    np.testing.assert_array_equal(exists[0], [[True, True, True], [False, True, True]])
    expected = np.broadcast_to(exists, coded.shape[1:]).copy()
    expected[7, :, 0, 1] = False
    np.testing.assert_array_equal(np.isfinite(coded[0]), expected)
    # Land is as if it were the mean.
    patches = cut(values, 4, 2)
    away = np.where(np.isnan(patches) | ~cut(fitted.seen, 4, 2), 0.0, patches - fitted.mean)
    by_hand = np.moveaxis(away @ fitted.components.T / fitted.scale, -1, 1)
    np.testing.assert_allclose(coded[0][expected], by_hand[expected], atol=1e-10)
    decoded = fitted.decode(coded, {})[0]
    seen = np.isfinite(values)
    seen[7, 0, :4, 4:8] = False
    np.testing.assert_allclose(decoded[seen], values[seen], atol=1e-10)
    assert np.isnan(decoded[7, 0, :4, 4:8]).all()


def test_a_chain_says_what_its_codes_are():
    dataset = data((2, 8, 9))
    config = Chain(links=(Scale(), Patches(factor=4, channels=3), Scale()))
    fitted = config.fit(dataset)
    coded = fitted.encode(dataset.recordings[0].values[None], {})
    assert coded.shape[2:] == fitted.features((2, 8, 9)) == config.features((2, 8, 9)) == (3, 2, 3)
    both = np.concatenate([fitted.encode(r.values[None], {})[0] for r in dataset.recordings])
    np.testing.assert_allclose(both.std((0, 2, 3)), 1, rtol=1e-9)
    with pytest.raises(InputError, match="channel 'code0' goes down to"):
        Chain(links=(Patches(factor=4, channels=3), Log())).fit(dataset)
    layout = fitted.layout(dataset.layout)
    assert (layout.channels, layout.dims) == (("code0", "code1", "code2"), ("channel", "y", "x"))
    assert fitted.mixes
    assert fitted.log_det(dataset.recordings[0].values[None], {}) is None
    again = Chain.model_validate(config.model_dump()).restore(fitted.to_arrays())
    np.testing.assert_array_equal(again.encode(dataset.recordings[0].values[None], {}), coded)
    np.testing.assert_array_equal(again.decode(coded, {}), fitted.decode(coded, {}))


@pytest.mark.parametrize("anchor", [NoAnchor(), Persistence(), Ridge()])
def test_windows_and_anchors_are_of_codes(anchor):
    dataset = data((2, 8, 9))
    fitted = Chain(links=(Scale(), Patches(channels=3))).fit(dataset)
    source = WindowSource(dataset, WindowSpec(history=4, horizon=3, lags=(5,)), fitted)
    assert source.features == (3, 2, 3)
    assert source.exists.shape == (2, 8, 9)
    assert source.coded_exists.shape == (3, 2, 3)
    batch = source.batch(np.arange(4))
    origin = int(source.origin[0])
    expected = fitted.encode(dataset.recordings[0].values[None, origin - 4 : origin + 3], {})[0]
    np.testing.assert_allclose(np.concatenate([batch.history, batch.future], 1)[0], expected, rtol=1e-5)
    assert batch.lagged.shape == (4, 7, 1, 3, 2, 3)
    center, scale = anchor.fit(source, np.arange(len(source)))(batch)
    assert center.shape == scale.shape == (4, 7, 3, 2, 3)


def test_what_has_no_patches_is_told():
    series = Dataset(layout=Layout(channels=("a",)), recordings=(Recording.of(np.zeros((9, 1))),))
    with pytest.raises(IncompatibleError, match="a series has no grid"):
        Patches().fit(series)
    with pytest.raises(IncompatibleError, match="'x' closes on itself after 6 cells"):
        Patches().fit(data((1, 8, 6), periodic=True))
    gaps = np.random.default_rng(0).normal(size=(60, 1, 8, 8))
    gaps[::2, 0, 0, 5], gaps[1::2, 0, 1, 6] = np.nan, np.nan
    with pytest.raises(InputError, match="begins at cell 0 x 4 is whole in no frame"):
        Patches().fit(data((1, 8, 8), values=gaps))
    with pytest.raises(InputError, match="has data in all of its cells"):
        Patches().fit(data((1, 3, 3)))
