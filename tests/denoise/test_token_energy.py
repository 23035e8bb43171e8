"""The learned energy of tokens and its noise-contrastive loss, against laws that can be enumerated.

p_theta tells every hidden token by a law whose probabilities are eighths, so that a grid of uniform numbers
draws from it exactly and the loss is an exact mean. Chi-square tests are at a false-alarm rate of 1e-6.
"""

import itertools
import math

import pytest
import torch
from scipy.stats import chi2

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.denoise import ChainOracle, MaskedCrossEntropy, NoiseContrastive, TokenEnergy
from rheos.process import Masked
from rheos.process.masked import MASK

CLIPS = torch.tensor(list(itertools.product((1, 2), repeat=2)))[..., None]
ALONE = torch.tensor([[0.25, 0.75], [0.625, 0.375]], dtype=torch.float64)
DATA = torch.tensor([0.4, 0.05, 0.15, 0.4], dtype=torch.float64)
EIGHTHS = (torch.arange(8, dtype=torch.float64) + 0.5) / 8
FALSE_ALARM = 1e-6


class Apart:
    """p_theta: laws of two binary tokens that know nothing of each other."""

    process = Masked(values=(2,))

    def __call__(self, tokens, context=None):
        law = ALONE.log()[None, :, None].expand(len(tokens), -1, -1, -1)
        copied = torch.where(self.process.shown(tokens) > 0, 0.0, -math.inf)
        return torch.where((tokens == MASK)[..., None], law, copied)


def place(clips):
    return ((clips[:, :, 0] - 1) * torch.tensor([2, 1])).sum(1)


class Tabular(torch.nn.Module):
    """An energy of every clip, whatever is shown; keeps what it was asked."""

    def __init__(self, values):
        super().__init__()
        self.values, self.asked = torch.nn.Parameter(values), []

    def forward(self, clips, own, tokens, context):
        self.asked.append((clips, own, tokens))
        return self.values[place(clips)]


def drawn_apart():
    """p_theta of every clip."""
    return ALONE[0, CLIPS[:, 0, 0] - 1] * ALONE[1, CLIPS[:, 1, 0] - 1]


def mean_loss(energy, hidden, data=DATA):
    """The exact mean of the loss over data and p_theta with these tokens hidden."""
    w = torch.cartesian_prod(EIGHTHS, EIGHTHS)[..., None]
    clips = CLIPS.repeat_interleave(len(w), 0)
    hides = torch.tensor(hidden)[None, :, None].expand(clips.shape)
    found = NoiseContrastive.contrast(energy, Apart(), clips, hides, w.repeat(4, 1, 1), Context())
    return (data.repeat_interleave(len(w)) * found).sum() / len(w)


EXACT = drawn_apart().log() - DATA.log()


def gradient(values, hidden=(True, True)):
    energy = Tabular(values.clone())
    mean_loss(energy, hidden).backward()
    return energy.values.grad


def test_the_loss_is_the_mean_of_both_classifications():
    """sum p softplus(E) + sum p_theta softplus(-E), any E."""
    values = torch.tensor([0.3, -1.2, 0.8, 2.0], dtype=torch.float64)
    found = mean_loss(Tabular(values), (True, True))
    wanted = DATA @ torch.log1p(values.exp()) + drawn_apart() @ torch.log1p((-values).exp())
    torch.testing.assert_close(found.detach(), wanted, atol=1e-12, rtol=0)
    nothing = mean_loss(Tabular(torch.zeros(4, dtype=torch.float64)), (True, True))
    assert float(nothing.detach()) == pytest.approx(2 * math.log(2), abs=1e-12)


def test_the_exact_energy_is_where_the_gradient_is_zero_and_only_there():
    """E = log p_theta - log p. Its opposite, or twice it, is not where the loss is flat."""
    assert float(gradient(EXACT).abs().max()) < 1e-14
    for other in (-EXACT, 2 * EXACT, torch.zeros_like(EXACT)):
        assert float(gradient(other).abs().max()) > 1e-2


def test_minimizing_it_recovers_the_log_density_ratio():
    energy = Tabular(torch.zeros(4, dtype=torch.float64))
    newton = torch.optim.LBFGS(energy.parameters(), max_iter=200, line_search_fn="strong_wolfe")
    newton.param_groups[0].update(tolerance_grad=1e-13, tolerance_change=0)

    def closure():
        newton.zero_grad()
        loss = mean_loss(energy, (True, True))
        loss.backward()
        return loss

    newton.step(closure)
    torch.testing.assert_close(energy.values.detach(), EXACT, atol=1e-6, rtol=0)


def test_given_what_is_shown_it_is_the_ratio_of_what_is_told():
    """The first token shown: E = log p_theta(x_2) - log p(x_2 | x_1), for each x_1 by itself."""
    given = DATA.reshape(2, 2) / DATA.reshape(2, 2).sum(1, keepdim=True)
    exact = (ALONE[1].log() - given.log()).flatten()
    assert float(gradient(exact, (False, True)).abs().max()) < 1e-14
    assert float(gradient(EXACT, (False, True)).abs().max()) > 1e-2


def test_energies_are_told_what_is_asked_of_them():
    """Clips of the data first, then clips told; the log p_theta of both; only what is shown."""
    energy = Tabular(torch.zeros(4, dtype=torch.float64))
    mean_loss(energy, (False, True))
    (true, own, shown), (told, other, again) = energy.asked
    assert torch.equal(true, CLIPS.repeat_interleave(64, 0))
    assert torch.equal(shown, again)
    assert torch.equal(shown[:, 0], true[:, 0])
    assert not shown[:, 1].any()
    assert torch.equal(told[:, 0], true[:, 0])
    for clips, log_p in ((true, own), (told, other)):
        torch.testing.assert_close(log_p, ALONE[1, clips[:, 1, 0] - 1].log(), atol=1e-14, rtol=0)


