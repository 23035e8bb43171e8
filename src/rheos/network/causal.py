"""Causal series backbone: a frame sees itself, the `span - 1` frames before it, and the first `sinks` frames.

softmax(q_i k_j / sqrt(d) + b(min(i - j, span - 1))) v_j over j <= i with i - j < span or j < sinks: attention
along time with a learned bias by distance, so places are relative (T5, arXiv:1910.10683, section 2.1);
sink frames are never forgotten (StreamingLLM, arXiv:2309.17453). Blocks are those of the series backbone;
beside them runs B (g(level) * sum_d A_d z_(k-d)), its linear path, causal, with its modes of channels.

A finished frame's inputs no longer change, and later frames never reach it: its keys and values are made
once, by `remember`, and `answer` gives for the frames after it what `forward` gives on all of them.
"""

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rheos.core.context import Context
from rheos.network.attention import Attention
from rheos.network.embedding import LevelEmbedding, stacked
from rheos.network.inputs import entry_inputs, frame_inputs, levels_of, until_of
from rheos.network.linear_path import ChannelModes
from rheos.network.modulation import AdaptiveNorm, Modulated, zeroed
from rheos.network.shapes import Shapes

Pair = tuple[Tensor, Tensor]
"""Keys and values of some frames, `(rows, heads, frames, width / heads)`."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of finished frames: of constant size, however many there were.

    Attributes:
        count: how many frames were finished.
        places: `(kept,)` their numbers: the sinks, then the latest.
        pairs: keys and values of those, one pair a block.
        inputs: entry inputs of the latest, `(b, channel, span - 1 at most, k)`.
    """

    count: int
    places: Tensor
    pairs: tuple[Pair, ...]
    inputs: Tensor


class CausalAttention(Attention):
    """Attention along frames with a bias by distance."""

    def __init__(self, width: int, heads: int, span: int) -> None:
        super().__init__(width, heads, axis=2)
        self.bias = nn.Parameter(torch.zeros(heads, span))

    def among(
        self, tokens: Tensor, distance: Tensor, hidden: Tensor, past: Pair | None
    ) -> tuple[Tensor, Pair]:
        """Map `(b, channel, f, width)`, and the keys and values of past and present frames.

        Args:
            tokens: of the frames that ask.
            distance: `(f, all frames)`, from the asking frame back to each, limited to the bias' range.
            hidden: of the same shape, what an asking frame may not see.
            past: keys and values of the frames before.
        """
        keys, values = self._split(self.key(tokens)), self._split(self.value(tokens))
        if past is not None:
            keys, values = torch.cat((past[0], keys), 2), torch.cat((past[1], values), 2)
        bias = self.bias[:, distance].masked_fill(hidden, -torch.inf)
        mixed = functional.scaled_dot_product_attention(
            self._split(self.query(tokens)), keys, values, attn_mask=bias
        )
        return self.out(mixed.transpose(1, 2).reshape(tokens.shape)), (keys, values)


class CausalBlock(nn.Module):
    """Attention along past frames, along channels of a frame if there are several, and a perceptron."""

    def __init__(self, width: int, heads: int, expansion: int, channels: int, span: int) -> None:
        super().__init__()
        perceptron = nn.Sequential(
            nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width)
        )
        within = [Attention(width, heads, axis=1), perceptron] if channels > 1 else [perceptron]
        self.past = Modulated(CausalAttention(width, heads, span), width, width)
        self.within = nn.ModuleList(Modulated(branch, width, width) for branch in within)

    def forward(
        self, tokens: Tensor, condition: Tensor, distance: Tensor, hidden: Tensor, past: Pair | None
    ) -> tuple[Tensor, Pair]:
        """Map tokens `(b, channel, f, width)` under a condition `(b, 1 or channel, f, width)`."""
        normed = self.past.norm(tokens, condition)
        mixed, pair = cast(CausalAttention, self.past.branch).among(normed, distance, hidden, past)
        tokens = torch.addcmul(tokens, self.past.gate(condition), mixed)
        for branch in self.within:
            tokens = branch(tokens, condition)
        return tokens, pair


class CausalLinear(nn.Module):
    """The linear path from all inputs of a channel within reach to its present frame; 0 at the start."""

    def __init__(
        self,
        inputs: int,
        span: int,
        rank: int,
        modes: ChannelModes | None = None,
        two_levels: bool = False,
    ) -> None:
        super().__init__()
        self.span = span
        self.modes = modes
        self.level = LevelEmbedding(1 + two_levels, rank)
        self.gain = zeroed(nn.Linear(rank, rank))
        self.reduce = nn.Conv1d(inputs, rank, span)
        self.expand = zeroed(nn.Linear(rank, 1))

    def forward(self, inputs: Tensor, levels: Tensor, channels: Tensor, past: Tensor | None) -> Tensor:
        """Map `(b, channel, f, k)` at each frame's levels `(b, 1 or channel, f, n)` to `(b, channel, f)`."""
        frames = inputs.shape[2]
        if past is not None:
            inputs = torch.cat((past, inputs), 2)
        inputs = functional.pad(inputs, (0, 0, max(0, frames + self.span - 1 - inputs.shape[2]), 0))
        reduced = self.reduce(inputs.flatten(0, 1).mT).mT.unflatten(0, inputs.shape[:2])
        told = functional.silu(self.level(levels))
        hidden = (1 + self.gain(told)) * reduced
        if self.modes is not None:
            hidden = hidden + self.modes(reduced, told, channels)
        return self.expand(hidden)[..., 0]


