"""The process: marginals, kernels, clean history, missing entries, presets."""

import pytest
import torch
from pydantic import TypeAdapter

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.core.keys import Key, Purpose
from rheos.core.method import one_of
from rheos.process import (
    PROCESSES,
    DyDiff,
    Elucidated,
    Exploding,
    GaussianProcessPrior,
    LeastEnergy,
    MeanReverting,
    Plain,
    PoissonFlow,
    Process,
    RectifiedFlow,
    SubPreserving,
)
from rheos.process.coordinates import Anchored, FrameMixing, GaussianProcess, Identity
from rheos.process.noise import OrnsteinUhlenbeck, Periodic, StudentT, White
from rheos.process.schedule import (
    EDM,
    SCHEDULES,
    CondOT,
    Cosine,
    CosineRate,
    KineticOptimal,
    Linear,
    SubVP,
    VarianceExploding,
)

SHAPE = (3, 5, 2)
T = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)


def number(seed=0, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class _Reversed(Identity):
    @property
    def causal(self):
        return False


def test_diffusing_is_signal_plus_noise_at_any_time_field():
    process, u0, z = Process(CondOT()), number(1), number(2)
    fields = [T[1], T, T[:, None].expand(3, 5), T[:, None, None].expand(SHAPE) * torch.tensor([1.0, 0.5])]
    for t in fields:
        full = t.reshape(t.shape + (1,) * (3 - t.ndim)).expand(SHAPE)
        torch.testing.assert_close(process.diffuse(u0, t, z), (1 - full) * u0 + full * z)
    assert torch.equal(process.diffuse(u0, torch.zeros(()).double(), z), u0)


@pytest.mark.parametrize("schedule", [s() for s in SCHEDULES], ids=repr)
def test_renoising_keeps_the_marginals(schedule):
    """Pushed on from t, signal and noise variance must be those at s, exactly."""
    process, t, s = Process(schedule), T, T + 0.05
    one, nothing = torch.ones(SHAPE).double(), torch.zeros(SHAPE).double()
    ratio = process.renoise(one, t, s, nothing)[:, 0, 0]
    fresh = process.renoise(nothing, t, s, one)[:, 0, 0]
    torch.testing.assert_close(ratio * schedule.alpha(t), schedule.alpha(s), rtol=1e-12, atol=0)
    variance = ratio**2 * schedule.sigma(t) ** 2 + fresh**2
    torch.testing.assert_close(variance, schedule.sigma(s) ** 2, rtol=1e-12, atol=0)
    assert torch.equal(process.renoise(one, t, t, number()), one)


def test_missing_entries_are_zero_in_canonical_coordinates_whatever_they_hold():
    mask = (number(3) > 0).double()
    anchor = number(4)
    context = Context(anchor=anchor, anchor_scale=torch.full((1, 1, 1), 2.0).double(), mask=mask)
    process, x0 = DyDiff().build(anchored=True), number(5)
    u0 = process.canonical(torch.where(mask > 0, x0, torch.nan), context)
    torch.testing.assert_close(u0, mask * (x0 - anchor) / 2.0)
    everything = Context(anchor=anchor, anchor_scale=context.anchor_scale)
    torch.testing.assert_close(process.read(process.canonical(x0, everything), everything), x0)


@pytest.mark.parametrize("anchored", [False, True])
def test_missing_entries_of_mixed_data_leave_the_others_as_they_were(anchored):
    """u is 0 where data are missing, and what is there reads back, whatever stood in the gaps."""
    mask = (number(3) > -0.3).double()
    mask[0, 1:4, 0], mask[1] = 0.0, 1.0
    context = Context(anchor=number(4), anchor_scale=number(8).abs() + 0.5, mask=mask)
    process, x0 = GaussianProcessPrior().build(anchored), number(5)
    u0 = process.canonical(torch.where(mask > 0, x0, torch.nan), context)
    assert (u0[mask == 0] == 0).all()
    back = process.read(u0, context)
    torch.testing.assert_close(back[mask > 0], x0[mask > 0], rtol=1e-12, atol=1e-12)
    full = Context(anchor=context.anchor, anchor_scale=context.anchor_scale, mask=torch.ones(SHAPE))
    assert torch.equal(process.canonical(x0, full)[1], u0[1])


def test_the_callers_clip_is_left_alone():
    x0 = number(5)
    before = x0.clone()
    DyDiff().build().canonical(x0, Context(mask=torch.zeros(SHAPE)))
    assert torch.equal(x0, before)


def test_generation_starts_from_scaled_noise_and_the_clean_history():
    mask = torch.ones(SHAPE).double()
    mask[1, 0] = 0.0
    history, anchor = number(6)[:, :2], number(7)
    context = Context(history_frames=2, history=history, mask=mask, anchor=anchor)
    process, key = Process(EDM(), Anchored() * FrameMixing()), Key.of(3, 3)
    u = process.start(context, key, SHAPE, torch.float64)
    z = key.at(Purpose.START).normal(SHAPE[1:], torch.float64)
    torch.testing.assert_close(u[:, 2:], 80.0 * z[:, 2:])
    torch.testing.assert_close(u[:, :2], mask[:, :2] * (history - anchor[:, :2]))
    diffused = Process(EDM(), Anchored() * FrameMixing(), history="diffused")
    torch.testing.assert_close(diffused.start(context, key, SHAPE, torch.float64), 80.0 * z)
    assert process.start(context.to("cpu", torch.float32), key, SHAPE).dtype == torch.float32


def test_clean_history_needs_a_history_and_causal_coordinates():
    with pytest.raises(IncompatibleError, match=r"Context\.history"):
        Process().start(Context(history_frames=2), Key.of(0, 3), SHAPE)
    with pytest.raises(IncompatibleError, match="causal"):
        Process(Cosine(), _Reversed())
    assert Process(Cosine(), _Reversed(), history="diffused").coordinates == _Reversed()


def test_the_time_field_is_zero_on_clean_history_only():
    context = Context(history_frames=2)
    expected = torch.cat((torch.zeros(3, 2), T[:, None].expand(3, 3)), 1).double()
    assert torch.equal(Process().field(T, 5, context), expected)
    assert torch.equal(Process(history="diffused").field(T, 5, context), T)
    assert torch.equal(Process().field(T, 5, Context()), T)


def test_white_noise_is_the_keys_normal_law():
    key, noise = Key.of(1, 3), White()
    z = noise.draw(key, SHAPE[1:], Context(), torch.float64)
    assert torch.equal(z, key.normal(SHAPE[1:], torch.float64))
    law = torch.distributions.Normal(torch.zeros(()).double(), 1.0)
    torch.testing.assert_close(noise.log_prob(z, Context()), law.log_prob(z).flatten(1).sum(1))
    assert noise.gaussian
    assert noise.correlation(5) is None


@pytest.mark.parametrize(
    ("recipe", "schedule", "coordinates"),
    [
        (DyDiff(), Cosine(), FrameMixing(floor=0.5)),
        (DyDiff(floor=0.9, schedule=Linear()), Linear(), FrameMixing(floor=0.9)),
        (Plain(schedule=Linear()), Linear(), Identity()),
        (RectifiedFlow(), CondOT(), Identity()),
        (Elucidated(schedule=EDM(rho=5.0)), EDM(rho=5.0), Identity()),
        (Exploding(), VarianceExploding(), Identity()),
        (SubPreserving(), SubVP(), Identity()),
        (LeastEnergy(), KineticOptimal(), Identity()),
        (GaussianProcessPrior(), CondOT(), GaussianProcess()),
        (MeanReverting(), CosineRate(), Identity()),
        (
            GaussianProcessPrior(prior=Periodic(period=7.0), schedule=Cosine()),
            Cosine(),
            GaussianProcess(prior=Periodic(period=7.0)),
        ),
    ],
    ids=repr,
)
def test_a_recipe_builds_what_its_words_say(recipe, schedule, coordinates):
    if isinstance(recipe, MeanReverting):  # It has no meaning without an anchor.
        assert recipe.build() == Process(schedule, Anchored())
        assert recipe.build(anchored=True) == Process(schedule, Anchored())
        return
    assert recipe.build() == Process(schedule, coordinates)
    assert recipe.build(anchored=True) == Process(schedule, Anchored() * coordinates)
    diffused = recipe.model_copy(update={"history": "diffused"})
    assert diffused.build() == Process(schedule, coordinates, history="diffused")
    other = recipe.model_copy(update={"noise": OrnsteinUhlenbeck()})
    assert other.build() == Process(schedule, coordinates, OrnsteinUhlenbeck())


def test_the_electric_field_has_its_own_noise_and_the_schedule_of_edm():
    assert PoissonFlow().build() == Process(EDM(), noise=StudentT(degrees=128.0))
    assert PoissonFlow(noise=StudentT(degrees=2048)).build(anchored=True).noise == StudentT(degrees=2048.0)


@pytest.mark.parametrize("recipe", [recipe() for recipe in PROCESSES], ids=repr)
def test_a_recipe_survives_json(recipe):
    adapter = TypeAdapter(one_of(PROCESSES))
    assert adapter.validate_json(recipe.model_dump_json()) == recipe


def test_a_process_states_its_whole_configuration():
    stated = DyDiff(floor=0.25).build(anchored=True).model_dump()
    assert [part["kind"] for part in stated["coordinates"]["parts"]] == ["anchored", "frame_mixing"]
    assert stated["coordinates"]["parts"][1]["floor"] == 0.25
    assert stated["schedule"] == {"kind": "cosine", "offset": 0.008}