CHAIN = ChainOracle(torch.tensor([0.6, 0.4]), torch.tensor([[0.9, 0.1], [0.3, 0.7]]))


class Watch(torch.nn.Module):
    """Zero energies; keeps what it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, clips, own, tokens, context):
        self.asked.append((clips, tokens))
        return torch.zeros(len(clips))


def fits(outcomes, law):
    found, expected = torch.bincount(outcomes, minlength=len(law)).double(), len(outcomes) * law
    return float(((found - expected) ** 2 / expected).sum()) < chi2.isf(FALSE_ALARM, len(law) - 1)


def test_what_is_told_is_drawn_from_the_denoiser_and_from_nothing_else():
    """Any number hidden alike often, history and missing tokens never told; a chi-square where all are, and
    where one alone is: the numbers that say which are hidden say nothing of their values."""
    rows, watch = 6000, Watch()
    mask = torch.ones(rows, 4, 1)
    mask[:, 2] = 0.0
    clips = torch.ones(rows, 4, 1)
    loss = NoiseContrastive()(
        watch, CHAIN, clips, Context(history_frames=1, mask=mask), Key.of(0, rows).at(0, 3)
    )
    torch.testing.assert_close(loss, torch.full((rows,), 2 * math.log(2)))
    (true, shown), (told, _) = watch.asked
    assert torch.equal(true[:, :, 0], torch.tensor([1, 1, MASK, 1]).expand(rows, -1))
    assert torch.equal(told[:, 0], clips[:, 0].long())
    assert not told[:, 2].any()
    hidden = (shown == MASK)[:, [1, 3], 0]
    assert abs(float((hidden.sum(1) == 1).sum()) - rows / 2) <= 1
    kept = told[:, [1, 3], 0]
    assert bool((kept[~hidden] == 1).all())
    law = CHAIN.transition[0]
    twice = CHAIN.transition @ CHAIN.transition
    after = (CHAIN.transition @ twice)[0]
    both = kept[hidden.all(1)] - 1
    assert fits(both @ torch.tensor([2, 1]), torch.outer(law, after).flatten())
    first = law * twice[:, 0] / (law * twice[:, 0]).sum()
    assert fits(kept[hidden[:, 0] & ~hidden[:, 1], 0] - 1, first)
    assert fits(kept[hidden[:, 1] & ~hidden[:, 0], 1] - 1, twice[0])


def test_steps_of_training_draw_other_tokens_and_the_same_ones_again():
    """Of clips of one token, which is always hidden."""

    def told(step):
        watch = Watch()
        NoiseContrastive()(watch, CHAIN, torch.ones(64, 1, 1), Context(), Key.of(0, 64).at(0, step))
        return watch.asked[1][0]

    assert torch.equal(told(5), told(5))
    assert not torch.equal(told(5), told(6))


def test_the_denoiser_gets_no_gradient():
    logits = torch.zeros(2, requires_grad=True)

    class Learned(Apart):
        def __call__(self, tokens, context=None):
            return super().__call__(tokens) + torch.log_softmax(logits, 0)

    class Relative(Tabular):
        def forward(self, clips, own, tokens, context):
            return super().forward(clips, own, tokens, context) + own

    energy = Relative(torch.zeros(4, dtype=torch.float64))
    NoiseContrastive()(energy, Learned(), CLIPS.float(), Context(), Key.of(0, 4)).sum().backward()
    assert energy.values.grad is not None
    assert logits.grad is None


class Read(torch.nn.Module):
    """Answers with a table of its values; keeps what it saw."""

    def __init__(self, table):
        super().__init__()
        self.table = torch.nn.Parameter(table)

    def forward(self, x, level, context):
        self.x, self.level = x, level
        return self.table.expand(x.shape)


def test_an_energy_is_read_at_the_values_told_alone():
    table = torch.tensor([[[1.0, 2.0, 3.0]], [[10.0, 20.0, 30.0]], [[100.0, 200.0, 300.0]]])
    energy = TokenEnergy(Read(table), Masked(values=(3,)))
    shown = torch.tensor([[[2], [MASK], [MASK]]])
    told = torch.tensor([[[2], [3], [1]]])
    some = torch.tensor([[[2], [3], [MASK]]])
    assert float(energy(told, torch.zeros(1), shown, Context()).detach()) == -130.0
    assert float(energy(some, torch.zeros(1), shown, Context()).detach()) == -30.0
    assert float(energy(shown, torch.zeros(1), shown, Context()).detach()) == 0.0


def test_networks_see_which_tokens_are_tried():
    network = Read(torch.zeros(3))
    energy = TokenEnergy(network, Masked(values=(3,)))
    shown = torch.tensor([[[2, 1], [MASK, 3], [MASK, MASK]]])
    energy(torch.tensor([[[2, 1], [3, 3], [1, MASK]]]), torch.zeros(1), shown, Context())
    ones = [[0, 1, 0], [1, 0, 0]], [[0, 0, -1], [0, 0, 1]], [[-1, 0, 0], [0, 0, 0]]
    assert network.x[0].tolist() == [list(frame) for frame in ones]
    torch.testing.assert_close(network.level, torch.tensor([[20.0, 0.0, -20.0]]))


def test_it_is_a_part_of_the_objective_of_tokens():
    found = MaskedCrossEntropy.model_validate({"energy": {"kind": "noise_contrastive", "candidates": 3}})
    assert found.energy == NoiseContrastive(candidates=3)
    assert MaskedCrossEntropy().energy is None
