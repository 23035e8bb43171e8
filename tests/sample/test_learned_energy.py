"""An energy learned from draws corrects tokens told together: to the exact law of a chain, by a chi-square.

At a false-alarm rate of 1e-6, on fixed seeds.
"""

import itertools

import pytest
import torch
from scipy.stats import chi2
from scipy.stats.qmc import Sobol

from rheos.core.context import Context
from rheos.core.keys import Key
from rheos.denoise import ChainOracle, NoiseContrastive, TokenEnergy
from rheos.sample.unmasking import EnergyCorrection, FirstHitting, sample_tokens

FALSE_ALARM, ROWS, FUTURE = 1e-6, 4000, 3
CHAIN = ChainOracle(torch.tensor([0.5, 0.5]), torch.tensor([[0.9, 0.1], [0.3, 0.7]]))
OUTCOMES = torch.tensor(list(itertools.product((1, 2), repeat=FUTURE)))


class Table(torch.nn.Module):
    """A number of every pattern of shown, tried and hidden tokens: any energy there is."""

    def __init__(self):
        super().__init__()
        self.values = torch.nn.Parameter(torch.zeros(5 ** (1 + FUTURE), dtype=torch.float64))

    def forward(self, x, level, context):
        signed = (x[:, :, 0].double() @ torch.tensor([1.0, 2.0], dtype=torch.float64)).long() + 2
        place = (signed * 5 ** torch.arange(FUTURE, -1, -1)).sum(1)
        return self.values[place].reshape(-1, 1, 1, 1).expand(x.shape)


def path(start):
    return torch.cat((torch.full((len(OUTCOMES), 1), start), OUTCOMES), 1)


def exact(start=1):
    before, after = path(start)[:, :-1] - 1, path(start)[:, 1:] - 1
    return CHAIN.transition[before, after].prod(1)


def known(rows):
    return Context(history_frames=1, history=torch.ones(rows, 1, 1))


def answers(tokens, context=None):
    """The oracle's, where all clips show the same."""
    return CHAIN(tokens[:1]).expand(len(tokens), -1, -1, -1)


@pytest.fixture(scope="module")
def energy():
    """Learned from 2^14 clips whose shares of outcomes are exact to a clip, against draws spread evenly."""
    rows = 1 << 14
    clips = path(1).repeat_interleave((rows * exact()).round().long(), 0)[..., None]
    even = torch.from_numpy(Sobol(1 + FUTURE, scramble=False).random(rows)) + 0.5 / rows
    w = even[: len(clips), :, None]
    hidden = torch.arange(1 + FUTURE).reshape(1, -1, 1).expand(clips.shape) > 0
    learned = TokenEnergy(Table(), CHAIN.process)
    newton = torch.optim.LBFGS(learned.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        newton.zero_grad()
        loss = NoiseContrastive.contrast(learned, answers, clips, hidden, w, known(len(clips))).mean()
        loss.backward()
        return loss

    newton.step(closure)
    return learned


def drawn(energy, candidates=60, sign=1.0):
    def signed(*asked):
        return sign * energy(*asked)

    correction = None if energy is None else EnergyCorrection(signed, candidates)
    clips = sample_tokens(
        answers,
        (ROWS, 1 + FUTURE, 1),
        key=Key.of(1, ROWS),
        process=CHAIN.process,
        context=known(ROWS),
        sampler=FirstHitting(most=1),
        energy=correction,
    ).clips
    place = ((clips[:, 1:, 0] - 1).long() * 2 ** torch.arange(FUTURE - 1, -1, -1)).sum(1)
    return torch.bincount(place, minlength=len(OUTCOMES)).double()


def fits(found):
    expected = ROWS * exact()
    return float(((found - expected) ** 2 / expected).sum()) < chi2.isf(FALSE_ALARM, len(expected) - 1)


def test_the_learned_energy_is_the_log_density_ratio(energy):
    """-E = log p - log p_theta of what is told, to the unevenness of the draws it is learned from."""
    clips, shown = path(1)[..., None], torch.zeros(len(OUTCOMES), 1 + FUTURE, 1, dtype=torch.int64)
    shown[:, 0] = 1
    apart = CHAIN(shown)[:, 1:, 0].gather(-1, OUTCOMES[..., None] - 1).sum((1, 2))
    found = energy(clips, apart, shown, known(len(clips))).detach().double()
    torch.testing.assert_close(found, apart - exact().log(), atol=0.05, rtol=0)


def test_with_it_tokens_told_together_have_the_law_of_the_chain(energy):
    assert fits(drawn(energy))


def test_without_it_or_with_its_sign_turned_they_have_not(energy):
    assert not fits(drawn(None))
    assert not fits(drawn(energy, sign=-1.0))
    assert not fits(drawn(energy, candidates=1))
