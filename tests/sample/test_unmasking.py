"""Samplers of masked tokens against the exact law of a Markov chain.

Chi-square tests are at a false-alarm rate of 1e-6 each, on fixed seeds; each is shown to see a wrong law.
"""

import itertools

import pytest
import torch
from scipy.stats import chi2, kstest

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key
from rheos.denoise import ChainOracle, GaussianOracle
from rheos.process import Masked, Process
from rheos.process.masked import MASK
from rheos.sample.unmasking import (
    UNMASKINGS,
    Ancestral,
    EnergyCorrection,
    FirstHitting,
    categorical,
    relative_to,
    sample_tokens,
)

FALSE_ALARM = 1e-6
ROWS, HISTORY, FUTURE = 10000, 1, 4
CHAIN = ChainOracle(
    torch.tensor([0.5, 0.3, 0.2]), torch.tensor([[0.8, 0.15, 0.05], [0.1, 0.1, 0.8], [0.3, 0.6, 0.1]])
)
OUTCOMES = torch.tensor(list(itertools.product((1, 2, 3), repeat=FUTURE)))


PATTERNS = torch.tensor(list(itertools.product(range(4), repeat=HISTORY + FUTURE)))
ANSWERS = CHAIN(PATTERNS[..., None])[:, :, 0]


def table(tokens, given):
    """The oracle's answers, each computed once."""
    place = (tokens[..., 0] * 4 ** torch.arange(HISTORY + FUTURE - 1, -1, -1)).sum(1)
    return ANSWERS[place][:, :, None]


def context(rows=ROWS, first=2):
    return Context(history_frames=HISTORY, history=torch.full((rows, HISTORY, 1), float(first)))


def drawn(sampler, seed=0, rows=ROWS, **options):
    shape = (rows, HISTORY + FUTURE, 1)
    options = {"process": CHAIN.process} | options
    return sample_tokens(
        table, shape, key=Key.of(seed, rows), context=context(rows), sampler=sampler, **options
    )


def counts(clips):
    """How often each outcome of the future came, in the order of OUTCOMES."""
    digits = (clips[:, HISTORY:, 0] - 1).long()
    place = (digits * 3 ** torch.arange(FUTURE - 1, -1, -1)).sum(1)
    return torch.bincount(place, minlength=len(OUTCOMES)).double()


def exact():
    """Law of the future given the history, written out as a product of transitions."""
    path = torch.cat((torch.full((len(OUTCOMES), 1), 2), OUTCOMES), 1) - 1
    return CHAIN.transition[path[:, :-1], path[:, 1:]].prod(1)


def chi_square(found, expected):
    """Whether counts fit expected ones, cells of less than 5 together."""
    rare = expected < 5
    if rare.any():
        found, expected = (torch.cat((x[~rare], x[rare].sum()[None])) for x in (found, expected))
    value = ((found - expected) ** 2 / expected).sum()
    return float(value) < chi2.isf(FALSE_ALARM, len(expected) - 1)


@pytest.mark.parametrize("sampler", [FirstHitting(), Ancestral(steps=200)], ids=str)
def test_the_law_is_that_of_the_chain(sampler):
    assert chi_square(counts(drawn(sampler).clips), ROWS * exact())


def test_first_hitting_and_ancestral_draw_the_same_law():
    """Independent draws of both, 10^4 steps: chi-square of homogeneity of two samples of one size."""
    both = ((FirstHitting(), 1), (Ancestral(steps=10**4), 2))
    one, other = (counts(drawn(sampler, seed, 1000).clips) for sampler, seed in both)
    kept = one + other >= 10
    value = ((one - other)[kept] ** 2 / (one + other)[kept]).sum()
    assert float(value) < chi2.isf(FALSE_ALARM, int(kept.sum()) - 1)


@pytest.mark.parametrize("sampler", [FirstHitting(most=1), FirstHitting(most=2), Ancestral(steps=2)], ids=str)
def test_the_test_sees_tokens_told_together(sampler):
    assert not chi_square(counts(drawn(sampler).clips), ROWS * exact())


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_where_no_two_tokens_share_a_step_both_give_the_same_clips(power):
    process = Masked(values=(3,), power=power)
    one, other = (drawn(s, rows=64, process=process).clips for s in (FirstHitting(), Ancestral(steps=10**7)))
    assert torch.equal(one, other)


