"""One time field, three laws: joint, given the others, and of some alone, exact on Gaussian data."""

import pytest
import torch
from scipy.integrate import solve_ivp

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.core.scope import Scope
from rheos.denoise import GaussianOracle
from rheos.process import Process
from rheos.process.coordinates import FrameMixing, GaussianProcess
from rheos.process.noise import OrnsteinUhlenbeck, White
from rheos.process.schedule import EDM, CondOT
from rheos.sample import likelihood, probe, sample, stream
from rheos.sample.correction import Langevin
from rheos.sample.driver.adaptive import Adaptive
from rheos.sample.driver.parallel import Parallel
from rheos.sample.grid import LogSNR
from rheos.sample.guidance import Free, FreeGuidance
from rheos.sample.path import FrameByFrame, Pyramid, Synchronous
from rheos.sample.preset import Preset
from rheos.sample.solver import DDIM, DPMpp2M, Exponential, Heun, SingleStep, UniPC

F64 = torch.float64
FRAMES, CHANNELS = 4, 2
SIZE = FRAMES * CHANNELS
LAG = (torch.arange(FRAMES)[:, None] - torch.arange(FRAMES)).abs().double()
# Between the channels more than a product of two laws: x leads y.
SHIFT = 0.5 * torch.kron(torch.diag(torch.ones(FRAMES - 1, dtype=F64), 1), torch.tensor([[0, 1], [0, 0]]))
COVARIANCE = torch.kron(1.3 * 0.7**LAG, torch.tensor([[1.0, 0.6], [0.6, 0.8]], dtype=F64))
MIX = torch.eye(SIZE, dtype=F64) + SHIFT
COVARIANCE = MIX @ COVARIANCE @ MIX.T
MEAN = torch.linspace(-1.0, 1.5, SIZE, dtype=F64)
SEEN = torch.randn(1, FRAMES, CHANNELS, generator=torch.Generator().manual_seed(1), dtype=F64)
WIDE = EDM(sigma_min=3e-5, sigma_max=1e9)
X, Y = torch.arange(0, SIZE, 2), torch.arange(1, SIZE, 2)
SOLVERS = [DDIM(), DDIM(eta=1.0), Heun(), DPMpp2M(), Exponential(order=3, eta=0.5), UniPC(order=3)]


def law_given(known, wanted):
    """Mean and covariance of some entries given that others are as seen."""
    gain = COVARIANCE[wanted][:, known] @ torch.linalg.inv(COVARIANCE[known][:, known])
    mean = MEAN[wanted] + gain @ (SEEN.flatten()[known] - MEAN[known])
    return mean, COVARIANCE[wanted][:, wanted] - gain @ COVARIANCE[known][:, wanted]


def marginal(wanted):
    return MEAN[wanted], COVARIANCE[wanted][:, wanted]


def drawn(entries, context, preset, process=None):
    """Mean and covariance of some entries of what is sampled from the joint oracle."""
    oracle = GaussianOracle(MEAN, COVARIANCE, process or Process(WIDE))
    law = probe(oracle, (FRAMES, CHANNELS), preset=preset, context=context)
    return law.mean[entries], law.covariance[entries][:, entries]


def steps(evaluations, solver=None):
    return Preset(
        solver=solver or Exponential(order=4),
        grid=LogSNR(highest=1e9, lowest=3e-5),
        evaluations=evaluations,
    )


GIVEN_Y = Context(observation=SEEN, scope=Scope.of(FRAMES, CHANNELS, given=[1]))
LEFT_Y = Context(scope=Scope.of(FRAMES, CHANNELS, left=[1]))
TASKS = {
    "joint": (Context(), torch.arange(SIZE), (MEAN, COVARIANCE)),
    "x given y": (GIVEN_Y, X, law_given(Y, X)),
    "x alone": (LEFT_Y, X, marginal(X)),
}


