"""Series backbone: attention over frames and channels, with a linear path beside it.

Tokens are patches of frames of one channel; blocks alternate attention along time within each channel
and along channels within each patch (CSDI, arXiv:2107.03502, section 4.1, with patches as in
arXiv:2211.14730) under AdaLN-zero (arXiv:2212.09748). Beside it runs B (g(level) * A z), z all inputs of a
channel, in which channels meet in a few modes: for Gaussian data the best answer is linear in all inputs with
gains that depend on the level.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError
from rheos.network.attention import Attention
from rheos.network.embedding import LevelEmbedding, PositionEmbedding, stacked
from rheos.network.inputs import entry_inputs, frame_inputs, levels_of, token_inputs, until_of
from rheos.network.linear_path import ChannelModes, LinearPath
from rheos.network.modulation import AdaptiveNorm, Modulated, zeroed
from rheos.network.shapes import Shapes


class SeriesBlock(nn.Module):
    """Attention along time, along channels if there are several, and a perceptron."""

    def __init__(self, width: int, heads: int, expansion: int, channels: int) -> None:
        super().__init__()
        perceptron = nn.Sequential(
            nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width)
        )
        branches: list[nn.Module] = [Attention(width, heads, axis=2), perceptron]
        if channels > 1:
            branches.insert(1, Attention(width, heads, axis=1))
        self.branches = nn.ModuleList(Modulated(branch, width, width) for branch in branches)

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Map tokens `(b, channel, patch, width)` under a condition `(b, 1 or channel, patch, width)`."""
        for branch in self.branches:
            tokens = branch(tokens, condition)
        return tokens


class SeriesNet(nn.Module):
    """A network for clips `(b, P + S, channel)`; built by :class:`rheos.network.config.SeriesNetwork`."""

    def __init__(
        self,
        shapes: Shapes,
        *,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        expansion: int,
        rank: int,
        recompute: bool,
    ) -> None:
        """Build for clips of the given shapes.

        Args:
            shapes: sizes of the clips and their context.
            patch: frames a token.
            width: size of a token.
            depth: number of blocks.
            heads: attention heads.
            expansion: hidden size of the perceptrons, in widths.
            rank: rank of the linear path.
            recompute: whether to recompute the blocks in the backward pass instead of keeping them.
        """
        super().__init__()
        self.shapes = shapes
        self.channel_levels, self.two_levels = shapes.channel_levels, shapes.two_levels
        self.patch = patch
        self.recompute = recompute
        # Patches meet at the origin: none holds both history and future.
        self.before = -shapes.history % patch
        self.after = -shapes.horizon % patch
        self.embed_entries = nn.Linear(patch * shapes.entry_inputs, width)
        self.embed_frames = nn.Linear(patch * shapes.frame_inputs, width)
        self.embed_position = PositionEmbedding(shapes.frames, width)
        self.embed_channel = nn.Parameter(0.5 * torch.randn(shapes.channels, width))
        self.embed_level = LevelEmbedding(5 if shapes.two_levels else 3, width)
        self.blocks = nn.ModuleList(
            SeriesBlock(width, heads, expansion, shapes.channels) for _ in range(depth)
        )
        self.final = AdaptiveNorm(width, width)
        answers = max(1, shapes.values)
        self.head = zeroed(nn.Linear(width, patch * answers))
        modes = ChannelModes(rank, width, shapes.channels) if shapes.channels > 1 else None
        self.linear = LinearPath(
            shapes.frames * shapes.entry_inputs,
            shapes.frames * answers,
            rank,
            modes,
            two_levels=shapes.two_levels,
        )

    @property
    def stages(self) -> nn.ModuleList:
        """The modules whose outputs are hidden features, of clip after clip."""
        return self.blocks

    def _patches(self, values: Tensor) -> Tensor:
        """Cut `(..., f, k)` into `(..., patch, frames of a patch * k)`, padded by zeros."""
        padded = functional.pad(values, (0, 0, self.before, self.after))
        return padded.unflatten(-2, (-1, self.patch)).flatten(-2)

    def _patched(self, level: Tensor) -> Tensor:
        """Cut levels `(b, 1 or channel, f)` into patches, those at the ends repeated."""
        padded = functional.pad(level, (self.before, self.after), mode="replicate")
        return padded.unflatten(2, (-1, self.patch))

    def _condition(self, level: Tensor, frames: Tensor, until: Tensor | None) -> Tensor:
        """What each patch `(b, 1 or channel, patch)` is told.

        Its mean and lowest level, the clip's lowest, where its step and the clip's end, its calendar, its
        place.
        """
        patched = self._patched(level)
        mean, lowest = patched.mean(3), patched.amin(3)
        told = [mean, lowest, _lowest(level).expand_as(mean)]
        if until is not None:
            told += [self._patched(until).mean(3), _lowest(until).expand_as(mean)]
        levels = stacked(*told)
        first = torch.arange(mean.shape[2], device=level.device, dtype=level.dtype) * self.patch
        place = self.embed_position(first - self.before - self.shapes.history)
        return self.embed_level(levels) + (self.embed_frames(self._patches(frames)) + place)[:, None]

    def forward(self, x: Tensor, level: Tensor, context: Context, until: Tensor | None = None) -> Tensor:
        """Map a seen clip `(b, f, channel)`, or `(b, f, channel, K)`, to its shape.

        Its level is `(b, f)`, or `(b, f, channel)` where the network tells channels apart; `until`, where a
        step ends, is like it.

        Raises:
            IncompatibleError: clip or context are not of the sizes the network was built for.
        """
        if x.shape[1] != self.shapes.frames:
            raise IncompatibleError(
                f"a clip of {x.shape[1]} frames reached a series network built for {self.shapes.frames}; "
                "build it with the history and horizon of this data."
            )
        level = levels_of(level, x, self.shapes)
        inputs = token_inputs if self.shapes.values else entry_inputs
        entries = inputs(x, context, self.shapes).permute(0, 3, 1, 2)
        until = until_of(until, level, x, self.shapes)
        told, level = frame_inputs(x, level.amin(2), context, self.shapes), level.mT
        until = None if until is None else until.mT
        condition = self._condition(level, told, until)
        tokens = self.embed_entries(self._patches(entries)) + self.embed_channel[:, None] + condition
        condition = functional.silu(condition)
        for block in self.blocks:
            if self.recompute and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, condition, use_reentrant=False, preserve_rng_state=False)
            else:
                tokens = block(tokens, condition)
        answer = self.head(self.final(tokens, condition)).unflatten(3, (self.patch, -1)).flatten(2, 3)
        answer = answer[:, :, self.before : self.before + self.shapes.frames].flatten(2)
        ends = None if until is None else until.amin(2)
        answer = answer + self.linear(entries.flatten(2), level.amin(2), self.embed_channel, ends)
        return answer.unflatten(2, (self.shapes.frames, -1)).transpose(1, 2).reshape(x.shape)


def _lowest(level: Tensor) -> Tensor:
    """The clip's lowest level, `(b, 1, 1)`."""
    return level.amin((1, 2), keepdim=True)
