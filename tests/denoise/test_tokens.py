"""The denoiser of tokens and its objective, against exact conditionals and the chain rule."""

import itertools
import math

import pytest
import torch
from scipy.stats import chi2

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.denoise import ChainOracle, MaskedCrossEntropy, TokenDenoiser
from rheos.process import Masked, Process
from rheos.process.masked import MASK

FRAMES = 3
CLIPS = torch.tensor(list(itertools.product((1, 2), repeat=FRAMES)))
CHAIN = ChainOracle(
    torch.tensor([0.6, 0.4], dtype=torch.float64),
    torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64),
)
FALSE_ALARM = 1e-6


class Joint:
    """Exact conditionals of any law of a few binary tokens, by enumeration."""

    process = Masked(values=(2,))

    def __init__(self, law):
        self.law = law

    def __call__(self, tokens, context=None):
        agrees = ((CLIPS[None] == tokens[:, None, :, 0]) | (tokens[:, None, :, 0] == MASK)).all(2)
        weight = self.law * agrees
        is_value = (CLIPS[:, :, None] == torch.arange(1, 3)).double()
        found = torch.einsum("nc,cfk->nfk", weight / weight.sum(1, keepdim=True), is_value)
        return found.log()[:, :, None]


def bound(denoiser, tokens, history=0):
    """sum_n (1/n) E_{n hidden} sum_hidden -log p, all sets of hidden tokens enumerated."""
    future, total = tokens.shape[1] - history, 0.0
    for n in range(1, future + 1):
        sets = list(itertools.combinations(range(history, tokens.shape[1]), n))
        for chosen in sets:
            hidden = torch.zeros_like(tokens, dtype=torch.bool)
            hidden[:, list(chosen)] = True
            # The mean over n hidden tokens is already divided by n.
            total += MaskedCrossEntropy.cross_entropy(denoiser, tokens, hidden, Context()) / len(sets)
    return total


