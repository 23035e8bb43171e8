import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.network import CausalSeriesNetwork, SeriesNetwork, Shapes
from rheos.network.inputs import token_inputs


@pytest.mark.parametrize(
    ("history", "horizon", "patch"), [(0, 1, None), (1, 1, 4), (5, 4, 3), (7, 1, 8), (24, 24, None)]
)
@pytest.mark.parametrize("batch", [1, 3])
def test_takes_any_number_of_frames(case, awake, history, horizon, patch, batch):
    full = case(batch=batch, history=history, horizon=horizon, channels=3)
    network = awake(SeriesNetwork(width=8, depth=1, heads=2, rank=4, patch=patch).build(full.shapes))
    answer = full.answer(network)
    assert answer.shape == full.x.shape
    # Every entry of the clip reaches its own answer, whatever the padding.
    moved = full.changed(mask=None, x=full.x + 1.0).answer(network) - full.changed(mask=None).answer(network)
    assert (moved.abs() > 1e-9).all()


def test_no_patch_holds_both_history_and_future(small_series):
    for history, horizon in ((5, 4), (4, 5), (3, 3), (4, 4)):
        network = small_series.build(Shapes(history=history, horizon=horizon, channels=1))
        frames = torch.arange(1.0, history + horizon + 1)[:, None]
        for patch in network._patches(frames):
            real = patch[patch > 0]
            assert (real <= history).all() or (real > history).all()


def test_about_sixteen_patches_by_default():
    for frames in range(24, 200, 7):
        network = SeriesNetwork(width=8, depth=1, heads=1).build(
            Shapes(history=frames // 2, horizon=frames - frames // 2, channels=1)
        )
        patches = network._patches(torch.zeros(frames, 1)).shape[0]
        assert 12 <= patches <= 26


def test_channels_may_change_places_with_their_embeddings(case, awake, small_series):
    full = case(channels=4)
    network = awake(small_series.build(full.shapes))
    order = torch.tensor([2, 0, 3, 1])
    names = ("history", "mask", "lagged", "anchor", "anchor_scale")
    moved = full.changed(
        x=full.x[..., order], **{name: getattr(full.context, name)[..., order] for name in names}
    )
    expected = full.answer(network)[..., order]
    with_own_place = moved.answer(network)
    with torch.no_grad():
        network.embed_channel.copy_(network.embed_channel[order])
    torch.testing.assert_close(moved.answer(network), expected, rtol=0, atol=1e-10)
    assert (with_own_place - expected).abs().max() > 1e-3


def test_channels_see_each_other(case, awake, small_series):
    full = case(channels=3).changed(mask=None)
    network = awake(small_series.build(full.shapes))
    x = full.x.clone()
    x[..., 0] += 1.0
    assert (full.changed(x=x).answer(network) - full.answer(network))[..., 1:].abs().min() > 1e-9


def bytes_kept(channels: int) -> int:
    """Bytes kept for the backward pass, each storage counted once."""
    network = SeriesNetwork(width=16, depth=2, heads=2, rank=8, patch=4, recompute=False).build(
        Shapes(history=4, horizon=4, channels=channels)
    )
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = torch.randn(2, 8, channels, generator=torch.Generator().manual_seed(0))
    with saved_tensors_hooks(note, lambda tensor: tensor):
        network(x, torch.zeros(2, 8), Context(history_frames=4))
    return sum(kept.values())


def test_memory_grows_linearly_with_channels():
    small, middle, large = (bytes_kept(channels) for channels in (50, 100, 200))
    assert (large - middle) / (middle - small) == pytest.approx(2.0, rel=0.05)


def test_recomputing_changes_no_gradient(case, awake, small_series):
    full = case()
    gradients = []
    for recompute in (False, True):
        network = awake(small_series.model_copy(update={"recompute": recompute}).build(full.shapes))
        full.answer(network).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-10, atol=1e-10)


def test_recomputes_where_tokens_are_many():
    def recomputes(channels):
        return (
            SeriesNetwork(width=8, depth=1, heads=1)
            .build(Shapes(history=24, horizon=24, channels=channels))
            .recompute
        )

    assert recomputes(2000)
    assert not recomputes(20)


