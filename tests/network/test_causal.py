"""The causal backbone: nothing from later frames, remembered frames as good as seen ones, places relative."""

from dataclasses import replace

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.network import CausalSeriesNetwork, Shapes

CONFIG = CausalSeriesNetwork(width=16, depth=2, heads=2, rank=8, reach=5, sinks=2)
OF_FRAMES = ("x", "level", "mask", "calendar", "known_future", "lagged", "anchor", "anchor_scale")


def part(case, first, last, history):
    """Frames of a case as a case of their own, the first `history` of them finished."""
    context = case.context
    values = {name: getattr(context, name)[:, first:last] for name in OF_FRAMES[2:]}
    past = context.past[:, :history] if history and context.past is not None else None
    told = replace(context, history_frames=history, history=None, past=past, **values)
    return case.x[:, first:last], case.level[:, first:last], told


def test_a_later_frame_changes_no_earlier_answer_by_a_single_bit(case, awake):
    full = case(channels=3)
    network = awake(CONFIG.build(full.shapes))
    before = full.answer(network)
    for name in OF_FRAMES:
        value = (getattr(full, name) if name in ("x", "level") else getattr(full.context, name)).clone()
        value[:, 6:] = 1 - value[:, 6:] if name == "mask" else value[:, 6:] * 0.5 + 0.25
        moved = full.changed(**{name: value}).answer(network)
        assert torch.equal(moved[:, :6], before[:, :6]), name
        assert float((moved - before)[:, 6].abs().max()) > 1e-6, name


@pytest.mark.parametrize("frame", [0, 1, 2, 4, 7, 8])
def test_a_frame_sees_its_reach_and_the_sinks(case, awake, frame):
    full = case().changed(mask=None)
    network = awake(CONFIG.model_copy(update={"depth": 1}).build(full.shapes))
    x = full.x.clone()
    x[:, frame] += 1.0
    moved = (full.changed(x=x).answer(network) - full.answer(network)).abs().amax((0, 2))
    seen = [k for k in range(9) if k >= frame and (k - frame < 5 or frame < 2)]
    assert [k for k in range(9) if moved[k] > 0] == seen
    assert float(moved[seen].min()) > 1e-9


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("sinks", [0, 2])
def test_what_is_remembered_is_as_good_as_what_is_seen(case, awake, dtype, tolerance, sinks):
    """Frame after frame is finished; the next three, noisy, are answered as in one clip of all of them."""
    full = case(history=3, horizon=27, channels=2).changed(past=None)
    level = torch.full_like(full.level, 20.0)
    network = awake(CONFIG.model_copy(update={"sinks": sinks}).build(full.shapes)).to(dtype)
    full = replace(full, level=level, x=full.x.to(dtype), context=full.context.to("cpu", dtype))
    memory = None
    for finished in (3, *range(4, 27)):
        new = finished - (0 if memory is None else memory.count)
        memory = network.remember(*part(full, finished - new, finished, new if memory is None else 1), memory)
        x, noisy, told = part(full, finished, finished + 3, 0)
        noisy = noisy - torch.tensor([22.0, 25.0, 31.0])
        answer = network.answer(x, noisy, told, memory)
        everything = level.clone()
        everything[:, finished : finished + 3] = noisy
        whole = replace(full, level=everything).answer(network)[:, finished : finished + 3]
        assert float((answer - whole).abs().max()) < tolerance * float(whole.abs().max())
    assert memory.count == 26
    assert float(whole.std()) > 0.1


def test_memory_does_not_grow(case, awake):
    full = case(history=3, horizon=27)
    network = awake(CONFIG.build(full.shapes))
    memory, sizes = network.remember(*part(full, 0, 3, 3)), []
    for frame in range(3, 30):
        memory = network.remember(*part(full, frame, frame + 1, 0), memory)
        held = [memory.inputs, *(tensor for pair in memory.pairs for tensor in pair)]
        sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in held))
    assert len(set(sizes[3:])) == 1
    # No view holds on to frames that were forgotten.
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in held)
    # Two sinks and four of the reach before the frame that asks.
    assert memory.places.tolist() == [0, 1, 26, 27, 28, 29]
    assert {tensor.shape[2] for pair in memory.pairs for tensor in pair} == {6}


