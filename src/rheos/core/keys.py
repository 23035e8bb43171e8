"""Keys: counter-based random numbers that depend on what they are for, never on when they are drawn.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) maps
(seed, sequence, init_time, member, purpose, step, element) to 32-bit integers, the same on any device,
for any chunking or order. No global random state is read or changed.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_MULTIPLIER = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
# Entries whose words are made at once on the CPU.
_PIECE = 8192


class Purpose(IntEnum):
    """What a number is for; each purpose is a stream of its own."""

    START = 0
    STEP = 1
    CORRECTION = 2
    TIME = 3
    NOISE = 4
    BATCH = 5
    DATA = 6
    BOOTSTRAP = 7
    PROBE = 8
    AUGMENT = 9
    RADIUS = 10


def philox(counter: Sequence[Tensor], key: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10: four 32-bit words from a 128-bit counter and a 64-bit key.

    Args:
        counter: four int64 tensors holding 32-bit words, broadcastable.
        key: two int64 tensors holding 32-bit words, broadcastable.

    Returns:
        Four int64 tensors of 32-bit words.
    """
    c0, c1, c2, c3 = counter
    for turn in range(_ROUNDS):
        # int64 products wrap modulo 2^64, so both halves are right after masking.
        p0, p1 = c0 * _MULTIPLIER[0], c2 * _MULTIPLIER[1]
        k0, k1 = (word + turn * weyl for word, weyl in zip(key, _WEYL, strict=True))
        high0, high1 = p0 >> 32, p1 >> 32
        c0, c2 = (high1 ^ c1 ^ k0) & _MASK, (high0 ^ c3 ^ k1) & _MASK
        c1, c3 = p1 & _MASK, p0 & _MASK
    return c0, c1, c2, c3


