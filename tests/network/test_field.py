import pytest
import torch

from rheos.network import FieldNetwork, Shapes
from rheos.network.config import _patch_of


def rolled(full, shifts, axes):
    """The whole case moved along the grid."""
    values = {"x": torch.roll(full.x, shifts, axes)}
    for name in ("history", "mask", "lagged", "anchor", "anchor_scale", "coordinates"):
        values[name] = torch.roll(getattr(full.context, name), shifts, axes)
    return full.changed(**values)


@pytest.mark.parametrize(("space", "periodic"), [((16, 8), (True, True)), ((16,), (True,))])
def test_periodic_grids_have_no_origin(case, awake, small_field, space, periodic):
    """Moving everything by the coarsest cell (patch 2, two stages: 4 pixels) moves the answer."""
    full = case(history=2, horizon=2, space=space, periodic=periodic)
    network = awake(small_field.build(full.shapes))
    shifts, axes = ((4,), (-1,)) if len(space) == 1 else ((8, 4), (-2, -1))
    moved = rolled(full, shifts, axes).answer(network)
    torch.testing.assert_close(moved, torch.roll(full.answer(network), shifts, axes), rtol=0, atol=1e-10)


def test_only_periodic_axes_have_no_origin(case, awake, small_field):
    full = case(history=2, horizon=2, space=(16, 8), periodic=(False, True))
    network = awake(small_field.build(full.shapes))
    answer = full.answer(network)

    def gap(shift, axis):
        moved = rolled(full, (shift,), (axis,)).answer(network)
        return (moved - torch.roll(answer, shift, axis)).abs().max()

    assert gap(4, -1) < 1e-10
    assert gap(4, -2) > 1e-3


@pytest.mark.parametrize("space", [(1, 1), (3, 5), (7, 4), (13,), (1,), (17, 6)])
@pytest.mark.parametrize("wraps", [True, False])
def test_takes_any_grid(case, awake, space, wraps):
    full = case(batch=1, history=0, horizon=1, space=space, periodic=(wraps,) * len(space))
    config = FieldNetwork(base=8, multipliers=(1, 1, 1), patch=2, detail=4, rank=4)
    network = awake(config.build(full.shapes))
    answer = full.answer(network)
    assert answer.shape == full.x.shape
    moved = full.changed(mask=None, x=full.x + 1.0).answer(network) - full.changed(mask=None).answer(network)
    assert (moved.abs() > 1e-9).all()


def test_one_network_takes_other_grids(case, awake, small_field):
    first, second = (
        case(history=2, horizon=1, space=space, periodic=(False, False)) for space in ((8, 8), (5, 11))
    )
    network = awake(small_field.build(first.shapes))
    assert second.answer(network).shape == second.x.shape


def test_frames_see_each_other(case, awake, small_field):
    full = case(history=3, horizon=3, space=(4, 4), periodic=(False, False)).changed(mask=None)
    for attention_from in (0, 2):
        config = small_field.model_copy(update={"attention_from": attention_from})
        network = awake(config.build(full.shapes))
        # Only the mixing inside the body is asked, not the linear path.
        torch.nn.init.zeros_(network.linear.expand.weight)
        x = full.x.clone()
        x[:, 2] += 1.0
        moved = (full.changed(x=x).answer(network) - full.answer(network)).abs().flatten(2).amax(2)
        assert (moved[:, 1:4] > 1e-9).all()
        if attention_from == 0:
            assert (moved > 1e-9).all()


def test_patches_keep_the_body_small():
    assert [
        _patch_of(space) for space in ((16, 16), (32, 32), (45, 90), (64, 64), (96, 180), (128, 128))
    ] == [
        1,
        2,
        2,
        2,
        4,
        4,
    ]
    assert _patch_of((200,)) == 1


def test_bigger_networks_build():
    shapes = Shapes(history=1, horizon=1, channels=2, space=(32, 32))
    network = FieldNetwork(base=16, multipliers=(1, 2, 4, 4), blocks=2, patch=1).build(shapes)
    assert len(network.body.down) == 4
    assert [len(stage.space) for stage in network.body.up] == [2, 2, 2]
