"""What every backbone promises, whatever its kind."""

from dataclasses import fields

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.method import one_of
from rheos.network import NETWORKS, CausalSeriesNetwork, FieldNetwork, SeriesNetwork, Shapes

INPUTS = ("x", "level", "history", "mask", "calendar", "known_future", "past", "static", "lagged", "anchor")


def few_steps(network, case, steps=3):
    """Some plain gradient steps towards a fixed random answer."""
    target = torch.randn(case.x.shape, generator=torch.Generator().manual_seed(5), dtype=case.x.dtype)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        (case.answer(network) - target).square().mean().backward()
        optimizer.step()
    return network


def test_answers_zero_at_the_start(either):
    config, case = either
    answer = case.answer(config.build(case.shapes).double())
    assert answer.shape == case.x.shape
    assert torch.equal(answer, torch.zeros_like(case.x))


def test_rows_are_independent(either, awake, case):
    config, full = either
    network = awake(config.build(full.shapes))
    shapes = full.shapes
    other = case(
        history=shapes.history,
        horizon=shapes.horizon,
        space=shapes.space,
        periodic=shapes.periodic,
        seed=9,
    )
    mixed = torch.tensor([False, True])

    def replace_second(ours, theirs):
        keep = mixed.reshape(-1, *[1] * (ours.ndim - 1))
        return torch.where(keep, theirs, ours)

    values = {"x": replace_second(full.x, other.x), "level": replace_second(full.level, other.level)}
    for field in fields(Context):
        ours = getattr(full.context, field.name)
        if isinstance(ours, torch.Tensor) and field.name != "coordinates":
            values[field.name] = replace_second(ours, getattr(other.context, field.name))
    before, after = full.answer(network), full.changed(**values).answer(network)
    assert (before[0] - after[0]).abs().max() < 1e-12
    assert (before[1] - after[1]).abs().max() > 1e-3
    alone = network(full.x[1:], full.level[1:], full.context.rows(slice(1, 2)))
    assert (before[1] - alone[0]).abs().max() < 1e-12


def test_every_input_and_every_weight_matters_after_a_few_steps(either):
    config, case = either
    network = few_steps(config.build(case.shapes).double(), case)
    before = case.answer(network)
    inputs = (*INPUTS, "anchor_scale") + (("coordinates",) if case.shapes.space else ())
    for name in inputs:
        value = getattr(case, name) if name in ("x", "level") else getattr(case.context, name)
        changed = 1 - value if name == "mask" else value * 0.5 + 0.25
        moved = (case.changed(**{name: changed}).answer(network) - before).abs().max()
        assert moved > 1e-6, f"{name} does not matter"
    for name, parameter in network.named_parameters():
        # Attention ignores a constant added to all keys, by the shift invariance of softmax.
        if "key.bias" not in name:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, f"{name} never learns"


@pytest.mark.parametrize("kind", [SeriesNetwork, CausalSeriesNetwork])
def test_channels_meet_in_the_linear_path(kind, case):
    full = case(channels=3).changed(mask=None)
    network = kind(width=8, depth=1, heads=1, rank=4).build(full.shapes).double()
    torch.manual_seed(0)
    for layer in (network.linear.expand, network.linear.modes.scatter):
        nn.init.normal_(layer.weight)
    x = full.x.clone()
    x[..., 0] += 1.0
    # The head is still 0, so no block speaks.
    assert (full.changed(x=x).answer(network) - full.answer(network))[..., 1:].abs().min() > 1e-9


def test_masked_values_do_not_matter(either, awake):
    config, case = either
    network = awake(config.build(case.shapes))
    gap = case.context.mask == 0
    history = torch.where(gap[:, : case.shapes.history], -1e6, case.context.history)
    moved = case.changed(x=torch.where(gap, 1e6, case.x), history=history)
    assert torch.equal(case.answer(network), moved.answer(network))


def test_no_mask_means_all_is_there(either, awake):
    config, case = either
    network = awake(config.build(case.shapes))
    whole = case.changed(mask=torch.ones_like(case.x)).answer(network)
    assert torch.equal(case.changed(mask=None).answer(network), whole)
    assert not torch.allclose(case.answer(network), whole)


def test_what_a_context_lacks_is_zero(either, awake):
    config, case = either
    network = awake(config.build(case.shapes))
    names = ["history", "calendar", "known_future", "past", "static", "lagged", "anchor"]
    if case.shapes.space:
        names.append("coordinates")
    absent = dict.fromkeys(names)
    zeros = {name: torch.zeros_like(getattr(case.context, name)) for name in names}
    ones = torch.ones_like(case.x)
    assert torch.equal(
        case.changed(**absent, anchor_scale=None).answer(network),
        case.changed(**zeros, anchor_scale=ones).answer(network),
    )


def test_each_frame_has_its_own_level(either, awake):
    config, case = either
    network = awake(config.build(case.shapes))
    before = case.answer(network)
    for frame in (0, case.shapes.frames - 1):
        level = case.level.clone()
        level[:, frame] += 1.0
        assert (case.changed(level=level).answer(network) - before).abs().max() > 1e-6


