"""Sampling by a flow map: exact in any number of calls, in all coordinates; refused where it has no sense."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.core.scope import Scope
from rheos.denoise import Denoiser, FlowMap, GaussianFlow
from rheos.process import DyDiff, Process
from rheos.process.coordinates import FrameMixing
from rheos.process.schedule import SCHEDULES, Cosine
from rheos.sample import Preset, preset, probe, sample, stream
from rheos.sample.driver import Parallel
from rheos.sample.path import Rolling
from rheos.sample.preset import FLOW_PRESETS, flow_preset
from rheos.sample.solver import FlowMapSteps

F64 = torch.float64
FRAMES, HISTORY = 4, 1
MEAN = torch.tensor([0.3, -0.5, 1.0, 0.2], dtype=F64)
COVARIANCE = 1.4 * 0.7 ** (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs().double()
PAST = torch.tensor([[[1.1]]], dtype=F64)
KNOWN = Context(history_frames=HISTORY, history=PAST)
ONE = FLOW_PRESETS["fast"]


def truth():
    """Mean and covariance of the future given the past."""
    gain = COVARIANCE[HISTORY:, :HISTORY] / COVARIANCE[0, 0]
    mean = MEAN[HISTORY:] + gain @ (PAST.flatten() - MEAN[:HISTORY])
    return mean, COVARIANCE[HISTORY:, HISTORY:] - gain @ COVARIANCE[:HISTORY, HISTORY:]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name())
@pytest.mark.parametrize("word", FLOW_PRESETS)
def test_an_exact_map_draws_the_exact_law_in_any_number_of_calls(schedule, word):
    """But for the signal that is left at t_max, which starting from noise alone drops."""
    process = Process(schedule(), FrameMixing(floor=0.4))
    # Canonical data of mixed coordinates are the data: C_0 is the identity.
    oracle, chosen = GaussianFlow(MEAN, COVARIANCE, process), FLOW_PRESETS[word]
    law = probe(oracle, (FRAMES, 1), context=KNOWN, preset=chosen)
    mean, covariance = truth()
    assert law.evaluations == chosen.evaluations == {"fast": 1, "balanced": 2, "best": 4}[word]
    rule = process.schedule
    left = float(torch.exp(0.5 * rule.log_snr(torch.tensor(rule.t_max, dtype=F64))))
    torch.testing.assert_close(law.mean[HISTORY:], mean, rtol=0, atol=4 * left + 1e-9)
    torch.testing.assert_close(law.covariance[HISTORY:, HISTORY:], covariance, rtol=0, atol=4 * left + 1e-9)
    assert torch.equal(law.covariance[:HISTORY], torch.zeros(HISTORY, FRAMES, dtype=F64))


def test_one_call_and_many_draw_the_same_clips():
    oracle, key = GaussianFlow(MEAN, COVARIANCE, Process()), Key.of(3, 5)
    words = {"key": key, "context": KNOWN.repeat(5), "dtype": F64}
    drawn = [sample(oracle, (5, FRAMES, 1), preset=chosen, **words).clips for chosen in FLOW_PRESETS.values()]
    for other in drawn[1:]:
        torch.testing.assert_close(other, drawn[0], rtol=0, atol=1e-10)
    start = oracle.process.start(KNOWN.repeat(5), key, (5, FRAMES, 1), F64)
    field = oracle.process.field(torch.tensor(oracle.process.schedule.t_max, dtype=F64), FRAMES, KNOWN)
    expected = oracle.carry(start, field, torch.zeros_like(field))
    torch.testing.assert_close(drawn[0], expected, rtol=0, atol=1e-12)


class Told(nn.Module):
    """Adds up what it is told; counts its calls."""

    two_levels = True

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, x, level, context, until=None):
        self.asked.append((level, level if until is None else until))
        return 0.3 * x + 0.01 * level[..., None] + 0.02 * self.asked[-1][1][..., None]


def test_a_learned_map_is_carried_from_node_to_node():
    flow, key = FlowMap(Told(), DyDiff().build()), Key.of(3, 5)
    chosen, context = FLOW_PRESETS["balanced"], Context(history_frames=1, history=torch.ones(5, 1, 1))
    drawn = sample(flow, (5, FRAMES, 1), key=key, context=context, preset=chosen, trajectory=True)
    assert drawn.evaluations == len(flow.network.asked) == 2
    times = [*chosen.times(flow.process.schedule).times, torch.zeros((), dtype=F64)]
    fields = [flow.process.field(time, FRAMES, context) for time in times]
    u = flow.process.start(context, key, (5, FRAMES, 1))
    for first, last in pairwise(fields):
        u = flow.carry(u, first, last, context)
    torch.testing.assert_close(drawn.trajectory[-1], u, rtol=0, atol=1e-6)
    # What is told of the last step is the end of the flow, of the first where the second begins.
    told = [until[0, 1].item() for _, until in flow.network.asked[:2]]
    assert told[1] == 20.0
    assert told[0] == flow.network.asked[1][0][0, 1].item()


def test_what_is_given_stays_where_it_is():
    """A scope's entries are at times of their own, 0 all along: the map is not asked to move them."""
    context = Context(
        history_frames=1,
        history=torch.ones(2, 1, 2),
        observation=torch.full((2, FRAMES, 2), 0.7),
        scope=Scope.of(FRAMES, 2, given=[1]),
    )
    flow = FlowMap(Told(), Process())
    clips = sample(flow, (2, FRAMES, 2), key=Key.of(0, 2), context=context, preset=ONE).clips
    assert (clips[:, 1:, 1] == 0.7).all()
    assert (clips[:, 1:, 0] - 0.7).abs().min() > 1e-3


