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
from rheos.network.equivariant_block import (
    AlongFrames,
    AmongAgents,
    Company,
    RowNorm,
    WithinNode,
    lengths,
)
from rheos.network.inputs import frame_inputs, given, over_clip, until_of
from rheos.network.linear_path import LinearPath
from rheos.network.modulation import zeroed
from rheos.network.nearest import nearest, shares
from rheos.network.shapes import Shapes


class EquivariantNet(nn.Module):
    """A network for clips `(b, P + S, space, agent)`; built by :class:`rheos.network.EquivariantNetwork`.

    Constants of the context are those of the agents, `(b, k * agent)`, one after the other.
    """

    def __init__(
        self,
        shapes: Shapes,
        *,
        width: int,
        vectors: int,
        depth: int,
        heads: int,
        expansion: int,
        rank: int,
        neighbors: int,
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
            neighbors: how many others an agent hears at most.
        """
        super().__init__()
        self.shapes, self.two_levels, self.neighbors = shapes, shapes.two_levels, neighbors
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
        self.final = RowNorm(width, width)
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
        """What each frame is told, `(b, f, width)`."""
        known = [each for each in (level, until) if each is not None]
        levels = [part for each in known for part in (each, each.amin(1, keepdim=True).expand_as(each))]
        leads = torch.arange(x.shape[1], device=x.device, dtype=x.dtype) - self.shapes.history
        told = frame_inputs(x, level, replace(context, static=None), self.of_frames)
        found = self.embed_level(stacked(*levels)) + self.embed_frames(told)
        return found + self.embed_position(leads)

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
        level = level.to(dtype=x.dtype, device=x.device).expand(x.shape[:2])
        until = until_of(until, level[..., None], x, self.shapes)
        until = None if until is None else until[..., 0]
        condition = self._condition(x, level, context, until)
        lowest = (level.amin(1, keepdim=True), None if until is None else until.amin(1, keepdim=True))
        rows = self._rows(x, context)
        answer = x.new_zeros(len(x), x.shape[3], *x.shape[1:3])
        if len(rows.clip):
            answer = answer.index_put((rows.clip, rows.agent), self._answer(rows, condition, *lowest))
        return answer.permute(0, 2, 3, 1)

    def _rows(self, x: Tensor, context: Context) -> "_Rows":
        """The agents of all clips that are there in some frame."""
        shapes = self.shapes
        mask = x.new_ones(x.shape) if context.mask is None else given(context.mask, x.shape, "mask", x)
        history = given(context.history, (len(x), shapes.history, *x.shape[2:]), "history", x)
        lags = given(context.lagged, (*x.shape[:2], shapes.lags, *x.shape[2:]), "lagged values", x)
        constants = given(context.static, (len(x), self.constants * x.shape[3]), "constants of agents", x)
        present = mask.amin(2)
        clip, agent = (present > 0).any(1).nonzero(as_tuple=True)

        def of(values: Tensor) -> Tensor:
            """Rows `(r, ...)` of values `(b, ..., n)`."""
            return values.movedim(-1, 1)[clip, agent]

        if shapes.anchor:
            origin = of(given(context.anchor, x.shape, "anchor", x))
            scale = x.new_ones(()) if context.anchor_scale is None else context.anchor_scale
            scale = of(scale.expand(x.shape)).square().mean(2, keepdim=True).sqrt()
        else:
            known, here = (history, present[:, : shapes.history]) if shapes.history else (x, present)
            here = here[:, :, None]
            center = (known * here).sum((1, 3)) / here.sum((1, 3)).clamp(min=1)
            origin = center[clip][:, None].expand(-1, x.shape[1], -1)
            scale = x.new_ones((*origin.shape[:2], 1))
        here, places, past = of(present), of(x), of(history)
        return _Rows(
            clip=clip,
            agent=agent,
            present=here,
            constants=of(constants.reshape(len(x), self.constants, x.shape[3])),
            places=places,
            past=past,
            origin=origin,
            scale=scale,
            vectors=_vectors(places, past, of(lags), origin, scale) * here[..., None, None],
        )

    def _company(self, rows: "_Rows") -> Company:
        """Whom each row hears."""
        past = slice(0, self.shapes.history or None)
        places = rows.origin if self.shapes.anchor else rows.places
        known = rows.past if self.shapes.history else places
        other, there = nearest(rows.clip, known, rows.present[:, past], self.neighbors)
        geometries = [rows.places, rows.origin] if self.shapes.anchor else [rows.places]
        return Company.of(geometries, other, shares(rows.present, other, there))

    def _answer(self, rows: "_Rows", condition: Tensor, level: Tensor, until: Tensor | None) -> Tensor:
        """Canonical vectors `(r, f, d)`, from the clips' lowest levels `(b, 1)`."""
        clip, company = rows.clip, self._company(rows)
        h = self.embed_node(rows.numbers) + condition.index_select(0, clip)
        v = self.enter(rows.vectors)
        condition = functional.silu(condition)
        for among, along, within in zip(self.among, self.along, self.within, strict=True):
            h, v = among(h, v, condition, clip, company)
            h, v = along(h, v, condition, clip, rows.present)
            h, v = within(h, v, condition, clip)
        weighed = self.weigh(self.final.of_rows(h, condition, clip))[..., None, :] * v
        answer = self.leave(weighed)[..., 0]
        heard = (company.share[..., None] * company.heard(rows.vectors)).sum(1)
        lines = torch.cat((rows.vectors, heard), dim=3).transpose(1, 2).flatten(2)
        ends = None if until is None else until.index_select(0, clip)
        linear = self.linear(lines, level.index_select(0, clip), until=ends).transpose(1, 2)
        return (answer + linear) * rows.present[..., None]


def _vectors(places: Tensor, past: Tensor, lags: Tensor, origin: Tensor, scale: Tensor) -> Tensor:
    """Deviations from the origin `(r, f, d, k)` of clip, history and lagged values `(r, f, k, d)`."""
    frames = past.shape[1]
    known_lag = (lags != 0).any(-1, keepdim=True)
    late = (lags - origin[:, :, None]) / scale[..., None] * known_lag
    own = (places - origin) / scale
    known = over_clip((past - origin[:, :frames]) / scale[:, :frames], places.shape[1])
    return torch.cat((torch.stack((own, known), dim=3), late.transpose(2, 3)), dim=3)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is known of the agents of all clips, one after the other.

    Attributes:
        clip: of each row `(r)`, rising.
        agent: its place among the agents of its clip `(r)`.
        present: `(r, f)`.
        constants: `(r, k)`.
        places: of the clip `(r, f, d)`.
        past: of the history `(r, P, d)`.
        origin: what vectors are told from, `(r, f, d)`.
        scale: and in units of, `(r, f, 1)`.
        vectors: `(r, f, d, k)`.
    """

    clip: Tensor
    agent: Tensor
    present: Tensor
    constants: Tensor
    places: Tensor
    past: Tensor
    origin: Tensor
    scale: Tensor
    vectors: Tensor

    @property
    def numbers(self) -> Tensor:
        """What does not turn with the agents, `(r, f, k)`: who is there, sizes, angles and constants."""
        pairs = torch.triu_indices(self.vectors.shape[3], self.vectors.shape[3], 1)
        first, second = self.vectors[..., pairs[0]], self.vectors[..., pairs[1]]
        norms = (first.square().sum(-2) * second.square().sum(-2)).sqrt()
        angles = (first * second).sum(-2) / (1 + norms)
        constants = self.constants[:, None].expand(-1, self.present.shape[1], -1)
        alone = torch.stack((self.present, self.scale[..., 0].log()), dim=-1)
        return torch.cat((alone, lengths(self.vectors, axis=-2), angles, constants), dim=-1)
