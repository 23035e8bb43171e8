"""Backbone for trajectories: turned, shifted or reordered agents get turned, shifted or reordered answers.

Numbers and vectors of every agent and frame pass blocks among agents, along frames and within each node
(GeoTDM, Han et al. 2024, arXiv:2410.13027; the blocks are in `equivariant_block.py`). Places enter as
deviations from the anchor, in units of its scale, and as differences between agents, so a shift of all of
them changes nothing; without an anchor the center of the history, or of the clip, stands in for it. The
answer is a sum of vectors: what the process calls canonical turns with the agents and does not see shifts.
Beside the blocks runs a linear path that adds up vectors of all frames, without bias.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.network.embedding import LevelEmbedding, PositionEmbedding, stacked
from rheos.network.equivariant_block import AlongFrames, AmongAgents, WithinNode, lengths
from rheos.network.inputs import frame_inputs, given, over_clip, until_of
from rheos.network.linear_path import LinearPath
from rheos.network.modulation import AdaptiveNorm, zeroed
from rheos.network.shapes import Shapes


class EquivariantNet(nn.Module):
    """A network for clips `(b, P + S, space, agent)`; built by :class:`rheos.network.EquivariantNetwork`.

    Constants of the context are those of the agents, `(b, k * agent)`, one after the other.
    """

    def __init__(
        self, shapes: Shapes, *, width: int, vectors: int, depth: int, heads: int, expansion: int, rank: int
    ) -> None:
        """Build for clips of the given shapes.

        Args:
            shapes: sizes of the clips and their context; the number of agents is free.
            width: numbers of a node.
            vectors: vectors of a node.
            depth: number of blocks of each kind.
            heads: attention heads.
            expansion: hidden size of the perceptrons, in widths.
            rank: rank of the linear path.
        """
        super().__init__()
        self.shapes, self.two_levels = shapes, shapes.two_levels
        self.constants = shapes.static // shapes.space[0]
        self.of_frames = shapes.model_copy(update={"static": 0})
        count = 2 + shapes.lags
        geometries = 2 if shapes.anchor else 1
        self.embed_level = LevelEmbedding(4 if shapes.two_levels else 2, width)
        self.embed_frames = nn.Linear(self.of_frames.frame_inputs, width)
        self.embed_position = PositionEmbedding(shapes.frames, width)
        self.embed_node = nn.Linear(2 + self.constants + count * (count + 1) // 2, width)
        self.enter = nn.Linear(count, vectors, bias=False)
        self.among = nn.ModuleList(AmongAgents(width, vectors, geometries) for _ in range(depth))
        self.along = nn.ModuleList(AlongFrames(width, vectors, heads, shapes.frames) for _ in range(depth))
        self.within = nn.ModuleList(WithinNode(width, vectors, expansion) for _ in range(depth))
        self.final = AdaptiveNorm(width, width)
        self.weigh = nn.Linear(width, vectors)
        self.leave = zeroed(nn.Linear(vectors, 1, bias=False))
        self.linear = LinearPath(
            shapes.frames * 2 * count, shapes.frames, rank, bias=False, two_levels=shapes.two_levels
        )

    @property
    def stages(self) -> nn.ModuleList:
        """The modules whose outputs are hidden features, of clip after clip."""
        return self.within

    def _condition(self, x: Tensor, level: Tensor, context: Context, until: Tensor | None) -> Tensor:
        """What each frame is told, `(b, f, 1, width)`."""
        known = [each for each in (level, until) if each is not None]
        levels = [part for each in known for part in (each, each.amin(1, keepdim=True).expand_as(each))]
        leads = torch.arange(x.shape[1], device=x.device, dtype=x.dtype) - self.shapes.history
        told = frame_inputs(x, level, replace(context, static=None), self.of_frames)
        found = self.embed_level(stacked(*levels)) + self.embed_frames(told)
        return (found + self.embed_position(leads))[:, :, None]

    def forward(self, x: Tensor, level: Tensor, context: Context, until: Tensor | None = None) -> Tensor:
        """Map a seen clip `(b, f, space, agent)` and its level `(b, f)` to the clip's shape.

        Where a step ends, `until`, is like the level.

        Raises:
            IncompatibleError: clip or context are not of the sizes the network was built for.
        """
        if x.shape[1] != self.shapes.frames or x.ndim != 4:
            raise IncompatibleError(
                f"a clip of shape {tuple(x.shape)} reached an equivariant network built for "
                f"{self.shapes.frames} frames of agents; build it with the Shapes of this data."
            )
        mask = x.new_ones(x.shape) if context.mask is None else given(context.mask, x.shape, "mask", x)
        level = level.to(dtype=x.dtype, device=x.device).expand(x.shape[:2])
        until = until_of(until, level[..., None], x, self.shapes)
        until = None if until is None else until[..., 0]
        condition = self._condition(x, level, context, until)
        lowest = (level.amin(1, keepdim=True), None if until is None else until.amin(1, keepdim=True))
        present = mask.amin(2)
        constants = given(context.static, (len(x), self.constants * x.shape[3]), "constants of agents", x)
        nodes = _Nodes(
            present,
            constants.reshape(len(x), self.constants, x.shape[3]).transpose(1, 2),
            *self._vectors(x, present, context),
        )
        seen = (present > 0).any(1)
        most = int(seen.sum(1).max())
        if most == seen.shape[1]:
            return self._answer(nodes, condition, *lowest).transpose(2, 3)
        # Agents who are not there cost as much as others: only as many are looked at as are in one clip.
        who = torch.argsort(seen.to(torch.uint8), dim=1, descending=True, stable=True)[:, :most]
        answer = torch.zeros_like(x)
        if most:
            found = self._answer(nodes.pick(who), condition, *lowest).transpose(2, 3)
            answer.scatter_(3, who[:, None, None].expand(found.shape), found)
        return answer

    def _vectors(self, x: Tensor, present: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Places, their origins `(b, f, n, d)`, the scale `(b, f, n, 1)` and vectors `(b, f, n, k, d)`."""
        shapes, here = self.shapes, present[..., None]
        past = slice(0, shapes.history)
        places = x.transpose(2, 3)
        history = given(context.history, (len(x), shapes.history, *x.shape[2:]), "history", x).transpose(2, 3)
        if shapes.anchor:
            origin = given(context.anchor, x.shape, "anchor", x).transpose(2, 3)
            scale = x.new_ones(()) if context.anchor_scale is None else context.anchor_scale
            scale = scale.expand(x.shape).square().mean(2)[..., None].sqrt()
        else:
            known, of = (history, here[:, past]) if shapes.history else (places, here)
            center = (known * of).sum((1, 2), keepdim=True) / of.sum((1, 2), keepdim=True).clamp(min=1)
            origin, scale = center.expand(places.shape), x.new_ones((*present.shape, 1))
        lags = given(context.lagged, (*x.shape[:2], shapes.lags, *x.shape[2:]), "lagged values", x)
        lags = lags.permute(0, 1, 4, 2, 3)
        known_lag = (lags != 0).any(-1, keepdim=True)
        found = [
            (places - origin) / scale * here,
            over_clip((history - origin[:, past]) / scale[:, past], x.shape[1]) * here,
        ]
        late = (lags - origin[:, :, :, None]) / scale[..., None] * known_lag * here[..., None]
        return places, origin, scale, torch.cat((torch.stack(found, dim=3), late), dim=3)

    def _answer(self, nodes: "_Nodes", condition: Tensor, level: Tensor, until: Tensor | None) -> Tensor:
        """Canonical vectors `(b, f, n, d)`, from the clip's lowest levels `(b, 1)`."""
        present, given = nodes.present, nodes.vectors
        pairs = present[..., :, None] * present[..., None, :]
        pairs = pairs * (1 - torch.eye(present.shape[2], dtype=pairs.dtype, device=pairs.device))
        pairs = pairs / pairs.sum(-1, keepdim=True).clamp(min=1)
        geometries = [nodes.places, nodes.origin] if self.shapes.anchor else [nodes.places]
        apart = [part[:, :, :, None] - part[:, :, None] for part in geometries]
        h, v = self.embed_node(nodes.numbers) + condition, self.enter(given.transpose(3, 4)).transpose(3, 4)
        condition = functional.silu(condition)
        for among, along, within in zip(self.among, self.along, self.within, strict=True):
            h, v = among(h, v, condition, apart, pairs)
            h, v = along(h, v, condition, present)
            h, v = within(h, v, condition)
        weighed = self.weigh(self.final(h, condition))[..., None] * v
        answer = self.leave(weighed.transpose(3, 4))[..., 0]
        others = torch.einsum("bfij,bfjkd->bfikd", pairs, given)
        lines = torch.cat((given, others), dim=3).permute(0, 2, 4, 1, 3)
        linear = self.linear(lines.flatten(3).flatten(1, 2), level, until=until)
        linear = linear.unflatten(1, lines.shape[1:3]).permute(0, 3, 1, 2)
        return (answer + linear) * present[..., None]