def test_learns_one_clip_by_heart(either):
    config, case = either
    torch.manual_seed(0)
    network = config.build(case.shapes).double()
    target = torch.randn_like(case.x)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        loss = (case.answer(network) - target).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 1e-3


def test_a_seed_decides_all_weights_and_nothing_else(either):
    config, case = either
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = config.build(case.shapes, seed=7).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    second = config.build(case.shapes, seed=7).state_dict()
    other = config.build(case.shapes, seed=8).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("name", ["history", "mask", "calendar", "known_future", "past", "static", "lagged"])
def test_a_context_of_other_sizes_is_refused(either, name):
    config, case = either
    value = getattr(case.context, name)
    with pytest.raises(IncompatibleError, match="built for"):
        case.changed(**{name: torch.cat((value, value), dim=1)}).answer(config.build(case.shapes).double())


def test_a_clip_of_other_sizes_is_refused(either):
    config, case = either
    network = config.build(case.shapes).double()
    with pytest.raises(IncompatibleError, match="frames"):
        network(case.x[:, 1:], case.level[:, 1:], case.context)
    with pytest.raises(IncompatibleError, match="channels"):
        network(case.x[:, :, :1], case.level, case.context)


def test_networks_refuse_the_wrong_number_of_spatial_axes(small_series, small_field):
    with pytest.raises(IncompatibleError, match="field"):
        small_series.build(Shapes(horizon=1, channels=1, space=(4, 4)))
    with pytest.raises(IncompatibleError, match="series"):
        small_field.build(Shapes(horizon=1, channels=1))
    with pytest.raises(IncompatibleError, match="heads"):
        SeriesNetwork(width=10, heads=4).build(Shapes(horizon=1, channels=1))


def test_configurations_are_told_apart_by_kind():
    adapter = TypeAdapter(one_of(NETWORKS))
    for config in (SeriesNetwork(width=32), FieldNetwork(base=16)):
        assert adapter.validate_json(config.model_dump_json()) == config
    assert len({network.name() for network in NETWORKS}) == len(NETWORKS)


def test_sizes_are_read_from_a_clip_and_survive_json(either):
    _, case = either
    shapes = case.shapes
    assert (shapes.lags, shapes.calendar, shapes.known_future, shapes.past, shapes.static) == (2, 3, 2, 2, 2)
    assert Shapes.model_validate_json(shapes.model_dump_json()) == shapes


def test_default_parameter_counts():
    def count(config, **sizes):
        return sum(p.numel() for p in config.build(Shapes(**sizes)).parameters())

    assert count(SeriesNetwork(), history=48, horizon=48, channels=1, calendar=6, lags=2) == 319_590
    assert count(FieldNetwork(), history=4, horizon=8, channels=1, space=(64, 64)) == 630_237


@pytest.fixture(params=["series", "causal", "field"])
def telling(request, small_series, small_field, case):
    """Each backbone told the level of every channel, with a clip whose channels have levels of their own."""
    full = case(space=(6, 5) if request.param == "field" else ())
    causal = CausalSeriesNetwork(width=16, depth=2, heads=2, rank=8)
    config = {"series": small_series, "field": small_field, "causal": causal}[request.param]
    own = full.level[..., None] - torch.tensor([0.0, 3.0])
    shapes = full.shapes.model_copy(update={"channel_levels": True})
    return config, shapes, full.changed(level=own, mask=None)


def test_every_channel_has_its_own_level(telling, awake):
    config, shapes, full = telling
    network = awake(config.build(shapes))
    assert network.channel_levels
    before = full.answer(network).detach()
    for channel in range(shapes.channels):
        level = full.level.clone()
        # Still above the lowest of the clip, which is told besides.
        level[:, -1, channel] += 1.0
        moved = (full.changed(level=level).answer(network).detach() - before).abs()
        # Its own answer, and the others', which then know how far to trust it.
        assert (moved[:, -1].flatten(2 if moved.ndim > 3 else 1).amax(-1) > 1e-9).all()
        assert float(moved[:, -1, channel].max()) > 1e-6
    # Whose level it is matters, not only which there are.
    level = full.level.clone()
    level[:, -1] = full.level[:, shapes.history :].amax() + torch.tensor([1.0, 2.0])
    swapped = level.clone()
    swapped[:, -1] = level[:, -1].flip(-1)
    moved = full.changed(level=swapped).answer(network) - full.changed(level=level).answer(network)
    assert float(moved[:, -1].detach().abs().max()) > 1e-6


def test_one_level_for_all_channels_is_that_of_a_frame(telling, awake):
    config, shapes, full = telling
    network = awake(config.build(shapes))
    frames = full.level[..., 0]
    each = frames[..., None].expand(-1, -1, shapes.channels)
    assert torch.equal(full.changed(level=frames).answer(network), full.changed(level=each).answer(network))
    assert not config.build(full.shapes).channel_levels
