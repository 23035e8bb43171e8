"""The autoencoder: the linear code before training, better than it after, and whole frames or none."""

import numpy as np
import pytest
import torch

from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.data.codec import AutoEncoder, Chain, Patches, Scale
from rheos.data.codec.coder import Coder, Convolution
from rheos.data.codec.patches import cut
from rheos.data.dataset import Dataset, Layout, Recording

SMALL = {"factor": 2, "channels": 2, "width": 8}


def field(values, periodic=(False, False)):
    layout = Layout(kind="field", dims=("channel", "y", "x"), channels=("a",), periodic=periodic)
    return Dataset(layout=layout, recordings=(Recording.of(values[:50]), Recording.of(values[50:])))


def moving(frames=120, size=8, seed=0):
    """A smooth bump that moves about: two numbers say all of a frame, but not linearly."""
    place = np.random.default_rng(seed).uniform(1, size - 2, size=(frames, 2, 1, 1))
    y, x = np.mgrid[:size, :size]
    return np.exp(-((y - place[:, 0]) ** 2 + (x - place[:, 1]) ** 2) / 2)[:, None]


def lost(fitted, values):
    return ((fitted.decode(fitted.encode(values[None], {}), {})[0] - values) ** 2).mean()


def test_without_training_it_is_the_linear_code():
    values = moving()
    linear, same = (config.fit(field(values)) for config in (
        Patches(factor=2, channels=2), AutoEncoder(**SMALL, steps=0)
    ))  # fmt: skip
    codes = linear.encode(values[None], {})
    np.testing.assert_array_equal(same.encode(values[None], {}), codes)
    np.testing.assert_array_equal(same.decode(codes, {}), linear.decode(codes, {}))


def test_training_loses_less_than_the_best_linear_code():
    values, new = moving(frames=200), moving(frames=50, seed=1)
    config = AutoEncoder(factor=4, channels=2, width=24, steps=200, learning_rate=2e-3)
    trained = config.fit(field(values))
    linear = config.linear.fit(field(values))
    assert lost(trained, new) < 0.7 * lost(linear, new)
    codes = trained.encode(new[None], {})
    assert 0.3 < codes.std() < 3


@torch.no_grad()
def test_loss_is_in_the_unit_of_the_data_by_hand():
    """Of the linear code: what the components left out hold, over what an entry holds on average."""
    values = moving()
    fitted = AutoEncoder(**SMALL, steps=0).fit(field(values))
    patches = fitted.standard(values[None])[0]
    codes = torch.zeros(len(patches), 2, 4, 4)
    loss = float(fitted.coder.loss(patches, fitted.fixed, codes, penalty=0.0))
    assert loss == pytest.approx(lost(fitted, values) / fitted.unit**2, rel=1e-4)
    penalized = float(fitted.coder.loss(patches, fitted.fixed, codes, penalty=2.0))
    coded = fitted.encode(values[None], {})
    assert penalized - loss == pytest.approx(2 * (coded**2).mean(), rel=1e-4)
    noisy = float(fitted.coder.loss(patches, fitted.fixed, codes + 0.3, penalty=0.0))
    moved = fitted.decode(coded + 0.3, {})[0]
    assert noisy == pytest.approx(((moved - values) ** 2).mean() / fitted.unit**2, rel=1e-4)


def test_the_networks_unit_is_what_the_linear_code_keeps():
    values = moving()
    fitted = AutoEncoder(**SMALL, steps=0).fit(field(values))
    kept = fitted.linear.decode(fitted.linear.encode(values[None], {}), {})
    assert fitted.unit == pytest.approx((cut(kept, 2, 2) - fitted.linear.mean).std(), rel=1e-9)


@torch.no_grad()
def test_training_sees_what_decoding_will():
    """Of land nothing is told, nor through it: the loss is that of codes as they are stored and decoded."""
    values = moving()
    values[:, 0, 2:4, 2:4] = np.nan
    values[:, 0, 7, 7] = np.nan
    fitted = trained(values, learning_rate=0.02)
    patches = fitted.standard(values[None])[0]
    noise = torch.zeros(len(patches), 2, 4, 4)
    noise[:, :, 1, 1] = 9.0
    loss = float(fitted.coder.loss(patches, fitted.fixed, noise, penalty=0.0))
    decoded = fitted.decode(fitted.encode(values[None], {}), {})[0]
    assert loss == pytest.approx(np.nanmean((decoded - values) ** 2) / fitted.unit**2, rel=1e-4)


def trained(values=None, periodic=(False, False), **options):
    values = moving() if values is None else values
    return AutoEncoder(**{**SMALL, "steps": 20, **options}).fit(field(values, periodic))


