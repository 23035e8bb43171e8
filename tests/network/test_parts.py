"""Each part against an independent formula."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from rheos.network.attention import Attention
from rheos.network.embedding import LevelEmbedding, PositionEmbedding, sinusoid
from rheos.network.field import Merge, Split
from rheos.network.field_block import FrameConvolution, GridConvolution, ResidualBlock, complete
from rheos.network.inputs import entry_inputs, frame_inputs
from rheos.network.linear_path import ChannelModes, LinearPath
from rheos.network.modulation import Modulated


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_sinusoid_has_the_stated_periods():
    values = normal(5)
    embedded = sinusoid(values, 6, longest=40.0, shortest=2.5)
    periods = [40.0, 10.0, 2.5]
    for row, value in zip(embedded, values.tolist(), strict=True):
        expected = [math.cos(2 * math.pi * value / p) for p in periods]
        expected += [math.sin(2 * math.pi * value / p) for p in periods]
        assert row.tolist() == pytest.approx(expected, abs=1e-12)


def test_level_embedding_tells_the_ends_and_near_levels_apart():
    # The longest period must not alias the two ends of the range of levels.
    waves = sinusoid(
        torch.tensor([-20.0, 20.0, 0.0, 0.2]), 32, LevelEmbedding.longest, LevelEmbedding.shortest
    )
    assert (waves[0] - waves[1]).abs().max() > 0.5
    assert (waves[2] - waves[3]).abs().max() > 0.3
    embedding = LevelEmbedding(2, 8)
    swapped = embedding(torch.tensor([[1.0, 5.0], [5.0, 1.0]]))
    assert (swapped[0] - swapped[1]).abs().max() > 1e-3


def test_positions_do_not_repeat_within_a_clip():
    embedding = PositionEmbedding(30, 8)
    waves = sinusoid(torch.arange(-30.0, 30.0), embedding.features, embedding.longest, 2.0)
    distance = torch.cdist(waves, waves) + 10 * torch.eye(60)
    assert distance.min() > 0.1


@pytest.mark.parametrize("axis", [1, 2])
def test_attention_is_softmax_of_scaled_products_along_its_axis(axis):
    torch.manual_seed(0)
    module = Attention(12, 3, axis).double()
    tokens = normal(2, 5, 4, 12)
    rows = tokens if axis == 2 else tokens.transpose(1, 2)
    parts = [layer(rows).unflatten(-1, (3, 4)) for layer in (module.query, module.key, module.value)]
    weights = torch.einsum("bnqhd,bnkhd->bnhqk", parts[0], parts[1]).div(2.0).softmax(-1)
    mixed = torch.einsum("bnhqk,bnkhd->bnqhd", weights, parts[2]).flatten(-2)
    expected = module.out(mixed if axis == 2 else mixed.transpose(1, 2))
    torch.testing.assert_close(module(tokens), expected, rtol=0, atol=1e-12)


def test_modulated_branch_is_gated_shifted_and_scaled():
    torch.manual_seed(0)
    module = Modulated(nn.Linear(6, 6), 6, 4).double()
    tokens, condition = normal(2, 3, 6), normal(2, 1, 4, seed=1)
    assert torch.equal(module(tokens, condition), tokens)
    nn.init.normal_(module.gate.weight)
    nn.init.normal_(module.norm.modulation.weight)
    scale, shift = (condition @ module.norm.modulation.weight.T).split(6, dim=-1)
    centerd = tokens - tokens.mean(-1, keepdim=True)
    unit = centerd / (tokens.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    expected = tokens + (condition @ module.gate.weight.T) * module.branch(unit * (1 + scale) + shift)
    torch.testing.assert_close(module(tokens, condition), expected, rtol=0, atol=1e-12)


def test_linear_path_is_linear_with_a_gain_set_by_the_level():
    torch.manual_seed(0)
    path = LinearPath(7, 5, 3).double()
    for layer in (path.gain, path.expand):
        nn.init.normal_(layer.weight)
    inputs, level = normal(2, 4, 7), normal(2, 1)
    gain = 1 + path.gain(functional.silu(path.level(level)))
    expected = torch.stack(
        [
            inputs[i] @ (path.expand.weight @ gain[i].diag() @ path.reduce.weight).T
            + path.expand.weight @ (gain[i] * path.reduce.bias)
            for i in range(2)
        ]
    )
    torch.testing.assert_close(path(inputs, level), expected, rtol=0, atol=1e-12)


def test_modes_of_channels_hold_the_exact_answer_for_a_product_of_covariances():
    # u = x + sigma z, x ~ N(0, R between channels times K along frames): E[x | u] = C (C + sigma^2)^-1 u.
    frames, channels, variance = 5, 3, 0.7
    along, between = (a @ a.T for a in (normal(frames, frames), normal(channels, channels, seed=1)))
    (k, e), (q, modes) = torch.linalg.eigh(along), torch.linalg.eigh(between)
    path = LinearPath(frames, frames, frames, ChannelModes(frames, channels, channels)).double()
    with torch.no_grad():
        for parameter in path.parameters():
            parameter.zero_()
        path.reduce.weight.copy_(e.T)
        path.expand.weight.copy_(e)
        path.gain.bias.fill_(-1.0)
        path.modes.gather.weight.copy_(torch.eye(channels))
        path.modes.scatter.weight.copy_(torch.eye(channels))
        path.modes.gain.bias.copy_((q[:, None] * k / (q[:, None] * k + variance) - 1).flatten())
    covariance = torch.kron(between, along)
    noisy = covariance + variance * torch.eye(len(covariance), dtype=torch.float64)
    u = normal(4, channels, frames, seed=2)
    expected = (u.flatten(1) @ torch.linalg.solve(noisy, covariance)).reshape(u.shape)
    torch.testing.assert_close(path(u, normal(4, 1), modes), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rows", [1, 3])
def test_gains_of_modes_follow_the_level(rows):
    """One level for all channels of a frame, or one for each."""
    torch.manual_seed(0)
    layer = ChannelModes(4, 6, 3).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    reduced, told, channels = normal(2, 3, 5, 4), normal(2, rows, 5, 4, seed=1), normal(3, 6, seed=2)
    answer = layer(reduced, told, channels)
    loadings = layer.gather(channels)
    for b, n, frame in ((0, 0, 1), (1, 2, 4)):
        gain = 1 + layer.gain(told[b, min(n, rows - 1), frame]).reshape(3, 4)
        gathered = (loadings / loadings.norm(dim=0)).T @ reduced[b, :, frame]
        expected = layer.scatter(channels[n]) @ (gain * gathered)
        torch.testing.assert_close(answer[b, n, frame], expected, rtol=0, atol=1e-12)


def test_entry_inputs_are_these(case):
    full = case(history=3, horizon=2)
    shapes, context = full.shapes, full.context
    inputs = entry_inputs(full.x, context, shapes)
    assert inputs.shape == (2, 5, shapes.entry_inputs, 2)
    history = torch.zeros_like(full.x)
    history[:, :3] = (context.history - context.anchor[:, :3]) / context.anchor_scale[:, :3]
    deviation = (full.x - context.anchor) / context.anchor_scale * context.mask
    expected = [deviation, history * context.mask, context.mask, context.anchor_scale]
    expected += [(lag - context.anchor) * (lag != 0) for lag in context.lagged.unbind(2)]
    expected += [(lag != 0).double() for lag in context.lagged.unbind(2)]
    for i, value in enumerate(expected):
        assert torch.equal(inputs[:, :, i], value)


def test_frame_inputs_are_these(case):
    full = case(history=3, horizon=2)
    shapes, context = full.shapes, full.context
    inputs = frame_inputs(full.x, full.level, context, shapes)
    assert inputs.shape == (2, 5, shapes.frame_inputs)
    assert torch.equal(inputs[..., 0], full.level / 10)
    assert inputs[..., 1].tolist() == [[1, 1, 1, 0, 0]] * 2
    assert torch.equal(inputs[..., 2:5], context.calendar)
    assert torch.equal(inputs[..., 5:7], context.known_future)
    assert torch.equal(inputs[:, :3, 7:9], context.past)
    assert torch.equal(inputs[:, 3:, 7:9], torch.zeros(2, 2, 2, dtype=torch.float64))
    assert torch.equal(inputs[:, :3, 9:11], torch.ones(2, 3, 2, dtype=torch.float64))
    assert torch.equal(inputs[:, 4, 11:], context.static)


def test_a_missing_past_covariate_is_told_from_one_at_its_mean(case):
    full = case(history=3, horizon=2)
    past = full.context.past.clone()
    past[0, 2, 1] = 0.0
    inputs = frame_inputs(full.x, full.level, replace(full.context, past=past), full.shapes)
    assert inputs[0, 2, 9:11].tolist() == [1, 0]


@pytest.mark.parametrize("periodic", [(True, True), (True, False), (False, True), (False, False)])
def test_convolutions_follow_the_boundary(periodic):
    torch.manual_seed(0)
    module = GridConvolution(3, 4, periodic).double()
    grid = normal(2, 5, 6, 3).permute(0, 3, 1, 2)
    for axis, wraps in enumerate(periodic):
        sides = (0, 0, 1, 1) if axis == 0 else (1, 1, 0, 0)
        grid = functional.pad(grid, sides, mode="circular") if wraps else functional.pad(grid, sides)
    expected = functional.conv2d(grid, module.convolution.weight, module.convolution.bias)
    torch.testing.assert_close(module(normal(2, 5, 6, 3)), expected.permute(0, 2, 3, 1), rtol=0, atol=1e-12)


def test_grids_are_completed_by_wrapping_or_by_their_edge():
    grid = torch.arange(15.0).reshape(1, 3, 5, 1)
    full = complete(grid, 4, (False, True))[0, ..., 0]
    assert full[:, 5:].tolist() == [[0, 1, 2], [5, 6, 7], [10, 11, 12], [10, 11, 12]]
    assert full[3].tolist() == full[2].tolist()
    assert complete(grid[:, :1, :1], 4, (True, True)).shape == (1, 4, 4, 1)


@pytest.mark.parametrize("size", [(6, 9), (5, 7), (1, 4), (1, 1)])
def test_split_undoes_merge_on_any_grid(size):
    merge, split = Merge(2, 18, 3, (True, False)).double(), Split(18, 2, 3).double()
    with torch.no_grad():
        for layer in (merge.project, split.project):
            layer.weight.copy_(torch.eye(18))
            layer.bias.zero_()
    grid = normal(2, *size, 2)
    coarse = merge(grid)
    assert coarse.shape == (2, -(-size[0] // 3), -(-size[1] // 3), 18)
    assert torch.equal(split(coarse, grid), grid)


def test_frame_convolution_is_a_convolution_along_frames():
    torch.manual_seed(0)
    module = FrameConvolution(3).double()
    tokens = normal(2, 4, 5, 3)
    kernel = module.mix.weight.unflatten(1, (3, 3)).permute(0, 2, 1)[..., None]
    expected = functional.conv2d(tokens.permute(0, 3, 1, 2), kernel, module.mix.bias, padding=(1, 0))
    torch.testing.assert_close(module(tokens), expected.permute(0, 2, 3, 1), rtol=0, atol=1e-12)


def test_residual_block_is_its_shortcut_at_the_start_and_film_after():
    torch.manual_seed(0)
    block = ResidualBlock(8, 8, 4, (False, False)).double()
    grid, condition = normal(2, 4, 4, 8), normal(2, 4, seed=2)
    assert torch.equal(block(grid, condition), grid)
    nn.init.normal_(block.leave.convolution.weight)
    nn.init.normal_(block.film.weight)
    scale, shift = (condition @ block.film.weight.T).split(8, dim=-1)
    hidden = block.norm(block.enter(grid)) * (1 + scale)[:, None, None] + shift[:, None, None]
    expected = grid + block.leave(hidden * hidden.sigmoid())
    torch.testing.assert_close(block(grid, condition), expected, rtol=0, atol=1e-12)