def test_a_hidden_token_is_told_with_the_published_probability():
    """(alpha_s - alpha_t) / (1 - alpha_t), over evenly spread numbers and exact to one of them."""
    process, n = Masked(values=(2,), power=2.0), 100000
    w = ((torch.arange(n, dtype=torch.float64) + 0.5) / n)[None]
    rounds = Ancestral(steps=5).rounds(process, w, torch.ones(1, n, dtype=torch.bool))
    for step in range(5):
        t, s = (process.alpha(torch.tensor(1 - (step + i) / 5, dtype=torch.float64)) for i in (0, 1))
        hidden = rounds >= step
        told = float((rounds == step).sum() / hidden.sum())
        assert told == pytest.approx(float((s - t) / (1 - t)), abs=3 / n * 5)


def test_times_of_first_hitting_are_those_of_the_recursion():
    """The k-th event of n tokens is t U^(1/n), t U'^(1/(n-1)) ...: the first has mean n / (n + 1)."""
    n, rows, process = 4, 4000, Masked(values=(2,))
    w = Key.of(5, rows).uniform((n,))
    order = FirstHitting().rounds(process, w, torch.ones(rows, n, dtype=torch.bool))
    times = torch.zeros(rows, n, dtype=torch.float64).scatter(1, order, process.hidden_at(w))
    deviation = (n / (n + 1) ** 2 / (n + 2) / rows) ** 0.5
    assert abs(float(times[:, 0].mean()) - n / (n + 1)) < 5 * deviation
    before = torch.cat((torch.ones(rows, 1, dtype=torch.float64), times[:, :-1]), 1)
    for left, ratio in zip(range(n, 0, -1), (times / before).unbind(1), strict=True):
        assert kstest(ratio**left, "uniform").pvalue > FALSE_ALARM
    assert chi_square_uniform(order.argmin(1), n)


def chi_square_uniform(chosen, n):
    found = torch.bincount(chosen, minlength=n).double()
    return chi_square(found, torch.full((n,), len(chosen) / n, dtype=torch.float64))


def test_calls_are_those_that_tell_something():
    assert drawn(FirstHitting(), rows=8).evaluations == FUTURE == FirstHitting().calls(FUTURE)
    assert drawn(FirstHitting(most=2), rows=8).evaluations == 2 == FirstHitting(most=2).calls(FUTURE)
    assert drawn(Ancestral(steps=10**6), rows=1).evaluations == FUTURE
    assert FirstHitting(most=3).calls(7) == 3
    assert FirstHitting(most=4).calls(6) == 3


@pytest.mark.parametrize("sampler", [FirstHitting(), FirstHitting(most=2), Ancestral(steps=7)], ids=str)
def test_a_member_has_the_same_tokens_whoever_is_beside_it(sampler):
    every = drawn(sampler, rows=7).clips
    key = Key.of(0, [5, 2])
    some = sample_tokens(CHAIN, (2, 5, 1), key=key, context=context(2), sampler=sampler).clips
    assert torch.equal(some, every[[5, 2]])


def test_samplers_are_in_the_registry():
    assert {s.name() for s in UNMASKINGS} == {"first_hitting", "ancestral"}


def test_missing_history_stays_hidden_and_missing_futures_are_not_told():
    mask = torch.ones(3, 4, 1)
    mask[:, 1], mask[0, 3] = 0.0, 0.0
    history = torch.full((3, 2, 1), 2.0)
    history[:, 1] = 0.0
    seen = []

    def watch(tokens, given):
        seen.append(tokens.clone())
        return CHAIN(tokens, given)

    got = sample_tokens(
        watch,
        (3, 4, 1),
        key=Key.of(3, 3),
        process=CHAIN.process,
        context=Context(history_frames=2, history=history, mask=mask),
    )
    assert all(bool((tokens[:, 1] == MASK).all()) for tokens in seen)
    assert torch.equal(got.clips[:, :2], history)
    assert torch.isnan(got.clips[0, 3, 0])
    assert bool(torch.isfinite(got.clips[1:, 2:]).all())