def test_the_bound_is_the_likelihood_where_answers_are_exact():
    """Of any joint law, to 1e-12: the chain rule averaged over all orders."""
    law = torch.softmax(torch.randn(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 0)
    found = bound(Joint(law), CLIPS[..., None])
    torch.testing.assert_close(found, -law.log(), atol=1e-12, rtol=0)
    chain = bound(CHAIN, CLIPS[..., None])
    torch.testing.assert_close(chain, -CHAIN.log_prob(CLIPS[..., None]), atol=1e-12, rtol=0)


def test_given_history_it_is_the_likelihood_of_the_future():
    found = bound(CHAIN, CLIPS[..., None], history=1)
    path = CLIPS - 1
    exact = -CHAIN.transition[path[:, :-1], path[:, 1:]].log().sum(1)
    torch.testing.assert_close(found, exact, atol=1e-12, rtol=0)


def test_it_is_a_bound_where_answers_are_wrong():
    law = torch.tensor([0.4, 0.02, 0.1, 0.1, 0.05, 0.13, 0.1, 0.1], dtype=torch.float64)

    def apart(tokens, context=None):
        """Marginals alone, whatever is shown."""
        return Joint(law)(torch.zeros_like(tokens))

    excess = (law * (bound(apart, CLIPS[..., None]) + law.log())).sum()
    assert float(excess) > 0.1


def test_the_loss_hides_any_number_of_tokens_alike_and_any_set_of_them_alike():
    """n is uniform to one clip, as its numbers are stratified; sets by a chi-square."""
    seen, rows = [], 7000

    class Watch:
        process = CHAIN.process

        def __call__(self, tokens, context=None):
            seen.append(tokens == MASK)
            return CHAIN(tokens)

    context = Context(history_frames=1)
    clips = torch.ones(rows, 4, 1)
    loss = MaskedCrossEntropy()(Watch(), clips, context, Key.of(0, rows))
    hidden = seen[0][:, :, 0]
    assert not hidden[:, 0].any()
    count = torch.bincount(hidden.sum(1), minlength=4)
    assert count[0] == 0
    assert float((count[1:] - rows / 3).abs().max()) <= 1
    for n in (1, 2):
        place = (hidden[hidden.sum(1) == n][:, 1:] * torch.tensor([1, 2, 4])).sum(1)
        found = torch.bincount(place, minlength=8).double()
        found = found[found > 0]
        assert len(found) == 3
        value = ((found - found.mean()) ** 2 / found.mean()).sum()
        assert float(value) < chi2.isf(FALSE_ALARM, 2)
    exact = -math.log(0.9 * 0.9 * 0.9) / 3
    assert float(loss.mean()) == pytest.approx(exact, rel=0.02)


def test_a_clip_at_a_time_has_a_law_of_its_own():
    """The n of a lone clip takes every value as the step goes on."""
    counts = []
    clips, context = torch.ones(1, 3, 1), Context()

    class Watch:
        process = CHAIN.process

        def __call__(self, tokens, context=None):
            counts.append(int((tokens == MASK).sum()))
            return CHAIN(tokens)

    for step in range(60):
        MaskedCrossEntropy()(Watch(), clips, context, Key.of(1, 1).at(0, step))
    assert set(counts) == {1, 2, 3}


def test_missing_tokens_are_hidden_and_never_counted():
    mask = torch.ones(1, 3, 1)
    mask[0, 1] = 0.0
    clip = torch.tensor([[[1.0], [77.0], [2.0]]])
    context = Context(history_frames=1, mask=mask)
    loss = MaskedCrossEntropy()(CHAIN, clip, context, Key.of(0, 1))
    twice = (CHAIN.transition @ CHAIN.transition)[0, 1]
    assert float(loss) == pytest.approx(-float(twice.log()), abs=1e-12)
    known = Context(history_frames=3, mask=mask)
    nothing = MaskedCrossEntropy()(CHAIN, clip, known, Key.of(0, 1))
    assert float(nothing) == 0.0


class Table(torch.nn.Module):
    """Logits that are what they are told to be; keeps what it saw."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, x, level, context):
        self.x, self.level = x, level
        return self.logits.expand(x.shape)


def test_answers_are_normalized_and_impossible_values_have_none():
    denoiser = TokenDenoiser(Table(torch.tensor([0.0, 1.0, 5.0])), Masked(values=(3, 2)))
    tokens = torch.tensor([[[MASK, MASK], [3, MASK]]])
    found = denoiser(tokens)
    torch.testing.assert_close(found[0, 0, 0], torch.log_softmax(torch.tensor([0.0, 1.0, 5.0]), 0))
    few = torch.log_softmax(torch.tensor([0.0, 1.0]), 0)
    torch.testing.assert_close(found[0, 0, 1], torch.cat((few, torch.tensor([-torch.inf]))))
    assert found[0, 1, 0].tolist() == [-torch.inf, -torch.inf, 0.0]


def test_networks_see_ones_and_how_much_is_shown():
    network = Table(torch.zeros(3))
    TokenDenoiser(network, Masked(values=(3,)))(torch.tensor([[[1, 2, 3], [MASK, 2, 2], [MASK, MASK, MASK]]]))
    assert network.x[0, 1].tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 0]]
    torch.testing.assert_close(network.level, torch.tensor([[20.0, math.log(2), -20.0]]))


def test_gradients_reach_the_logits_of_hidden_tokens_alone():
    network = Table(torch.zeros(1, 3, 1, 2))
    hidden = torch.tensor([[[False], [True], [False]]])
    denoiser = TokenDenoiser(network, Masked(values=(2,)))
    MaskedCrossEntropy.cross_entropy(denoiser, torch.ones(1, 3, 1).long(), hidden, Context()).sum().backward()
    assert torch.isfinite(network.logits.grad).all()
    assert network.logits.grad[0, :, 0].tolist() == [[0, 0], [-0.5, 0.5], [0, 0]]


def test_what_has_no_tokens_is_refused():
    with pytest.raises(IncompatibleError, match="no tokens"):
        TokenDenoiser(torch.nn.Identity(), Process())
    with pytest.raises(InputError, match="no values"):
        TokenDenoiser(torch.nn.Identity(), Masked())