def test_a_flow_map_is_a_denoiser_to_every_other_solver():
    network = Told()
    flow, plain = FlowMap(network, Process()), Denoiser(network, Process())
    for word in ("fast", "balanced"):
        one, other = (sample(d, (3, 4, 1), key=Key.of(1, 3), preset=word).clips for d in (flow, plain))
        assert torch.equal(one, other)


def test_words_of_a_flow_map():
    assert flow_preset("fast") is ONE
    assert flow_preset(preset("best")) is preset("best")
    with pytest.raises(InputError, match="say one of fast, balanced, best"):
        flow_preset("slow")


def test_what_has_no_sense_is_refused_before_any_work():
    flow, plain = FlowMap(Told(), Process()), Denoiser(Told(), Process())
    words = {"key": Key.of(1, 3)}
    with pytest.raises(IncompatibleError, match="Denoiser knows the time of a clip only"):
        sample(plain, (3, 4, 1), preset=ONE, **words)
    with pytest.raises(IncompatibleError, match="steps are made at once"):
        sample(flow, (3, 4, 1), preset=ONE.model_copy(update={"parallel": Parallel()}), **words)
    with pytest.raises(IncompatibleError, match="the adjoint equation"):
        sample(flow, (3, 4, 1), preset=ONE, gradients="adjoint", **words)
    rolling = Preset(solver=FlowMapSteps(), path=Rolling(window=3), evaluations=3)
    with pytest.raises(IncompatibleError, match="a stream moves frames at different paces"):
        stream(flow, (3, 4, 1), context=Context(history_frames=1), preset=rolling, **words)


def test_gradients_go_through_every_step():
    flow = FlowMap(Told(), Process(Cosine()))
    flow.network.weight = nn.Parameter(torch.ones(()))
    own = flow.network.forward
    flow.network.forward = lambda *given, **named: flow.network.weight * own(*given, **named)
    found = []
    for way in ("stored", "checkpointed"):
        flow.network.weight.grad = None
        clips = sample(flow, (2, 3, 1), key=Key.of(1, 2), preset=FLOW_PRESETS["best"], gradients=way).clips
        clips.square().sum().backward()
        found.append(float(flow.network.weight.grad))
    assert found[0] == pytest.approx(found[1], rel=1e-6) != 0.0