def test_no_future_takes_no_call():
    known = Context(history_frames=2, history=torch.ones(1, 2, 1))
    got = sample_tokens(CHAIN, (1, 2, 1), key=Key.of(0, 1), context=known)
    assert got.evaluations == 0
    assert got.clips.tolist() == [[[1.0], [1.0]]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_value_has_its_share_of_the_numbers(dtype):
    """Exact to one number a value."""
    n = 1 << 18
    w = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    p = torch.tensor([0.0, 3e-5, 0.2, 0.0, 1e-5, 0.0, 0.0], dtype=torch.float64)
    p[5] = 1 - p.sum()
    found = torch.bincount(categorical(p.log().to(dtype).expand(n, -1), w), minlength=7).double()
    assert float((found - n * p).abs().max()) <= 1.0 + (dtype == torch.float32)
    assert found[p == 0].sum() == 0


def test_the_ends_of_the_numbers_draw_what_is_possible():
    rare = torch.tensor([-torch.inf, -20.0, 0.0, -torch.inf])
    ends = torch.tensor([2.0**-33, 1 - 2.0**-33], dtype=torch.float64)
    assert categorical(rare.expand(2, -1), ends).tolist() == [1, 2]


def test_what_does_not_go_together_is_refused():
    with pytest.raises(IncompatibleError, match="has no tokens to tell"):
        sample_tokens(GaussianOracle(torch.zeros(2), torch.eye(2), Process()), (1, 2, 1), key=Key.of(0, 1))
    with pytest.raises(InputError, match="2 rows"):
        sample_tokens(CHAIN, (1, 2, 1), key=Key.of(0, 2))


TOGETHER = {"sampler": FirstHitting(most=1), "rows": 3000}
EXACT = relative_to(CHAIN.log_prob)


def test_energies_restore_what_tokens_told_together_do_not_know():
    """E = log p_theta - log p_true: the law of all tokens told by one call goes to the chain's own."""
    corrected = drawn(**TOGETHER, energy=EnergyCorrection(EXACT, candidates=100))
    assert corrected.evaluations == 1
    assert chi_square(counts(corrected.clips), 3000 * exact())
    assert not chi_square(counts(drawn(**TOGETHER).clips), 3000 * exact())


def test_one_candidate_corrects_nothing():
    """The law is that of independent draws: marginals of the chain given the history."""
    found = counts(drawn(**TOGETHER, energy=EnergyCorrection(EXACT, candidates=1)).clips)
    laws = ANSWERS[(torch.tensor([2, 0, 0, 0, 0]) == PATTERNS).all(1)][0, HISTORY:].exp()
    apart = torch.einsum("a,b,c,d->abcd", *laws).flatten()
    assert chi_square(found, 3000 * apart)
    assert not chi_square(found, 3000 * exact())


def test_a_low_energy_is_chosen():
    """Of two candidates by softmax(-E): where the difference is 40 nats the lower one, always."""

    def odd(clips, own, tokens, given):
        return 40.0 * (clips[:, HISTORY, 0] != 1)

    both = drawn(FirstHitting(most=1), rows=400, energy=EnergyCorrection(odd, candidates=2)).clips
    law = float(ANSWERS[(torch.tensor([2, 0, 0, 0, 0]) == PATTERNS).all(1)][0, HISTORY, 0].exp())
    share = float((both[:, HISTORY, 0] == 1).double().mean())
    assert share == pytest.approx(1 - (1 - law) ** 2, abs=5 * (0.25 / 400) ** 0.5)


def test_corrected_members_have_the_same_tokens_whoever_is_beside_them():
    energy = EnergyCorrection(EXACT, candidates=3)
    every = drawn(FirstHitting(most=2), rows=6, energy=energy).clips
    some = sample_tokens(
        CHAIN,
        (2, 5, 1),
        key=Key.of(0, [4, 1]),
        context=context(2),
        sampler=FirstHitting(most=2),
        energy=energy,
    ).clips
    assert torch.equal(some, every[[4, 1]])
    with pytest.raises(InputError, match="at least one candidate"):
        EnergyCorrection(EXACT, candidates=0)
