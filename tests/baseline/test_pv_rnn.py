"""PV-RNN: beliefs that are expectations cost nothing, causality, Kalman's smoother, and a learned law."""

import numpy as np
import pytest
import torch

from rheos.baseline.learned import PVRNN
from rheos.baseline.learned.coding import PredictiveCoding
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.keys import Key
from rheos.data.dataset import Dataset, Layout, Recording
from rheos.data.generator import GaussianPanel, crps_normal
from rheos.score import crps

F64 = torch.float64
ROWS, FRAMES = 3, 6


def network(taus=(2.0, 5.0), width=4, latent=2):
    torch.manual_seed(0)
    return PredictiveCoding(2, taus, width, latent).double()


def numbers(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def test_beliefs_that_are_expectations_cost_nothing_and_draw_the_same():
    net, noise = network(), numbers(1, ROWS, FRAMES, 2, 2)
    shown, surprise, _ = net(noise, net.blank(ROWS, FRAMES).double())
    assert (surprise == 0).all()
    assert torch.equal(shown, net(noise, None)[0])


def test_the_first_step_expects_a_standard_normal():
    """Its belief is N(tanh(a), exp(r)^2), whatever the weights are."""
    net, noise = network(), numbers(1, ROWS, FRAMES, 2, 2)
    free = net.blank(ROWS, FRAMES).double()
    free[:, 0] = numbers(2, ROWS, 2, 4)
    _, surprise, _ = net(noise, free)
    mean, scale = torch.tanh(free[:, 0, :, :2]), free[:, 0, :, 2:]
    expected = 0.5 * (torch.exp(2 * scale) + mean**2 - 1 - 2 * scale).sum(-1)
    torch.testing.assert_close(surprise[:, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("step", [0, 2, FRAMES - 1])
def test_one_surprise_costs_at_its_own_step_alone(step):
    """With beliefs other than expected at one step only, KL and its gradient there are those of that step."""
    net, noise = network(), numbers(1, ROWS, FRAMES, 2, 2)
    free = net.blank(ROWS, FRAMES).double()
    free[:, step] = numbers(2, ROWS, 2, 4)
    free.requires_grad_()
    _, surprise, _ = net(noise, free)
    others = [frame for frame in range(FRAMES) if frame != step]
    assert (surprise[:, others] == 0).all()
    assert (surprise[:, step] > 0).all()
    whole = torch.autograd.grad(surprise.sum(), free, retain_graph=True)[0]
    own = torch.autograd.grad(surprise[:, step].sum(), free)[0]
    torch.testing.assert_close(whole, own, rtol=0, atol=1e-12)
    assert (own[:, step + 1 :] == 0).all()


def test_what_comes_later_changes_nothing_before():
    net, noise = network(), numbers(1, ROWS, FRAMES, 2, 2)
    free = numbers(2, ROWS, FRAMES, 2, 4)
    shown = net(noise, free)[0]
    free[:, 3] += 1.0
    changed = net(noise, free)[0]
    assert torch.equal(changed[:, :3], shown[:, :3])
    assert (changed[:, 3:] != shown[:, 3:]).all()


def test_a_run_in_two_parts_is_one_run():
    net, noise, free = network(), numbers(1, ROWS, FRAMES, 2, 2), numbers(2, ROWS, FRAMES, 2, 4)
    shown, surprise, state = net(noise, free)
    first, one, between = net(noise[:, :4], free[:, :4])
    second, other, end = net(noise[:, 4:], free[:, 4:], between)
    torch.testing.assert_close(torch.cat((first, second), 1), shown, rtol=0, atol=1e-14)
    torch.testing.assert_close(torch.cat((one, other), 1), surprise, rtol=0, atol=1e-14)
    torch.testing.assert_close(end, state, rtol=0, atol=1e-14)


def test_layers_are_leaky_integrators_of_their_neighbors():
    """One step by hand, with three layers."""
    net, noise = network((2.0, 4.0, 8.0)), numbers(1, ROWS, 1, 3, 2)
    state = tuple(numbers(5 + n, ROWS, 4) for n in range(3))
    _, _, after = net(noise, None, state)
    d = [torch.tanh(h) for h in state]
    for n, (tau, layer) in enumerate(zip((2.0, 4.0, 8.0), net.layers, strict=True)):
        mean, scale = layer.expects(d[n]).chunk(2, -1)
        z = torch.tanh(mean) + scale.exp() * noise[:, 0, n]
        near = torch.cat([d[m] for m in (n - 1, n + 1) if 0 <= m < 3], 1)
        pushed = d[n] @ layer.recur.weight.T + layer.recur.bias
        pushed = pushed + z @ layer.driven.weight.T + near @ layer.around.weight.T
        torch.testing.assert_close(after[n], (1 - 1 / tau) * state[n] + pushed / tau, rtol=0, atol=1e-14)


def test_error_regression_ends_at_kalman_s_smoother():
    """d_k = a d_{k-1} + z_k, x_k = c d_k + N(0, r), z ~ N(0, 1), identity for tanh: w = 2 r."""
    a, c, r, frames = 0.8, 1.3, 0.25, 4
    net = PredictiveCoding(1, (1.0,), 1, 1, squash=lambda value: value).double()
    with torch.no_grad():
        layer = net.layers[0]
        for weight, value in (
            (layer.recur.weight, a),
            (layer.recur.bias, 0.0),
            (layer.driven.weight, 1.0),
            (layer.expects.weight, 0.0),
            (net.shown.weight, c),
            (net.shown.bias, 0.0),
        ):
            weight.fill_(value)
    seen = numbers(9, 2, frames, 1)
    method = PVRNN(meta_prior=2 * r, regression=700, rate=0.02)
    context = Context(history_frames=frames, history=seen, mask=torch.ones_like(seen))
    free = method.regress(net, seen, context, torch.zeros(2, frames, 1, 1, dtype=F64))
    path = torch.tensor(
        [[a ** (k - j) if k >= j else 0.0 for j in range(frames)] for k in range(frames)]
    ).double()
    gain = path.T @ path * c**2 / r + torch.eye(frames, dtype=F64)
    smoothed = torch.linalg.solve(gain, path.T @ (c * seen[..., 0] / r).T).T
    torch.testing.assert_close(free[:, :, 0, 0], smoothed, rtol=0, atol=1e-3)
    # Where nothing is drawn the loss leaves r to the KL alone, whose least is the expected scale.
    torch.testing.assert_close(free[:, :, 0, 1], torch.zeros(2, frames, dtype=F64), rtol=0, atol=1e-6)
    gap = context.mask.clone()
    gap[:, 2:] = 0.0
    free = method.regress(
        net,
        seen,
        Context(history_frames=frames, history=seen, mask=gap),
        torch.zeros(2, frames, 1, 1).double(),
    )
    torch.testing.assert_close(free[:, 2:], torch.zeros_like(free[:, 2:]), rtol=0, atol=1e-6)


def test_it_learns_the_law_of_an_autoregression():
    """CRPS nearer to the exact conditional law's than to the law of all values, same windows."""
    law = GaussianPanel(frames=700, channels=1, memory=10.0)
    values = law.generate(seed=3).recordings[0].values
    data = Dataset(layout=Layout(channels=("x",)), recordings=(Recording.of(values[:600]),))
    method = PVRNN(history=5, steps=300, width=16, taus=(2.0,), regression=40, batch=512, meta_prior=0.02)
    fitted, origins = method.fit(data, 2), np.arange(600, 696, 6)
    truth = np.stack([values[o : o + 2, 0] for o in origins])
    drawn = [fitted.forecast(Recording.of(values[:o]), o, Key.of(0, 30, "", str(o)))[..., 0] for o in origins]
    ours = crps(np.stack(drawn, 1), truth).mean()
    memory = law.persistence ** np.arange(1, 3)
    exact = crps_normal(memory * values[origins - 1], np.sqrt(1 - memory**2), truth).mean()
    blind = crps_normal(np.zeros_like(truth), np.ones(2), truth).mean()
    assert ours < 0.5 * (exact + blind)
    one = fitted.forecast(Recording.of(values), 650, Key.of(0, 5))
    again = fitted.forecast(Recording.of(values[:650]), 650, Key.of(0, [4, 2]))
    np.testing.assert_allclose(again, one[[4, 2]], atol=1e-3)


def test_fields_are_refused():
    layout = Layout(kind="field", dims=("channel", "y", "x"), channels=("c",))
    data = Dataset(layout=layout, recordings=(Recording.of(np.zeros((60, 1, 3, 3))),))
    with pytest.raises(InputError, match="forecasts tables"):
        PVRNN(steps=1).fit(data, 3)
