"""What is turned, mirrored, shifted or reordered before the network is so after it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.denoise.denoiser import Denoiser
from rheos.network import EquivariantNetwork, FieldNetwork, Shapes
from rheos.network.equivariant_block import AmongAgents, Company
from rheos.network.nearest import nearest, others, shares
from rheos.process.recipes import DyDiff

SMALL = EquivariantNetwork(width=16, vectors=8, depth=2, heads=2, rank=6)
P, S = 4, 3
SPATIAL = ("history", "lagged", "anchor")
OF_AGENTS = (*SPATIAL, "mask", "anchor_scale")


@dataclass(frozen=True)
class Case:
    x: Tensor
    level: Tensor
    context: Context

    def answer(self, network: nn.Module) -> Tensor:
        return network(self.x, self.level, self.context)

    @property
    def shapes(self) -> Shapes:
        return Shapes.of(self.x, self.context)

    def changed(self, **values: Tensor | None) -> "Case":
        own = {name: values.pop(name) for name in ("x", "level") if name in values}
        return replace(self, **own, context=replace(self.context, **values))

    def mapped(self, change, spatial: bool = True) -> "Case":
        """The case with `change(values, axis)` made to all that has an axis of agents."""
        names = SPATIAL if spatial else OF_AGENTS
        values = {
            n: change(getattr(self.context, n), n) for n in names if getattr(self.context, n) is not None
        }
        return self.changed(x=change(self.x, "x"), **values)

    def turned(self, turn: Tensor, shift: Tensor) -> "Case":
        """Every place p becomes turn p + shift; lagged values that are missing stay so."""

        def change(places: Tensor, name: str) -> Tensor:
            moved = torch.einsum("ij,...jn->...in", turn, places) + shift[:, None]
            return torch.where((places == 0).all(-2, keepdim=True), 0.0, moved) if name == "lagged" else moved

        return self.mapped(change)

    def reordered(self, order: list[int]) -> "Case":
        static = self.context.static.unflatten(1, (2, -1))[..., order].flatten(1)
        return self.mapped(lambda values, _: values[..., order], spatial=False).changed(static=static)


def make(space: int = 2, agents: int = 5, anchor: bool = True, seed: int = 0, dtype=torch.float64) -> Case:
    """Two clips of agents that come and go."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    frames, features = P + S, (space, agents)
    there = (torch.rand(2, frames, 1, agents, generator=generator) < 0.8).expand(2, frames, *features)
    lags = normal(2, frames, 1, *features) * (torch.rand(2, frames, 1, 1, agents, generator=generator) < 0.8)
    level = 3 * normal(2, 1).repeat(1, frames)
    level[:, :P] = 20.0
    context = Context(
        history_frames=P,
        history=normal(2, P, *features),
        mask=there.double(),
        calendar=normal(2, frames, 2),
        past=normal(2, P, 1),
        static=normal(2, 2 * agents),
        lagged=lags,
        anchor=normal(2, frames, *features) if anchor else None,
        anchor_scale=normal(2, frames, 1, 1).exp().expand(2, frames, *features) if anchor else None,
    )
    return Case(normal(2, frames, *features).to(dtype), level.to(dtype), context.to("cpu", dtype))