@pytest.mark.parametrize("task", TASKS)
def test_one_denoiser_draws_all_three_laws(task):
    """To 1e-8, its fourth-order solver's error taken to its limit by Richardson's rule."""
    context, entries, exact = TASKS[task]
    coarse, fine = (drawn(entries, context, steps(count)) for count in (300, 600))
    for rough, good, truth in zip(coarse, fine, exact, strict=True):
        torch.testing.assert_close((16 * good - rough) / 15, truth, rtol=0, atol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_every_step_is_that_of_the_smaller_problem(solver):
    """Whatever the solver's own error: as if only x were there, with its law given y, or alone."""
    preset = steps(12, solver)
    for task in ("x given y", "x alone"):
        context, entries, (mean, covariance) = TASKS[task]
        small = probe(GaussianOracle(mean, covariance, Process(WIDE)), (FRAMES, 1), preset=preset)
        found = drawn(entries, context, preset)
        torch.testing.assert_close(found[0], small.mean, rtol=0, atol=1e-11)
        torch.testing.assert_close(found[1], small.covariance, rtol=1e-11, atol=1e-11)


def test_history_of_what_is_left_out_is_still_known():
    context = Context(history_frames=1, history=SEEN[:, :1], scope=Scope.of(FRAMES, CHANNELS, left=[1]))
    preset, wanted = steps(12, DDIM()), rows((1, 0), (2, 0), (3, 0))
    mean, covariance = law_given(rows((0, 0), (0, 1)), wanted)
    small = probe(GaussianOracle(mean, covariance, Process(WIDE)), (FRAMES - 1, 1), preset=preset)
    found = drawn(wanted, context, preset)
    torch.testing.assert_close(found[0], small.mean, rtol=0, atol=1e-11)
    torch.testing.assert_close(found[1], small.covariance, rtol=1e-11, atol=1e-11)


def rows(*pairs):
    """Flat numbers of `(frame, channel)` entries."""
    return torch.tensor([frame * CHANNELS + channel for frame, channel in pairs])


@pytest.mark.parametrize("noise", [White(), OrnsteinUhlenbeck()], ids=repr)
@pytest.mark.parametrize("path", [Synchronous(), Pyramid(behind=3), FrameByFrame()], ids=repr)
def test_frames_between_known_ones_on_any_path(path, noise):
    """Interpolation: the first frame is history, the last one given, and one entry between them."""
    table = torch.zeros(FRAMES, CHANNELS, dtype=torch.bool)
    table[3], table[1, 1] = True, True
    context = Context(
        history_frames=1, history=SEEN[:, :1], observation=SEEN, scope=Scope.of(FRAMES, CHANNELS, given=table)
    )
    wanted, known = rows((1, 0), (2, 0), (2, 1)), rows((0, 0), (0, 1), (1, 1), (3, 0), (3, 1))
    process = Process(WIDE, FrameMixing(), noise)
    presets = [steps(count).model_copy(update={"path": path}) for count in (180, 360)]
    coarse, fine = (drawn(wanted, context, preset, process) for preset in presets)
    for rough, good, exact in zip(coarse, fine, law_given(known, wanted), strict=True):
        torch.testing.assert_close((16 * good - rough) / 15, exact, rtol=0, atol=2e-7)
    whole = drawn(torch.arange(SIZE), context, presets[0], process)[0]
    assert torch.equal(whole[known], SEEN.flatten()[known])


def test_whitened_variables_are_given_whole_with_their_history():
    process = Process(EDM(sigma_max=1e5), GaussianProcess())
    root = torch.kron(process.coordinates.prior.factor(FRAMES).contiguous(), torch.eye(CHANNELS, dtype=F64))
    inverse = torch.linalg.inv(root)
    oracle = GaussianOracle(inverse @ MEAN, inverse @ COVARIANCE @ inverse.T, process)
    context = Context(
        history_frames=1,
        history=SEEN[:, :1],
        observation=SEEN * (torch.arange(FRAMES) > 0)[:, None],
        scope=Scope.of(FRAMES, CHANNELS, given=[1]),
    )
    preset = Preset(solver=Exponential(order=3), grid=LogSNR(highest=1e5, lowest=1e-4), evaluations=120)
    law = probe(oracle, (FRAMES, CHANNELS), preset=preset, context=context)
    mean, covariance = law_given(torch.cat((X[:1], Y)), X[1:])
    torch.testing.assert_close(law.mean[X[1:]], mean, rtol=0, atol=1e-3)
    torch.testing.assert_close(law.covariance[X[1:]][:, X[1:]], covariance, rtol=0, atol=1e-3)
    table = torch.zeros(FRAMES, CHANNELS, dtype=torch.bool)
    table[2, 1] = True
    partly = Context(observation=SEEN, scope=Scope.of(FRAMES, CHANNELS, given=table))
    with pytest.raises(IncompatibleError, match="in all frames or in none"):
        probe(oracle, (FRAMES, CHANNELS), context=partly)


def test_what_is_given_comes_back_and_what_is_left_out_does_not():
    context = Context(
        history_frames=1,
        history=SEEN[:, :1],
        observation=SEEN,
        scope=Scope.of(FRAMES, CHANNELS, given=[0], left=[1]),
    )
    oracle = GaussianOracle(MEAN, COVARIANCE, Process(CondOT()))
    found = sample(oracle, (3, FRAMES, CHANNELS), key=Key.of(0, 3), context=context.repeat(3))
    assert torch.equal(found.clips[..., 0], SEEN[..., 0].float().expand(3, -1))
    assert torch.equal(found.clips[:, 0, 1], SEEN[:, 0, 1].float().expand(3))
    assert found.clips[:, 1:, 1].isnan().all()
    assert found.warnings == ()


@pytest.mark.parametrize("solver", [DDIM(), DDIM(eta=1.0), UniPC()], ids=repr)
def test_where_all_is_given_all_comes_back(solver):
    context = Context(observation=SEEN, scope=Scope.of(FRAMES, CHANNELS, given=[0, 1])).repeat(3)
    oracle = GaussianOracle(MEAN, COVARIANCE, Process(CondOT()))
    preset = Preset(solver=solver, evaluations=6)
    found = sample(oracle, (3, FRAMES, CHANNELS), key=Key.of(0, 3), context=context, preset=preset, dtype=F64)
    assert torch.equal(found.clips, SEEN.expand(3, -1, -1))


def test_nothing_given_is_the_usual_sample_bit_for_bit():
    oracle, choice = GaussianOracle(MEAN, COVARIANCE, Process(CondOT())), {"key": Key.of(0, 3), "dtype": F64}
    usual = sample(oracle, (3, FRAMES, CHANNELS), **choice).clips
    scope = Context(scope=Scope.of(FRAMES, CHANNELS))
    assert torch.equal(sample(oracle, (3, FRAMES, CHANNELS), context=scope, **choice).clips, usual)
    at_once = Preset(solver=DDIM(), evaluations=8, parallel=Parallel(tolerance=0.0))
    in_turn = Preset(solver=DDIM(), evaluations=8)
    clips = [
        sample(oracle, (3, FRAMES, CHANNELS), context=GIVEN_Y.repeat(3), preset=preset, **choice).clips
        for preset in (at_once, in_turn)
    ]
    torch.testing.assert_close(*clips, rtol=0, atol=1e-12)


# y says nothing at t_max only where no signal is left: to 1e-9 here.
@pytest.mark.parametrize("weight", [0.0, 0.5, 3.0])
def test_guidance_is_the_card_s_formula(weight):
    """Score (1 + w) s(x | y) - w s(x), each from its own Gaussian law."""
    oracle, process = GaussianOracle(MEAN, COVARIANCE, Process(WIDE)), Process(WIDE)
    guided = Free(weight=weight).guide(oracle, Key.of(3, 2))
    u = torch.randn(2, FRAMES, CHANNELS, generator=torch.Generator().manual_seed(2), dtype=F64)
    u[..., 1] = SEEN[..., 1]
    t = torch.tensor(0.2, dtype=F64)
    field = GIVEN_Y.scope.held(t[None], WIDE.t_max)[0]
    sigma = float(WIDE.sigma(t))
    mean = guided(u, field, GIVEN_Y.repeat(2)).mean
    laws = [GaussianOracle(*law, process) for law in (law_given(Y, X), marginal(X))]
    conditional, alone = (law.score(u[..., :1], t) for law in laws)
    expected = (1 + weight) * conditional - weight * alone
    torch.testing.assert_close((mean[..., :1] - u[..., :1]) / sigma**2, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(mean[..., 1], u[..., 1], rtol=0, atol=1e-13)


def test_joint_guidance_leans_each_group_on_the_others():
    oracle = GaussianOracle(MEAN, COVARIANCE, Process(WIDE))
    u = torch.randn(1, FRAMES, CHANNELS, generator=torch.Generator().manual_seed(2), dtype=F64)
    t, weight = torch.tensor(0.2, dtype=F64), 1.5
    found = FreeGuidance(oracle, Key.of(3), weight)(u, t, Context()).mean
    joint = oracle(u, t).mean
    for channel, entries in enumerate((X, Y)):
        alone = GaussianOracle(*marginal(entries), Process(WIDE))(u[..., channel : channel + 1], t).mean
        expected = (1 + weight) * joint[..., channel : channel + 1] - weight * alone
        torch.testing.assert_close(found[..., channel : channel + 1], expected, rtol=0, atol=1e-8)
    # Both in one group: there are no others to lean on.
    together = FreeGuidance(oracle, Key.of(3), weight)(u, t, Context(groups=(0, 0))).mean
    torch.testing.assert_close(together, joint, rtol=0, atol=1e-12)


def test_guided_clips_follow_the_guided_equation():
    """One frame of x and y, w = 1: mean and deviation of x by an independent integrator."""
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=F64)
    oracle = GaussianOracle(torch.zeros(2), covariance, Process(EDM(sigma_max=1e5)))
    context = Context(observation=torch.ones(1, 1, 2, dtype=F64), scope=Scope.of(1, 2, given=[1]))

    class Fixed:
        """Guidance for as many clips as the probe pushes at once."""

        process = oracle.process

        def __call__(self, u, t, context):
            return FreeGuidance(oracle, Key.of(0, len(u)), 1.0)(u, t, context)

    preset = Preset(solver=Exponential(order=3), grid=LogSNR(highest=1e5, lowest=1e-3), evaluations=200)
    law = probe(Fixed(), (1, 2), preset=preset, context=context)

    def slope(log_sigma, state):
        # dx/dsigma = (x - D) / sigma, D = 2 D(x | y) - D(x), of mean and deviation.
        variance = float(torch.tensor(2.0 * log_sigma, dtype=F64).exp())
        conditional, alone = 0.36 / (0.36 + variance), 1.0 / (1.0 + variance)
        gain = 2 * conditional - alone
        return [state[0] - gain * state[0] - 2 * (1 - conditional) * 0.8, state[1] * (1 - gain)]

    ends = [torch.tensor(s, dtype=F64).log().item() for s in (1e5, 1e-3)]
    mean, deviation = solve_ivp(slope, ends, [0.0, 1e5], rtol=1e-10, atol=1e-12).y[:, -1]
    assert float(law.mean[0]) == pytest.approx(mean, abs=1e-3)
    assert float(law.covariance[0, 0]) == pytest.approx(deviation**2, abs=1e-3)
    assert mean > 0.9
    assert deviation**2 < 0.36


def test_what_cannot_be_is_refused_in_one_sentence():
    oracle, shape = GaussianOracle(MEAN, COVARIANCE, Process(WIDE)), (1, FRAMES, CHANNELS)
    with pytest.raises(InputError, match="both given and left out"):
        Scope.of(FRAMES, CHANNELS, given=[0], left=[0])
    with pytest.raises(InputError, match="no channel 2"):
        Scope.of(FRAMES, CHANNELS, given=[2])
    with pytest.raises(InputError, match="bool tables"):
        Scope.of(FRAMES, CHANNELS, given=torch.ones(FRAMES, CHANNELS))
    wrong = Context(observation=SEEN, scope=Scope.of(FRAMES, 3, given=[1]))
    with pytest.raises(InputError, match="frames and channels, but the clips"):
        sample(oracle, shape, key=Key.of(0), context=wrong)
    with pytest.raises(IncompatibleError, match="observation is None"):
        sample(oracle, shape, key=Key.of(0), context=Context(scope=GIVEN_Y.scope))
    for preset in (Preset(corrections=(Langevin(),)), Preset(solver=SingleStep(), adaptive=Adaptive())):
        with pytest.raises(IncompatibleError, match="at its own"):
            sample(oracle, shape, key=Key.of(0), context=GIVEN_Y, preset=preset)
    with pytest.raises(IncompatibleError, match=r"only rheos\.sample\.sample"):
        likelihood(oracle, SEEN, context=GIVEN_Y)
    with pytest.raises(IncompatibleError, match=r"only rheos\.sample\.sample"):
        stream(oracle, shape, key=Key.of(0), context=lambda _: GIVEN_Y, preset=Preset(path=FrameByFrame()))
    with pytest.raises(InputError, match="at least 0"):
        FreeGuidance(oracle, Key.of(0), -1.0)