def test_places_are_relative(case, awake):
    """The same frames later in a clip have the same answers: only distances count."""
    full = case(history=0, horizon=30).changed(history=None, past=None)
    network = awake(CONFIG.model_copy(update={"sinks": 0}).build(full.shapes))
    early, late = network(*part(full, 0, 30, 0)), network(*part(full, 12, 30, 0))
    # Two blocks reach back eight frames; the cut clip lacks those before it.
    torch.testing.assert_close(late[:, 8:], early[:, 20:], rtol=0, atol=1e-12)
    assert float((late[:, :4] - early[:, 12:16]).abs().max()) > 1e-3


def test_rows_are_independent_and_the_start_is_zero(case, awake):
    full = case()
    network = CONFIG.build(full.shapes).double()
    assert torch.equal(full.answer(network), torch.zeros_like(full.x))
    awake(network)
    alone = network(full.x[1:], full.level[1:], full.context.rows(slice(1, 2)))
    torch.testing.assert_close(alone, full.answer(network)[1:], rtol=0, atol=1e-12)


def test_every_weight_learns(case):
    full = case()
    network = CONFIG.build(full.shapes).double()
    target = torch.randn(full.x.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        (full.answer(network) - target).square().mean().backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        if "key.bias" not in name:
            assert float(parameter.grad.abs().max()) > 0, name


def test_masked_values_do_not_matter(case, awake):
    full = case()
    network = awake(CONFIG.build(full.shapes))
    moved = full.changed(x=torch.where(full.context.mask == 0, 1e6, full.x))
    assert torch.equal(full.answer(network), moved.answer(network))


def test_reaches_the_exact_denoiser_given_past_frames_at_times_of_their_own():
    """AR(1) clips, every frame at its own level: the error is the filter's exact variance, within 10 %."""
    frames, rho, generator = 6, 0.9, torch.Generator().manual_seed(0)
    distance = (torch.arange(frames)[:, None] - torch.arange(frames)).abs()
    root = torch.linalg.cholesky(rho ** distance.double()).float()
    config = CausalSeriesNetwork(width=16, depth=1, heads=2, rank=16)
    network = config.build(Shapes(horizon=frames, channels=1))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=250)

    def errors(level):
        clip = torch.randn(len(level), frames, generator=generator) @ root.T
        noise = torch.randn(len(level), frames, generator=generator)
        x = torch.sigmoid(level).sqrt() * clip + torch.sigmoid(-level).sqrt() * noise
        return (network(x[..., None], level, Context())[..., 0] - clip).square()

    for _ in range(250):
        optimizer.zero_grad()
        errors(6 * torch.rand(128, frames, generator=generator) - 3).mean().backward()
        optimizer.step()
        schedule.step()
    for row in ([2.0, -1.0, 1.0, -2.0, 2.0, -2.0], [-1.0, -1.0, 0.0, 2.0, 2.0, 0.0]):
        level = torch.tensor(row)
        with torch.no_grad():
            found = errors(level.expand(8192, frames)).mean(0)
        exact = []
        for k in range(1, frames + 1):
            prior = (rho**distance).double()[:k, :k]
            noise = torch.diag(torch.exp(-level[:k].double()))
            exact.append((prior - prior @ torch.linalg.solve(prior + noise, prior))[-1, -1])
        assert float(found.sum()) == pytest.approx(float(sum(exact)), rel=0.1)


def test_what_the_network_cannot_take_is_said():
    with pytest.raises(IncompatibleError, match="field"):
        CausalSeriesNetwork().build(Shapes(horizon=1, channels=1, space=(4, 4)))
    with pytest.raises(IncompatibleError, match="heads"):
        CausalSeriesNetwork(width=10, heads=4).build(Shapes(horizon=1, channels=1))
