"""Noise whose variables go together: exact covariances, densities and sampling, loadings found again."""

import math

import pytest
import torch
from pydantic import ValidationError

from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.denoise.oracle.gaussian import GaussianOracle
from rheos.process import Process
from rheos.process.noise import AcrossVariables
from rheos.process.recipes import Plain
from rheos.process.schedule import Cosine
from rheos.sample import probe

LOADINGS = ((0.9, 0.0), (0.6, -0.6), (0.0, 0.5), (-0.7, 0.1))
FRAMES, ENTRIES = 3, len(LOADINGS)


def exact():
    """R by hand: products of loadings, ones on the diagonal."""
    rows = [
        [1.0 if i == j else sum(a * b for a, b in zip(v, w, strict=True)) for j, w in enumerate(LOADINGS)]
        for i, v in enumerate(LOADINGS)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def number(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Basis(Key):
    """A key whose rows are the basis vectors of what is drawn."""

    def normal(self, shape, dtype=torch.float32, device="cpu"):
        return torch.eye(math.prod(shape), dtype=dtype).reshape(-1, *shape)


def basis(count):
    key = Key.of(0, count)
    return Basis(key.words, key.member)


@pytest.mark.parametrize("features", [(4,), (1, 2, 2)])
def test_draws_are_an_affine_map_with_that_covariance(features):
    key = basis(FRAMES * ENTRIES)
    columns = AcrossVariables(loadings=LOADINGS).draw(key, (FRAMES, *features), Context(), torch.float64)
    assert columns.shape == (FRAMES * ENTRIES, FRAMES, *features)
    map_ = columns.flatten(1).T
    whole = torch.kron(torch.eye(FRAMES).double(), exact())
    torch.testing.assert_close(map_ @ map_.T, whole, rtol=1e-13, atol=1e-13)


def test_densities_are_those_of_the_normal_law():
    z, noise = number(1, 5, FRAMES, ENTRIES), AcrossVariables(loadings=LOADINGS)
    law = torch.distributions.MultivariateNormal(torch.zeros(ENTRIES).double(), exact())
    torch.testing.assert_close(noise.log_prob(z, Context()), law.log_prob(z).sum(1), rtol=1e-11, atol=1e-11)
    later = noise.log_prob(z[:, 1:], Context(), known=1)
    torch.testing.assert_close(later, law.log_prob(z[:, 1:]).sum(1), rtol=1e-11, atol=1e-11)


def test_loadings_are_found_again_whatever_the_units():
    """From 20000 futures of 2 frames, one entry seen in a quarter: to 0.03, over four standard errors."""
    loading = 0.8 * torch.tensor([1.0, 1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    future = number(2, 20000, 2, 1) * loading + 0.6 * number(3, 20000, 2, 5)
    future[:15000, :, 1] = torch.nan
    history = number(4, 20000, 3, 1).expand(-1, -1, 5)
    clips = torch.cat([history, future], 1) * torch.tensor([3.0, 0.1, 1.0, 20.0, 5.0])
    found = AcrossVariables().learned(clips, 3)
    expected = torch.outer(loading, loading).fill_diagonal_(1.0)
    torch.testing.assert_close(found.across(5), expected, rtol=0, atol=0.03)
    assert len(found.loadings[0]) == 1
    assert Plain(noise=AcrossVariables()).estimate(clips, Key.of(0), 3).noise == found
    assert found.learned(-clips, 0) is found


def test_entries_never_seen_and_a_single_one_are_white():
    clips = number(10, 300, 2, 1).expand(-1, -1, 4).clone()
    clips[:, :, 2] = torch.nan
    found = AcrossVariables.of(clips).across(4)
    torch.testing.assert_close(found[2], torch.tensor([0.0, 0.0, 1.0, 0.0]).double(), rtol=0, atol=1e-6)
    assert found[0, 1] > 0.99
    assert AcrossVariables.of(number(11, 300, 2, 1)).loadings == ((),)


def test_principal_components_of_equal_entries_are_exact():
    """R = (1 - r) I + r 1 1^T has one mode of 1 + (n - 1) r and s^2 = 1 - r: V = sqrt(r) up to a sign."""
    r, n = 0.6, 5
    root = torch.linalg.cholesky((1 - r) * torch.eye(n).double() + r)
    white, _ = torch.linalg.qr(number(5, 400, n))
    clips = (math.sqrt(400) * white @ root.T)[:, None]
    found = AcrossVariables.of(clips).across(n)
    torch.testing.assert_close(found, root @ root.T, rtol=0, atol=2e-6)


def test_two_groups_that_go_together_have_a_mode_each():
    """From 4000 frames, each group's r = 0.64, none between them: to 0.08, over five standard errors."""
    group = torch.arange(6) % 2
    clips = 0.8 * number(12, 4000, 1, 2)[..., group] + 0.6 * number(13, 4000, 1, 6)
    found = AcrossVariables.of(clips)
    assert len(found.loadings[0]) == 2
    expected = (0.64 * (group[:, None] == group).double()).fill_diagonal_(1.0)
    torch.testing.assert_close(found.across(6), expected, rtol=0, atol=0.08)


def test_the_largest_modes_of_chance_are_not_kept():
    """60 independent entries in 300 frames: eigenvalues up to about (1 + 0.2^0.5)^2 = 2.1 say nothing."""
    assert AcrossVariables.of(number(14, 300, 1, 60)).loadings == ((),) * 60


def test_entries_that_do_not_go_together_stay_white_bit_for_bit():
    found = AcrossVariables.of(number(6, 300, 4, 20))
    assert found.loadings == ((),) * 20
    key = Key.of(1, 3)
    drawn = found.draw(key, (FRAMES, 20), Context())
    assert torch.equal(drawn, key.normal((FRAMES, 20)))
    assert torch.equal(AcrossVariables().draw(key, (FRAMES, 20), Context()), drawn)


def test_entries_that_are_the_same_keep_something_of_their_own():
    clips = number(7, 300, 2, 1).expand(-1, -1, 6)
    found = AcrossVariables.of(clips)
    assert [sum(v**2 for v in row) for row in found.loadings] == pytest.approx([0.999] * 6, abs=1e-5)
    assert torch.linalg.eigvalsh(found.across(6)).min() > 5e-4


@pytest.mark.parametrize("preset", ["balanced", "best"])
def test_sampling_from_it_ends_in_the_law_of_the_data(preset):
    """Gaussian data, the exact denoiser: covariance within 1 %, mean within 0.01 deviations."""
    map_ = torch.eye(FRAMES * ENTRIES).double() + 0.4 * number(8, FRAMES * ENTRIES, FRAMES * ENTRIES)
    covariance, mean = map_ @ map_.T / 4, number(9, FRAMES, ENTRIES)
    process = Process(Cosine(), noise=AcrossVariables(loadings=LOADINGS))
    law = probe(GaussianOracle(mean, covariance, process), (FRAMES, ENTRIES), preset=preset)
    assert (law.covariance - covariance).norm() < 0.01 * covariance.norm()
    assert ((law.mean - mean.flatten()).abs() < 0.01 * covariance.diagonal().sqrt()).all()


def test_what_cannot_be_is_refused_in_one_sentence():
    with pytest.raises(InputError, match="up to 4096 variables, and a frame has 5000"):
        AcrossVariables.of(torch.zeros(3, 1, 5000))
    with pytest.raises(InputError, match="has 4 rows, and a frame has 3 entries"):
        AcrossVariables(loadings=LOADINGS).draw(Key.of(0), (2, 3), Context())
    with pytest.raises(ValidationError, match="equally long"):
        AcrossVariables(loadings=((0.5,), (0.5, 0.1)))
    with pytest.raises(ValidationError, match="sum to less than 1"):
        AcrossVariables(loadings=((0.8, 0.7), (0.1, 0.1)))