def test_the_same_data_give_the_same_bits_and_so_do_stored_weights():
    values = moving()
    one, other = trained(values), trained(values)
    assert all(np.array_equal(a, other.to_arrays()[name]) for name, a in one.to_arrays().items())
    again = AutoEncoder.model_validate(one.config.model_dump()).restore(one.to_arrays())
    codes = one.encode(values[None], {})
    np.testing.assert_array_equal(again.encode(values[None], {}), codes)
    np.testing.assert_array_equal(again.decode(codes, {}), one.decode(codes, {}))
    assert not np.array_equal(codes, one.linear.encode(values[None], {}))


def test_a_frame_is_coded_alike_wherever_it_stands():
    values = moving()
    fitted = trained(values)
    whole = fitted.encode(values[None], {})[0]
    np.testing.assert_allclose(fitted.encode(values[None, 60:61], {})[0, 0], whole[60], atol=1e-6)


def test_a_frame_with_a_gap_has_no_codes_and_land_tells_nothing():
    values = moving()
    values[:, 0, :2, :2] = np.nan
    values[:, 0, 4, 4] = np.nan
    values[5, 0, 6, 6] = np.nan
    fitted = trained(values)
    codes = fitted.encode(values[None], {})[0]
    assert np.isnan(codes[5]).all()
    assert np.isnan(codes[:, :, 0, 0]).all()
    rest = np.delete(codes, 5, 0).reshape(119, 2, 16)[:, :, 1:]
    assert np.isfinite(rest).all()
    filled = np.where(np.isnan(values), 9.0, values)
    filled[5] = np.nan
    np.testing.assert_array_equal(np.isnan(fitted.encode(filled[None], {})[0]), np.isnan(codes))
    np.testing.assert_allclose(np.nan_to_num(fitted.encode(filled[None], {})[0]), np.nan_to_num(codes))
    drawn = np.nan_to_num(codes[:3], nan=50.0)
    decoded = fitted.decode(drawn[None], {})[0]
    np.testing.assert_allclose(
        decoded.reshape(3, -1)[:, 2:8], fitted.decode(codes[None, :3], {})[0].reshape(3, -1)[:, 2:8]
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_convolutions_wrap_where_the_axis_does(axis):
    wraps = (axis == 0, axis == 1)
    layer, grid = Convolution(2, 3, wraps).double(), Key.of(0, 1).normal((2, 6, 5)).double()
    with torch.no_grad():  # a bare convolution's weights are whatever memory held
        for number, weights in enumerate(layer.parameters(), start=1):
            weights.copy_(Key.of(number, 1).normal(weights.shape)[0])
    rolled = layer(grid.roll(2, axis + 2))
    torch.testing.assert_close(rolled, layer(grid).roll(2, axis + 2))
    modes = torch.nn.functional.pad(grid, (1, 1, 1, 1))
    inside = layer.convolution(modes)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(layer(grid)[:, :, 1:-1, 1:-1], inside)
    edge = layer.convolution(modes)
    other = (
        (slice(None), slice(None), slice(1, -1), 0)
        if axis == 0
        else (slice(None), slice(None), 0, slice(1, -1))
    )
    torch.testing.assert_close(layer(grid)[other], edge[other])


def test_weights_follow_from_the_seed_and_leave_the_others_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    one, other = (Coder(8, 2, 4, (False, False), seed).state_dict() for seed in (0, 1))
    assert not torch.equal(one["encoder.0.convolution.weight"], other["encoder.0.convolution.weight"])
    assert torch.equal(before, torch.random.get_rng_state())
    wide = Coder(64, 8, 64, (False, False))
    assert float(wide.encoder[2].convolution.weight.std()) == pytest.approx((64 * 9) ** -0.5, rel=0.05)


def test_steps_are_settled_by_the_time_and_once():
    config = AutoEncoder(**SMALL)
    short, long = (config.within(seconds, (1, 8, 8)).steps for seconds in (1.0, 100.0))
    assert 1 <= short < long
    assert config.model_copy(update={"steps": 7}).within(100.0, (1, 8, 8)).steps == 7
    chain = Chain(links=(Scale(), config)).within(1.0, (1, 8, 8))
    assert chain.links[1].steps >= 1
    assert (config.spends, chain.links[1].spends) == (0.2, 0.0)


def test_the_frames_held_out_choose_and_overfitting_is_not_kept():
    """On noise there is nothing to learn but the frames themselves: the linear code stays."""
    noise = np.random.default_rng(0).normal(size=(60, 1, 8, 8))
    fitted = trained(noise, steps=80, learning_rate=0.02, width=16)
    new = np.random.default_rng(1).normal(size=(60, 1, 8, 8))
    assert lost(fitted, new) <= 1.02 * lost(fitted.linear, new)


def test_other_grids_are_refused():
    values = np.random.default_rng(0).normal(size=(60, 1, 8))
    layout = Layout(kind="field", dims=("channel", "x"), channels=("a",), periodic=(False,))
    with pytest.raises(IncompatibleError, match="grids of two axes"):
        AutoEncoder(steps=0).fit(Dataset(layout=layout, recordings=(Recording.of(values),)))
