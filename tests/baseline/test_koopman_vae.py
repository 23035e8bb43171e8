"""Koopman VAE: its linear map, spectrum and divergence on known laws, and a forecast learned from one."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from rheos.baseline.learned import KoopmanVAE
from rheos.baseline.learned.koopman import divergence, growth, linear_map, moduli, oscillation
from rheos.baseline.learned.koopman_vae import LatentWorld
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.generator import GaussianPanel, crps_normal
from rheos.score import crps

F64 = torch.float64


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def turning(angle=0.4, radius=1.0):
    cos, sin = np.cos(angle), np.sin(angle)
    return radius * torch.tensor([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1.0]], dtype=F64)


def rolled(matrix, rows=6, steps=9):
    latents = [drawn(1, rows, len(matrix))]
    for _ in range(steps - 1):
        latents.append(latents[-1] @ matrix)
    return torch.stack(latents, 1)


def test_a_known_map_is_recovered_with_its_spectrum_and_no_error():
    known = drawn(0, 4, 4) / 3
    matrix, error = linear_map(rolled(known))
    torch.testing.assert_close(matrix, known, rtol=0, atol=1e-8)
    assert float(error) < 1e-12
    expected = torch.linalg.eigvals(known).abs().sort(descending=True).values
    torch.testing.assert_close(moduli(matrix), expected, rtol=0, atol=1e-5)


def test_one_step_is_enough_for_a_map_and_none_is_none():
    known = drawn(0, 4, 4) / 3
    matrix, error = linear_map(rolled(known, steps=2))
    torch.testing.assert_close(matrix, known, rtol=0, atol=1e-8)
    assert float(error) < 1e-12
    matrix, error = linear_map(drawn(2, 5, 1, 4))
    assert torch.equal(matrix, torch.eye(4, dtype=F64))
    assert float(error) == 0


def test_the_map_is_least_squares_and_its_error_has_a_gradient():
    latents = drawn(3, 5, 8, 3).requires_grad_()
    matrix, error = linear_map(latents)
    past, following = (part.reshape(-1, 3).detach().numpy() for part in (latents[:, :-1], latents[:, 1:]))
    best, rest = np.linalg.lstsq(past, following, rcond=None)[:2]
    np.testing.assert_allclose(matrix.detach(), best, atol=1e-10)
    assert float(error.detach()) == pytest.approx(rest.sum() / following.size)
    assert torch.autograd.gradcheck(lambda z: linear_map(z)[1], (drawn(4, 3, 4, 2).requires_grad_(),))
    error.backward()
    assert float(latents.grad.abs().sum()) > 0


def test_a_rotation_oscillates_and_grows_at_no_cost():
    assert float(oscillation(turning(), 3)) < 1e-10
    assert float(growth(turning())) < 1e-10
    faded = turning(radius=0.9)
    assert float(oscillation(faded, 2)) == pytest.approx(2 * 0.1**2, rel=1e-3)
    assert float(growth(faded)) < 1e-10
    grown = turning(radius=1.2)
    assert float(growth(grown)) == pytest.approx(3 * 0.2**2, rel=1e-3)
    assert torch.autograd.gradcheck(growth, (grown.requires_grad_(),), atol=1e-4)


def test_the_divergence_is_that_of_normal_laws():
    means, scales = drawn(5, 2, 7), drawn(6, 2, 7) / 2
    expected = kl_divergence(Normal(means[0], scales[0].exp()), Normal(means[1], scales[1].exp()))
    torch.testing.assert_close(
        divergence(means[0], scales[0], means[1], scales[1]), expected, rtol=0, atol=1e-12
    )


METHOD = KoopmanVAE(latent=3, hidden=5, layers=1)


def clips(rows=6):
    torch.manual_seed(0)
    clip = drawn(7, rows, 7, 2).float()
    context = Context(history_frames=3, history=clip[:, :3], mask=torch.ones_like(clip))
    return clip, context, LatentWorld(METHOD, clip, context)


def test_each_term_of_the_loss_by_hand():
    clip, context, world = clips()
    key = Key.of(2, 6)
    with torch.no_grad():
        plain = METHOD.model_copy(update={"kl": 0.0, "linear": 0.0}).loss(world, clip, context, key)
        start = world.start(clip, context)
        latents, mean, log_scale = world.prior(start, key)
        told, told_scale = world.posterior(clip, context)
        terms = {
            "kl": kl_divergence(Normal(told, told_scale.exp()), Normal(mean, log_scale.exp())).sum((1, 2)),
            "linear": linear_map(latents)[1].expand(6),
            "spectrum": growth(linear_map(latents)[0]).expand(6),
        }
        for name, term in terms.items():
            one = METHOD.model_copy(update={"kl": 0.0, "linear": 0.0, name: 0.7})
            torch.testing.assert_close(
                one.loss(world, clip, context, key) - plain, 0.7 * term, rtol=1e-4, atol=1e-5
            )
        swinging = METHOD.model_copy(update={"kl": 0.0, "linear": 0.0, "spectrum": 0.7, "oscillating": 2})
        found = swinging.loss(world, clip, context, key) - plain
        torch.testing.assert_close(found, 0.7 * oscillation(linear_map(latents)[0], 2).expand(6))


def test_the_prior_is_unrolled_on_its_own_samples_from_the_history_alone():
    clip, context, world = clips()
    start, key = world.start(clip, context), Key.of(2, 6)
    latents, mean, log_scale = world.prior(start, key)
    state = start
    for frame in range(4):
        told = world.believed(state)
        torch.testing.assert_close(mean[:, frame], told[:, :3])
        state = world.cell(latents[:, frame], state)
    noise = ((latents - mean) / log_scale.exp()).detach()
    assert float(noise.abs().min()) > 1e-4
    later = clip.clone()
    later[:, 3:] += 1.0
    assert torch.equal(world.start(later, context), start)
    assert not torch.equal(world.posterior(later, context)[0], world.posterior(clip, context)[0])


def test_missing_values_are_neither_read_nor_scored():
    clip, context, world = clips()
    context.mask[:, 1, 0] = 0.0
    context.mask[:, 4, 1] = 0.0
    usual = METHOD.loss(world, clip, context, Key.of(2, 6))
    clip = clip.clone()
    clip[:, 1, 0] = clip[:, 4, 1] = 50.0
    torch.testing.assert_close(METHOD.loss(world, clip, context, Key.of(2, 6)), usual)


def test_it_learns_the_law_of_an_autoregression():
    """CRPS nearer to the exact conditional law's than to the law of all values, same windows."""
    law = GaussianPanel(frames=900, channels=1, memory=8.0)
    values = law.generate(seed=3).recordings[0].values
    data = Dataset(layout=Layout(channels=("x",)), recordings=(Recording.of(values[:800]),))
    method = KoopmanVAE(history=4, steps=300, hidden=16, layers=1, latent=4)
    fitted, origins = method.fit(data, 3), np.arange(800, 896, 4)
    truth = np.stack([values[o : o + 3, 0] for o in origins])
    drawn = [fitted.forecast(Recording.of(values[:o]), o, Key.of(0, 40, "", str(o)))[..., 0] for o in origins]
    ours = crps(np.stack(drawn, 1), truth).mean()
    memory = law.persistence ** np.arange(1, 4)
    exact = crps_normal(memory * values[origins - 1], np.sqrt(1 - memory**2), truth).mean()
    blind = crps_normal(np.zeros_like(truth), np.ones(3), truth).mean()
    assert ours < 0.5 * (exact + blind)
    one = fitted.forecast(Recording.of(values), 850, Key.of(0, 5))
    np.testing.assert_allclose(
        fitted.forecast(Recording.of(values[:850]), 850, Key.of(0, [4, 2])), one[[4, 2]], atol=1e-5
    )


def test_fields_are_refused():
    values = np.zeros((60, 1, 3, 3))
    layout = Layout(kind="field", dims=("channel", "y", "x"), channels=("c",))
    with pytest.raises(InputError, match="forecasts tables"):
        KoopmanVAE(steps=1).fit(Dataset(layout=layout, recordings=(Recording.of(values),)), 3)