def test_reaches_the_exact_denoiser_of_a_gaussian_process():
    """AR(1) clips with clean history: the trained error is the exact posterior variance, within 10 %."""
    history, frames, rho = 4, 8, 0.9
    distance = (torch.arange(frames)[:, None] - torch.arange(frames)[None]).abs()
    root = torch.linalg.cholesky(rho ** distance.double()).float()
    generator = torch.Generator().manual_seed(0)
    network = SeriesNetwork(width=16, depth=1, heads=2, rank=16, patch=2).build(
        Shapes(history=history, horizon=frames - history, channels=1)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=400)

    def draw(batch, log_snr):
        clip = torch.randn(batch, frames, generator=generator) @ root.T
        noise = torch.randn(batch, frames, generator=generator)
        alpha, sigma = torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()
        x = alpha[:, None] * clip + sigma[:, None] * noise
        x[:, :history] = clip[:, :history]
        level = log_snr[:, None].repeat(1, frames)
        level[:, :history] = 20.0
        answer = network(x[..., None], level, Context(history_frames=history))[..., 0]
        return (answer - clip)[:, history:].square()

    for _ in range(400):
        optimizer.zero_grad()
        draw(256, 6 * torch.rand(256, generator=generator) - 3).mean().backward()
        optimizer.step()
        schedule.step()
    for log_snr in (-3.0, 0.0, 2.0):
        with torch.no_grad():
            error = draw(8192, torch.full((8192,), log_snr)).mean().item()
        noise = torch.full((frames,), torch.e**-log_snr, dtype=torch.float64)
        noise[:history] = 0.0
        prior = (rho**distance).double()
        posterior = prior - prior @ torch.linalg.solve(prior + noise.diag(), prior)
        exact = posterior.diagonal()[history:].mean().item()
        assert error == pytest.approx(exact, rel=0.1)


def tokens_of(full, values, seed=3):
    """The case with random tokens in the place of its numbers; 0 is hidden, or a missing lag."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape):
        return torch.randint(0, values + 1, shape, generator=generator)

    clip = torch.nn.functional.one_hot(draw(full.x.shape), values + 1)[..., 1:].double()
    context = {"lagged": draw(full.context.lagged.shape).double(), "history": None, "anchor": None}
    return full.changed(x=clip, anchor_scale=None, **context)


def test_tokens_get_logits_of_their_own_values(case, awake):
    full = case(history=5, horizon=3, channels=2)
    shapes = full.shapes.model_copy(update={"anchor": False, "values": 4})
    network = awake(SeriesNetwork(width=8, depth=1, heads=2, rank=4, patch=3).build(shapes))
    told = tokens_of(full, 4)
    answer = told.answer(network)
    assert answer.shape == (2, 8, 2, 4)
    # Each frame, channel and value of the clip and of the lags reaches the answers.
    for name, place in (("x", (0, 6, 1, 2)), ("x", (0, 1, 0, 0)), ("lagged", (0, 3, 1, 1))):
        value = (told.x if name == "x" else told.context.lagged).clone()
        value[place] = 1 - value[place] if name == "x" else (value[place] + 1) % 5
        moved = told.changed(**{name: value}).answer(network) - answer
        assert (moved[0].abs() > 1e-12).all()
        assert (moved[1] == 0).all()


def test_a_network_for_tokens_refuses_numbers_and_others_refuse_tokens(case, small_field):
    full = case(history=5, horizon=3, channels=2)
    shapes = full.shapes.model_copy(update={"anchor": False, "values": 4})
    network = SeriesNetwork(width=8, depth=1, heads=2, rank=4).build(shapes)
    with pytest.raises(IncompatibleError, match="tokens with 4 values"):
        network(full.x.float(), full.level.float(), Context())
    for other in (CausalSeriesNetwork(), small_field):
        with pytest.raises(IncompatibleError, match="these hold tokens"):
            other.build(shapes)


def test_inputs_of_tokens_by_hand():
    """The mask, the clip's values, the lag's: token 2 after token 1, then hidden after missing."""
    shapes = Shapes(history=1, horizon=1, channels=1, values=2, lags=1)
    x = torch.tensor([[[[0.0, 1.0]], [[0.0, 0.0]]]])
    mask, lagged = torch.tensor([[[1.0], [0.0]]]), torch.tensor([[[[1.0]], [[0.0]]]])
    found = token_inputs(x, Context(mask=mask, lagged=lagged), shapes)
    assert found.shape == (1, 2, shapes.entry_inputs, 1)
    assert found[0, :, :, 0].tolist() == [[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]]