class CausalSeriesNet(nn.Module):
    """A network for clips `(b, f, channel)` of any number of frames.

    The clip itself holds the history, which is clean; the context's is not read. Built by
    :class:`rheos.network.config.CausalSeriesNetwork`.
    """

    def __init__(
        self,
        shapes: Shapes,
        *,
        width: int,
        depth: int,
        heads: int,
        expansion: int,
        rank: int,
        reach: int,
        sinks: int,
    ) -> None:
        """Build for clips of the given shapes.

        Args:
            shapes: sizes of the clips and their context; frames may be more or fewer.
            width: size of a token.
            depth: number of blocks.
            heads: attention heads.
            expansion: hidden size of the perceptrons, in widths.
            rank: rank of the linear path.
            reach: frames that a frame sees, itself included.
            sinks: first frames that all frames see.
        """
        super().__init__()
        self.shapes, self.span, self.sinks = shapes, reach, sinks
        self.channel_levels, self.two_levels = shapes.channel_levels, shapes.two_levels
        self.embed_entries = nn.Linear(shapes.entry_inputs - 1, width)
        self.embed_frames = nn.Linear(shapes.frame_inputs - 1, width)
        self.embed_channel = nn.Parameter(0.5 * torch.randn(shapes.channels, width))
        self.embed_level = LevelEmbedding(1 + shapes.two_levels, width)
        self.blocks = nn.ModuleList(
            CausalBlock(width, heads, expansion, shapes.channels, reach) for _ in range(depth)
        )
        self.final = AdaptiveNorm(width, width)
        self.head = zeroed(nn.Linear(width, 1))
        modes = ChannelModes(rank, width, shapes.channels) if shapes.channels > 1 else None
        self.linear = CausalLinear(shapes.entry_inputs - 1, reach, rank, modes, shapes.two_levels)

    @property
    def stages(self) -> nn.ModuleList:
        """The modules whose outputs are hidden features, of clip after clip."""
        return self.blocks

    def forward(self, x: Tensor, level: Tensor, context: Context, until: Tensor | None = None) -> Tensor:
        """Map a seen clip `(b, f, channel)` and its level `(b, f)` or `(b, f, channel)` to the clip's shape.

        Where a step ends, `until`, is like the level.

        Raises:
            IncompatibleError: channels or context are not of the sizes the network was built for.
        """
        return self._run(x, level, context, None, until)[0]

    def answer(self, x: Tensor, level: Tensor, context: Context, memory: Memory) -> Tensor:
        """What :meth:`forward` says of these frames where those remembered come before them."""
        return self._run(x, level, context, memory)[0]

    def remember(self, x: Tensor, level: Tensor, context: Context, memory: Memory | None = None) -> Memory:
        """The memory with these frames, finished, after those remembered before.

        Args:
            x: seen frames `(b, f, channel)`, clean.
            level: their level `(b, f)`.
            context: of these frames alone.
            memory: of the frames before them; None: they are the first.
        """
        return self._run(x, level, context, memory)[1]

    def _inputs(self, x: Tensor, level: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        """Inputs of entries `(b, channel, f, k)` and of frames `(b, f, k)`."""
        told = frame_inputs(x, level.amin(2), context, self._shapes(context.history_frames))
        entries = entry_inputs(x, replace(context, history=None), self._shapes(0)).permute(0, 3, 1, 2)
        # Nothing tells history from frames that were finished since: the level says what is clean.
        return _without_second(entries), _without_second(told)

    def _shapes(self, history: int) -> Shapes:
        return self.shapes.model_copy(update={"history": history})

    def _run(
        self,
        x: Tensor,
        level: Tensor,
        context: Context,
        memory: Memory | None,
        until: Tensor | None = None,
    ) -> tuple[Tensor, Memory]:
        level = levels_of(level, x, self.shapes)
        until = until_of(until, level, x, self.shapes)
        entries, told = self._inputs(x, level, context)
        levels = stacked(level.mT, None if until is None else until.mT)
        condition = self.embed_level(levels) + self.embed_frames(told)[:, None]
        tokens = self.embed_entries(entries) + self.embed_channel[:, None] + condition
        condition = functional.silu(condition)
        before = 0 if memory is None else memory.count
        asking = torch.arange(before, before + x.shape[1], device=x.device)
        places = asking if memory is None else torch.cat((memory.places, asking))
        distance = asking[:, None] - places
        hidden = (distance < 0) | ((distance >= self.span) & (places >= self.sinks))
        distance = distance.clamp(0, self.span - 1)
        pairs = []
        for number, block in enumerate(self.blocks):
            past = None if memory is None else memory.pairs[number]
            tokens, pair = block(tokens, condition, distance, hidden, past)
            pairs.append(pair)
        answer = self.head(self.final(tokens, condition))[..., 0]
        past_inputs = None if memory is None else memory.inputs
        answer = answer + self.linear(entries, levels, self.embed_channel, past_inputs)
        inputs = entries if past_inputs is None else torch.cat((past_inputs, entries), 2)
        return answer.transpose(1, 2), self._kept(before + x.shape[1], places, pairs, inputs)

    def _kept(self, count: int, places: Tensor, pairs: list[Pair], inputs: Tensor) -> Memory:
        """What later frames can still see."""
        kept = (places < self.sinks) | (places > count - self.span)
        first = max(0, inputs.shape[2] - self.span + 1)
        return Memory(
            count=count,
            places=places[kept],
            pairs=tuple((keys[:, :, kept], values[:, :, kept]) for keys, values in pairs),
            inputs=inputs[:, :, first:].clone(),
        )


def _without_second(inputs: Tensor) -> Tensor:
    """Inputs without the one about history, which is the second of entries' and of frames'."""
    return torch.cat((inputs[..., :1], inputs[..., 2:]), -1)
