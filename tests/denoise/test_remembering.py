"""Remembered frames: the same frames as a long clip of which the network sees all, a call fewer each time."""

from itertools import islice

import pytest
import torch

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key
from rheos.core.protocols import CausalNetwork, Remembers
from rheos.denoise import Denoiser, Remembering
from rheos.network import CausalSeriesNetwork, SeriesNetwork, Shapes
from rheos.process import Process
from rheos.process.coordinates import Anchored, FrameMixing
from rheos.process.schedule import CondOT
from rheos.sample import sample, stream
from rheos.sample.path import FrameByFrame, Rolling
from rheos.sample.preset import Preset
from rheos.sample.solver import Exponential

AHEAD, TOTAL = 4, 8
KNOWN = 3
SHAPES = Shapes(history=KNOWN, horizon=AHEAD, channels=2, calendar=1, anchor=True)
CONFIG = CausalSeriesNetwork(width=16, depth=2, heads=2, rank=4, reach=4, sinks=1)


def woken(network):
    """A network with no weight left at 0."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return network


def known(frames, dtype):
    """Context by absolute frame number, for windows of some frames or for one long clip."""
    generator = torch.Generator().manual_seed(3)
    everything = [
        torch.randn(2, 40, *shape, generator=generator, dtype=dtype) for shape in ((1,), (2,), (2,))
    ]

    def window(number):
        calendar, anchor, scale = (value[:, number : number + frames] for value in everything)
        return Context(
            history_frames=KNOWN,
            history=everything[1][:, :KNOWN] - 1.0,
            mask=torch.ones(2, frames, 2, dtype=dtype),
            calendar=calendar,
            anchor=anchor,
            anchor_scale=scale.exp(),
        )

    return window


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("path", [Rolling(window=4), FrameByFrame()], ids=lambda p: p.name())
def test_a_stream_that_remembers_is_the_long_clip_that_sees_all(dtype, tolerance, path):
    network = woken(CONFIG.build(SHAPES)).to(dtype)
    denoiser = Denoiser(network, Process(CondOT(), Anchored()))
    preset = Preset(solver=Exponential(order=2, eta=1.0), evaluations=8, path=path)
    shape, key = (2, KNOWN + AHEAD, 2), Key.of(5, 2)
    remembering = Remembering(denoiser)
    assert isinstance(remembering, Remembers)
    assert isinstance(network, CausalNetwork)
    streamed = stream(
        remembering, shape, key=key, context=known(KNOWN + AHEAD, dtype), preset=preset, dtype=dtype
    )
    frames = torch.stack(list(islice(streamed, TOTAL)), 1)
    long = (2, KNOWN + TOTAL + AHEAD, 2)
    context = known(long[1], dtype)(0)
    whole = sample(denoiser, long, key=key, context=context, preset=preset, dtype=dtype).clips
    expected = whole[:, KNOWN : KNOWN + TOTAL]
    assert float((frames - expected).abs().max()) < tolerance * float(expected.abs().max())
    assert float((whole - context.anchor).std()) > 0.3


@pytest.mark.parametrize(("path", "first", "each"), [(Rolling(window=4), 8, 2), (FrameByFrame(), 8, 8)])
def test_each_frame_costs_the_same_calls_of_as_many_frames(path, first, each, monkeypatch):
    network = woken(CONFIG.build(SHAPES))
    calls = []
    run = network._run
    monkeypatch.setattr(network, "_run", lambda x, *rest: calls.append(x.shape[1]) or run(x, *rest))
    remembering = Remembering(Denoiser(network, Process(CondOT(), Anchored())))
    preset = Preset(evaluations=8, path=path)
    context = known(KNOWN + AHEAD, torch.float32)
    streamed = stream(remembering, (2, KNOWN + AHEAD, 2), key=Key.of(5, 2), context=context, preset=preset)
    counts = []
    for _ in range(7):
        next(streamed)
        counts.append(list(calls))
        calls.clear()
    assert counts[0] == [KNOWN] + [AHEAD] * first
    assert counts[1:] == [[1] + [AHEAD] * each] * 6


def test_a_second_stream_forgets_the_first():
    remembering = Remembering(Denoiser(woken(CONFIG.build(SHAPES)), Process(CondOT(), Anchored())))
    preset = Preset(evaluations=4, path=FrameByFrame())

    def three():
        context = known(KNOWN + AHEAD, torch.float32)
        return list(
            islice(
                stream(remembering, (2, KNOWN + AHEAD, 2), key=Key.of(5, 2), context=context, preset=preset),
                3,
            )
        )

    assert all(torch.equal(a, b) for a, b in zip(three(), three(), strict=True))


def test_what_cannot_be_remembered_is_refused():
    shapes = SHAPES.model_copy(update={"anchor": False})
    with pytest.raises(IncompatibleError, match="only a causal network"):
        Remembering(Denoiser(SeriesNetwork(width=8, depth=1, heads=1).build(shapes), Process()))
    with pytest.raises(IncompatibleError, match="show a finished frame differently"):
        Remembering(Denoiser(CONFIG.build(shapes), Process(coordinates=FrameMixing())))
    remembering = Remembering(Denoiser(CONFIG.build(shapes), Process()))
    clip = torch.zeros(1, KNOWN + AHEAD, 2)
    with pytest.raises(IncompatibleError, match="shown finished frames first"):
        remembering(clip, torch.zeros(1, KNOWN + AHEAD), Context(history_frames=KNOWN))