def philox_numpy(counter: Sequence[np.ndarray], key: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The words of :func:`philox` by numpy, whose unsigned numbers need no masks and cost less a call.

    Args:
        counter: four uint64 arrays holding 32-bit words, broadcastable.
        key: two uint64 arrays holding 32-bit words, broadcastable.

    Returns:
        Four uint64 arrays of 32-bit words.
    """
    c0, c1, c2, c3 = counter
    m0, m1, mask, half = (np.uint64(number) for number in (*_MULTIPLIER, _MASK, 32))
    turns = np.arange(_ROUNDS, dtype=np.uint64).reshape(-1, *(1,) * key[0].ndim)
    rounds = ((word + turns * np.uint64(weyl)) & mask for word, weyl in zip(key, _WEYL, strict=True))
    for k0, k1 in zip(*rounds, strict=True):
        p0, p1 = c0 * m0, c2 * m1
        c0, c2 = (p1 >> half) ^ c1 ^ k0, (p0 >> half) ^ c3 ^ k1
        c1, c3 = p1 & mask, p0 & mask
    return c0, c1, c2, c3


@dataclass(frozen=True, slots=True)
class Key:
    """Names one stream per row: who (seed, sequence, init_time), which member, what for, which step.

    Attributes:
        words: int64 `(rows, 2)`, the 64-bit Philox key of each row, from seed, sequence and init_time.
        member: int64 `(rows,)`, the member's number.
        purpose: what the numbers are for.
        step: solver step, training step, or 0.
        skipped: how many first numbers of the stream are passed over, so that part of a long clip can be
            drawn alone.
    """

    words: Tensor
    member: Tensor
    purpose: Purpose = Purpose.START
    step: int = 0
    skipped: int = 0

    @classmethod
    def of(
        cls,
        seed: int,
        members: Sequence[int] | Tensor | int = 1,
        sequence: str = "",
        init_time: str = "",
    ) -> "Key":
        """The key of some members of one forecast.

        Args:
            seed: any integer.
            members: member numbers, or how many (0, 1, ...).
            sequence: name of the sequence forecast.
            init_time: forecast origin, as an ISO stamp or frame number.

        Returns:
            A key with one row a member.
        """
        numbers = torch.arange(members) if isinstance(members, int) else torch.as_tensor(members)
        digest = hashlib.sha256(f"{seed}\x1f{sequence}\x1f{init_time}".encode()).digest()
        words = torch.tensor([int.from_bytes(digest[i : i + 4], "little") for i in (0, 4)])
        return cls(words.expand(len(numbers), 2), numbers.to(torch.int64))

    @classmethod
    def cat(cls, keys: Sequence["Key"]) -> "Key":
        """Stack the rows of several keys of the same purpose and step."""
        first = keys[0]
        return replace(
            first, words=torch.cat([k.words for k in keys]), member=torch.cat([k.member for k in keys])
        )

    def at(self, purpose: Purpose, step: int = 0) -> "Key":
        """The same rows, another stream."""
        return replace(self, purpose=purpose, step=step)

    def after(self, numbers: int) -> "Key":
        """The same streams without their first `numbers` numbers."""
        return replace(self, skipped=self.skipped + numbers)

    def to(self, device: torch.device | str) -> "Key":
        """The same key where its numbers will be made: a copy from there to a device waits for it."""
        return replace(self, words=self.words.to(device), member=self.member.to(device))

    def __len__(self) -> int:
        return len(self.member)

    @property
    def _stream(self) -> int:
        """The counter's word for what the numbers are for."""
        return (int(self.purpose) << 24) ^ (self.step & 0xFFFFFF)

    def _words(self, count: int, device: torch.device | str, first: int = 0) -> Tensor:
        """int64 `(rows, count)`: uniform 32-bit words, from number `first` of the stream on."""
        start, end = first // 4, -(-(first + count) // 4)
        on_cpu = torch.device(device).type == "cpu"
        drawn = self._by_numpy(start, end) if on_cpu else self._by_torch(start, end, device)
        return drawn[:, first % 4 : first % 4 + count]

    def _by_torch(self, start: int, end: int, device: torch.device | str) -> Tensor:
        """Blocks of four words, on any device."""
        element = torch.arange(start, end, device=device)[None]
        member, words = self.member.to(device)[:, None], self.words.to(device)
        counter = (element & _MASK, element >> 32, torch.full_like(element, self._stream), member & _MASK)
        return torch.stack(philox(counter, (words[:, :1], words[:, 1:])), dim=-1).flatten(1)

    def _by_numpy(self, start: int, end: int) -> Tensor:
        """The same on the CPU, in pieces that stay in its cache."""
        drawn = np.empty((len(self), end - start, 4), np.int64)
        member, words = self.member.cpu().numpy()[:, None], self.words.cpu().numpy()
        key = [(words[:, i : i + 1] & _MASK).astype(np.uint64) for i in (0, 1)]
        piece = max(1, _PIECE // max(len(self), 1))
        for first in range(start, end, piece):
            element = np.arange(first, min(first + piece, end))[None]
            whole = (element & _MASK, element >> 32, np.full_like(element, self._stream), member & _MASK)
            counter = [part.astype(np.uint64) for part in whole]
            for place, word in enumerate(philox_numpy(counter, key)):
                drawn[:, first - start : first - start + piece, place] = word
        return torch.from_numpy(drawn).flatten(1)

    def integers(self, high: int, count: int) -> Tensor:
        """Uniform integers in `[0, high)`, int64 `(rows, count)`; bias below high / 2^64.

        Args:
            high: exclusive upper limit, below 2^31.
            count: how many a row.
        """
        words = self._words(2 * count, "cpu", 2 * self.skipped).reshape(len(self), count, 2)
        upper, lower = words[..., 0] * high, words[..., 1] * high
        return (upper + (lower >> 32)) >> 32

    def uniform(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Uniform numbers in (0, 1), float64 `(rows, *shape)`, from 32 bits each."""
        count = math.prod(shape)
        words = self._words(count, device, self.skipped)
        return ((words.to(torch.float64) + 0.5) * 2.0**-32).reshape(len(self), *shape)

    def normal(
        self,
        shape: Sequence[int],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Standard normal numbers `(rows, *shape)` by Box-Muller from two 32-bit words each pair."""
        count = math.prod(shape)
        lead = self.skipped & 1
        words = self._words(count + lead + ((count + lead) & 1), device, self.skipped - lead)
        work = torch.float64 if dtype == torch.float64 else torch.float32
        # (word + 0.5) / 2^32 stays inside (0, 1] in float32; the logarithm is taken of a number > 0.
        unit = words.to(work).add_(0.5).mul_(2.0**-32)
        radius = torch.log(unit[:, 0::2]).mul_(-2.0).sqrt_()
        angle = unit[:, 1::2] * (2.0 * math.pi)
        pair = torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), dim=-1)
        return pair.flatten(1)[:, lead : lead + count].reshape(len(self), *shape).to(dtype)