def rotation(space: int, seed: int) -> Tensor:
    """A turn, of negative determinant for odd seeds."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((space, space)))
    wanted = -1 if seed % 2 else 1
    turn[:, 0] *= wanted * np.sign(np.linalg.det(turn))
    return torch.from_numpy(turn)


@pytest.mark.parametrize("anchor", [True, False])
@pytest.mark.parametrize("space", [2, 3])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_answers_turn_with_space_and_do_not_see_shifts(awake, space, anchor, dtype, tolerance):
    case = make(space, anchor=anchor, dtype=dtype)
    network = awake(SMALL.build(case.shapes)).to(dtype)
    before = case.answer(network)
    size = before.abs().max()
    for seed in range(4):
        turn = rotation(space, seed).to(dtype)
        shift = torch.randn(space, generator=torch.Generator().manual_seed(seed), dtype=dtype)
        after = case.turned(turn, shift).answer(network)
        torch.testing.assert_close(
            after / size, torch.einsum("ij,bfjn->bfin", turn, before) / size, rtol=0, atol=tolerance
        )
    assert (after - before).abs().max() > 0.1 * size


@pytest.mark.parametrize("anchor", [True, False])
def test_answers_change_places_with_the_agents(awake, anchor):
    case, order = make(anchor=anchor), [3, 0, 4, 1, 2]
    network = awake(SMALL.build(case.shapes))
    torch.testing.assert_close(
        case.reordered(order).answer(network), case.answer(network)[..., order], rtol=0, atol=1e-10
    )


def test_a_denoiser_turns_with_space_and_agents_whatever_the_process_mixes(awake):
    case, order = make(3), [3, 0, 4, 1, 2]
    denoiser = Denoiser(awake(SMALL.build(case.shapes)), DyDiff().build(anchored=True))
    turn, shift = rotation(3, 0), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    u, t = case.x, torch.tensor([0.6, 0.3], dtype=torch.float64)
    before = denoiser(u, t, case.context).mean
    other = case.turned(turn, shift).reordered(order).context
    after = denoiser(torch.einsum("ij,bfjn->bfin", turn, u)[..., order], t, other).mean
    torch.testing.assert_close(
        after, torch.einsum("ij,bfjn->bfin", turn, before)[..., order], rtol=0, atol=1e-10
    )


def test_other_networks_do_not_turn(awake):
    case = make()
    case = case.changed(lagged=None, static=None)
    network = awake(FieldNetwork(base=8, multipliers=(1,), patch=1, detail=4, rank=4).build(case.shapes))
    turn = rotation(2, 0)
    after = case.turned(turn, torch.zeros(2, dtype=torch.float64)).answer(network)
    assert (after - torch.einsum("ij,bfjn->bfin", turn, case.answer(network))).abs().max() > 0.1


def test_answers_zero_at_the_start_and_learns_a_clip_by_heart():
    case = make(seed=2)
    network = SMALL.build(case.shapes).double()
    assert torch.equal(case.answer(network), torch.zeros_like(case.x))
    target = torch.randn(case.x.shape, generator=torch.Generator().manual_seed(5), dtype=case.x.dtype)
    target = target * case.context.mask
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(50):
        optimizer.zero_grad()
        loss = (case.answer(network) - target).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.1 * target.square().mean()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, f"{name} never learns"


def test_every_input_matters_and_the_place_in_the_grid_does_not(awake):
    case = make()
    network = awake(SMALL.build(case.shapes))
    before = case.answer(network)
    names = (
        "x",
        "level",
        "history",
        "mask",
        "calendar",
        "past",
        "static",
        "lagged",
        "anchor",
        "anchor_scale",
    )
    for name in names:
        value = getattr(case, name) if name in ("x", "level") else getattr(case.context, name)
        changed = 1 - value if name == "mask" else value * 0.5 + 0.25
        moved = (case.changed(**{name: changed}).answer(network) - before).abs().max()
        assert moved > 1e-4, f"{name} does not matter"
    placed = case.changed(coordinates=torch.randn(2, 5, dtype=torch.float64))
    assert torch.equal(placed.answer(network), before)


def test_one_agent_far_away_hears_of_the_others(awake):
    case = make().changed(mask=torch.ones_like(make().context.mask))
    network = awake(SMALL.build(case.shapes))
    moved = case.x.clone()
    moved[:, -1, :, 0] += 1.0
    difference = (case.changed(x=moved).answer(network) - case.answer(network)).abs()
    assert (difference.amax((0, 2)) > 1e-6).all(), "agents and frames that hear nothing"


def test_rows_are_independent(awake):
    one, two = make(), make(seed=9)
    network = awake(SMALL.build(one.shapes))
    before = one.answer(network)
    mixed = Case(
        torch.cat((one.x[:1], two.x[1:])),
        torch.cat((one.level[:1], two.level[1:])),
        Context.cat([one.context.rows(slice(0, 1)), two.context.rows(slice(1, 2))]),
    )
    torch.testing.assert_close(mixed.answer(network)[:1], before[:1], rtol=0, atol=1e-12)
    alone = network(one.x[1:], one.level[1:], one.context.rows(slice(1, 2)))
    torch.testing.assert_close(alone, before[1:], rtol=0, atol=1e-12)


def with_absent(case: Case, extra: int) -> Case:
    """The case with agents who are never there in front of and behind the others."""

    def change(values: Tensor, name: str) -> Tensor:
        padding = torch.zeros if name == "mask" else torch.ones
        return torch.cat(
            (3 * padding(*values.shape[:-1], extra), values, 5 * padding(*values.shape[:-1], 2)), dim=-1
        ).to(values.dtype)

    static = case.context.static.unflatten(1, (2, -1))
    longer = change(static, "static").flatten(1)
    return case.mapped(change, spatial=False).changed(static=longer)


def test_agents_who_are_never_there_change_nothing_and_get_nothing(awake):
    case = make()
    network = awake(SMALL.build(case.shapes))
    longer = with_absent(case, 3).answer(network)
    torch.testing.assert_close(longer[..., 3:-2], case.answer(network), rtol=0, atol=1e-12)
    assert not longer[..., :3].any()
    assert not longer[..., -2:].any()
    nobody = case.changed(mask=torch.zeros_like(case.context.mask))
    assert not nobody.answer(network).any()


def test_a_bare_context_will_do(awake):
    case = make()
    bare = Case(case.x, case.level, Context(history_frames=P))
    network = awake(SMALL.build(bare.shapes))
    turn = rotation(2, 0)
    after = Case(torch.einsum("ij,bfjn->bfin", turn, case.x), case.level, bare.context).answer(network)
    torch.testing.assert_close(
        after, torch.einsum("ij,bfjn->bfin", turn, bare.answer(network)), rtol=0, atol=1e-10
    )


def test_what_is_masked_does_not_matter(awake):
    case = make()
    network = awake(SMALL.build(case.shapes))
    gap = case.context.mask == 0
    history = torch.where(gap[:, :P], -1e3, case.context.history)
    moved = case.changed(x=torch.where(gap, 1e3, case.x), history=history)
    assert torch.equal(case.answer(network), moved.answer(network))
    whole = case.changed(mask=torch.ones_like(case.context.mask)).answer(network)
    assert torch.equal(case.changed(mask=None).answer(network), whole)
    assert not case.answer(network)[gap].any()


def test_sizes_that_do_not_fit_are_refused():
    case = make()
    with pytest.raises(IncompatibleError, match="2 or 3 dimensions"):
        SMALL.build(Shapes(horizon=1, channels=2))
    with pytest.raises(IncompatibleError, match="2 or 3 dimensions"):
        SMALL.build(Shapes(horizon=1, channels=1, space=(4,)))
    with pytest.raises(IncompatibleError, match="vectors=9 does not divide"):
        SMALL.model_copy(update={"vectors": 9}).build(case.shapes)
    with pytest.raises(IncompatibleError, match="7 constants for 5 agents"):
        SMALL.build(case.shapes.model_copy(update={"static": 7}))
    network = SMALL.build(case.shapes).double()
    with pytest.raises(IncompatibleError, match="built for 7 frames"):
        network(case.x[:, 1:], case.level[:, 1:], case.context)
    for name in ("history", "mask", "calendar", "past", "static", "lagged", "anchor"):
        value = getattr(case.context, name)
        with pytest.raises(IncompatibleError, match="built for"):
            case.changed(**{name: torch.cat((value, value), dim=1)}).answer(network)


def test_rows_hear_all_others_of_their_clip_or_the_nearest_they_met():
    clip = torch.tensor([0, 0, 0, 0, 1, 2, 2])
    other, there = others(clip)
    heard = [set(row[kept].tolist()) for row, kept in zip(other, there, strict=True)]
    assert heard == [{1, 2, 3}, {0, 2, 3}, {0, 1, 3}, {0, 1, 2}, set(), {6}, {5}]
    generator = torch.Generator().manual_seed(1)
    places = torch.randn(7, P, 2, generator=generator, dtype=torch.float64)
    present = (torch.rand(7, P, generator=generator) < 0.7).double()
    present[3] = torch.tensor([1.0, 0, 0, 0])
    present[:3, 0] = torch.tensor([0.0, 0, 1])  # the last of the first clip meets only the one before it
    other, there = nearest(clip, places, present, 1)
    assert other.shape == (7, 1)
    for row in (0, 1, 2, 3, 5, 6):
        found = {}
        for j in range(7):
            met = (present[row] * present[j]).bool()
            if j != row and clip[j] == clip[row] and met.any():
                found[j] = float((places[row] - places[j])[met].square().sum(-1).mean())
        assert there[row, 0]
        assert int(other[row, 0]) == min(found, key=found.get)
    assert not there[4].any()
    whole, known = nearest(clip, places, present, 3)
    assert torch.equal(whole, others(clip)[0])
    assert torch.equal(known, others(clip)[1])


def test_one_who_hears_few_hears_the_nearest_however_space_is_turned(awake):
    case = make(agents=6).changed(mask=torch.ones_like(make(agents=6).context.mask))
    few = SMALL.model_copy(update={"neighbors": 1, "depth": 1})
    network = awake(few.build(case.shapes))
    turn, shift, order = rotation(2, 1), torch.tensor([3.0, -1.0], dtype=torch.float64), [3, 0, 4, 1, 5, 2]
    before = case.answer(network)
    after = case.turned(turn, shift).reordered(order).answer(network)
    torch.testing.assert_close(
        after, torch.einsum("ij,bfjn->bfin", turn, before)[..., order], rtol=0, atol=1e-10
    )
    history = case.context.history
    apart = (history[:, :, :, None] - history[..., None]).square().sum(2).mean(1)
    apart = apart + 1e9 * torch.eye(6, dtype=torch.float64)
    for clip in range(2):
        for j in range(6):
            moved = case.x.clone()
            moved[clip, P:, :, j] += 0.5
            difference = (case.changed(x=moved).answer(network) - before)[clip].abs().amax((0, 1))
            hears = apart[clip].argmin(-1) == j
            hears[j] = True
            assert torch.equal(difference > 1e-9, hears)
    all_of_them = SMALL.model_copy(update={"neighbors": 5, "depth": 1}).build(case.shapes).double()
    all_of_them.load_state_dict(network.state_dict())
    assert (all_of_them(case.x, case.level, case.context) - before).abs().max() > 1e-3


def test_messages_among_agents_are_those_of_the_equations(awake):
    generator = torch.Generator().manual_seed(6)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    clip = torch.tensor([0, 0, 0, 1, 1])
    h, v, condition = normal(5, P, 6), normal(5, P, 2, 4), normal(2, P, 6)
    geometries = [normal(5, P, 2), normal(5, P, 2)]
    block = awake(AmongAgents(6, 4, 2)).double()
    present = torch.ones(5, P, dtype=torch.float64)
    present[1, 0] = present[4, 2] = 0.0
    other, there = others(clip)
    share = shares(present, other, there)
    found = block(h, v, condition, clip, Company.of(geometries, other, share))
    for i in range(5):
        for frame in range(P):
            normed = [block.norm(h[j, frame], condition[clip[j], frame]) for j in range(5)]
            here = [j for j in range(5) if j != i and clip[j] == clip[i] and present[j, frame]]
            here = here if present[i, frame] else []
            messages, moved = torch.zeros(6).double(), torch.zeros(2, 4).double()
            for j in here:
                apart = [places[i, frame] - places[j, frame] for places in geometries]
                near = torch.stack([torch.log1p(a.square().sum() / 1e-4) / 8 for a in apart])
                message = block.message(block.own(normed[i]) + block.other(normed[j]) + block.apart(near))
                gates = block.gates(message).unflatten(0, (3, 4))
                away = [a / (1 + (a.square().sum() + 1e-4).sqrt()) for a in apart]
                change = gates[0] * v[j, frame] + sum(
                    g * a[:, None] for g, a in zip(gates[1:], away, strict=True)
                )
                messages, moved = messages + message / len(here), moved + change / len(here)
            torch.testing.assert_close(found[0][i, frame], h[i, frame] + block.scalar(messages))
            torch.testing.assert_close(found[1][i, frame], v[i, frame] + moved)


def test_one_of_a_small_clip_hears_the_same_beside_a_large_one(awake):
    case, small = make(), make(agents=5, seed=3)
    mask = small.context.mask.clone()
    mask[..., 1:] = 0.0
    network = awake(SMALL.build(case.shapes))
    alone = small.changed(mask=mask)
    both = Case(
        torch.cat((case.x, alone.x)),
        torch.cat((case.level, alone.level)),
        Context.cat([case.context, alone.context]),
    )
    torch.testing.assert_close(both.answer(network)[2:], alone.answer(network), rtol=0, atol=1e-12)
