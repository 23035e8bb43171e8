"""The chain oracle against enumeration of every clip."""

import itertools

import pytest
import torch

from rheos.core.errors import InputError
from rheos.denoise import ChainOracle
from rheos.process.masked import MASK

INITIAL = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
TRANSITION = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5], [0.3, 0.6, 0.1]], dtype=torch.float64)
FRAMES = 4
CLIPS = torch.tensor(list(itertools.product((1, 2, 3), repeat=FRAMES)))
ORACLE = ChainOracle(INITIAL, TRANSITION)


def joint():
    """p of every clip, as a product."""
    path = CLIPS - 1
    return INITIAL[path[:, 0]] * TRANSITION[path[:, :-1], path[:, 1:]].prod(1)


@pytest.mark.parametrize("shown", list(itertools.product((False, True), repeat=FRAMES)))
def test_posteriors_are_those_of_enumeration(shown):
    """For every set of shown frames and every clip of a probability above 0."""
    shown, law = torch.tensor(shown), joint()
    possible = CLIPS[law > 0]
    tokens = torch.where(shown, possible, MASK)
    agrees = ((CLIPS[None] == possible[:, None]) | ~shown).all(2)
    weight = law * agrees
    is_value = (CLIPS[:, :, None] == torch.arange(1, 4)).double()
    wanted = torch.einsum("nc,cfk->nfk", weight / weight.sum(1, keepdim=True), is_value)
    torch.testing.assert_close(ORACLE(tokens[..., None])[:, :, 0].exp(), wanted, atol=1e-12, rtol=0)
    torch.testing.assert_close(ORACLE.log_prob(tokens[..., None]).exp(), weight.sum(1), atol=1e-12, rtol=0)


def test_features_are_independent_chains():
    tokens = torch.tensor([[[1, MASK], [MASK, 2], [3, MASK]]])
    both, alone = ORACLE(tokens), [ORACLE(tokens[..., i : i + 1]) for i in (0, 1)]
    torch.testing.assert_close(both, torch.cat(alone, 2), atol=0, rtol=0)
    torch.testing.assert_close(
        ORACLE.log_prob(tokens), sum(ORACLE.log_prob(tokens[..., i : i + 1]) for i in (0, 1))
    )


@pytest.mark.parametrize(
    ("initial", "transition"),
    [
        ((0.5, 0.4), ((1.0, 0.0), (0.0, 1.0))),
        ((0.5, 0.5), ((1.5, -0.5), (0.0, 1.0))),
        ((1.0,), ((0.5, 0.5),)),
    ],
)
def test_what_is_no_chain_is_refused(initial, transition):
    with pytest.raises(InputError, match="adds up to 1"):
        ChainOracle(torch.tensor(initial), torch.tensor(transition))