@dataclass(frozen=True, slots=True)
class _Nodes:
    """What is known of every agent in every frame, and of its constants `(b, n, k)`."""

    present: Tensor
    constants: Tensor
    places: Tensor
    origin: Tensor
    scale: Tensor
    vectors: Tensor

    def pick(self, who: Tensor) -> "_Nodes":
        """Some agents `(b, m)` of every clip."""
        parts = (self.present, self.places, self.origin, self.scale, self.vectors)
        rows = torch.arange(len(who), device=who.device)[:, None]
        present, places, origin, scale, vectors = (
            part.transpose(1, 2)[rows, who].transpose(1, 2) for part in parts
        )
        return _Nodes(present, self.constants[rows, who], places, origin, scale, vectors)

    @property
    def numbers(self) -> Tensor:
        """What does not turn with the agents, `(b, f, n, k)`: who is there, sizes, angles and constants."""
        pairs = torch.triu_indices(self.vectors.shape[3], self.vectors.shape[3], 1)
        first, second = self.vectors[..., pairs[0], :], self.vectors[..., pairs[1], :]
        norms = (first.square().sum(-1) * second.square().sum(-1)).sqrt()
        angles = (first * second).sum(-1) / (1 + norms)
        constants = self.constants[:, None].expand(-1, self.present.shape[1], -1, -1)
        alone = torch.stack((self.present, self.scale[..., 0].log()), dim=-1)
        return torch.cat((alone, lengths(self.vectors), angles, constants), dim=-1)
