"""Keys: counter-based random numbers that depend on what they are for, never on when they are drawn.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) maps
(seed, sequence, init_time, member, purpose, step, element) to 32-bit integers, the same on any device,
for any chunking or order. No global random state is read or changed.
"""

import hashlib
import math
import sys
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
    INTERVAL = 11
    IMPUTATION = 12


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


def philox_numpy(even: np.ndarray, odd: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The words of :func:`philox` by numpy, both halves of a round at once.

    Products are read where they lie in memory, half by half, which takes neither shifts nor masks.

    Args:
        even: words 0 and 2 of the counters, uint32 `(2, ...)`.
        odd: words 1 and 3 of the counters, uint32 `(2, ...)`.
        key: uint32 `(2, ...)`, broadcastable.

    Returns:
        Words 0 and 2, and words 1 and 3, as they came in; not to be written to.
    """
    rank = (2, *(1,) * (even.ndim - 1))
    multiplier, weyl = np.array(_MULTIPLIER, np.uint64).reshape(rank), np.array(_WEYL, np.uint64)
    turns = np.arange(_ROUNDS, dtype=np.uint64)[:, None] * weyl
    factor = even.astype(np.uint64)
    products = np.empty_like(factor), np.empty_like(factor)
    even, _ = _halves(factor)
    halves = [_halves(product[::-1]) for product in products]
    for turn, mixed in enumerate(key + turns.astype(np.uint32).reshape(_ROUNDS, *rank)):
        low, high = halves[turn % 2]
        np.multiply(factor, multiplier, out=products[turn % 2])
        np.bitwise_xor(high, odd, out=even)
        np.bitwise_xor(even, mixed, out=even)
        odd = low
    return even, odd


def _halves(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The low and the high 32 bits of uint64 words, views."""
    parts = words[..., None].view(np.uint32)
    first, second = parts[..., 0], parts[..., 1]
    return (first, second) if sys.byteorder == "little" else (second, first)


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

    def _words(self, first: int, count: int, device: torch.device | str = "cpu") -> Tensor:
        """int64 `(rows, count)`: uniform 32-bit words, from number `first` of the stream on."""
        blocks = self._blocks(first, count, torch.int64, device).permute(2, 3, 1, 0).flatten(1)
        return blocks[:, first % 4 : first % 4 + count]

    def _blocks(self, first: int, count: int, dtype: torch.dtype, device: torch.device | str) -> Tensor:
        """The blocks of four words that hold `count` numbers from `first` on: `(2, 2, rows, blocks)`.

        Word `2 j + i` of each block is at `[i, j]`.
        """
        start, end = first // 4, -(-(first + count) // 4)
        if torch.device(device).type == "cpu":
            return self._by_numpy(start, end, dtype)
        return self._by_torch(start, end, device).to(dtype)

    def _by_torch(self, start: int, end: int, device: torch.device | str) -> Tensor:
        """int64 blocks on any device."""
        element = torch.arange(start, end, device=device)[None]
        member, words = self.member.to(device)[:, None], self.words.to(device)
        counter = (element & _MASK, element >> 32, torch.full_like(element, self._stream), member & _MASK)
        c0, c1, c2, c3 = philox(counter, (words[:, :1], words[:, 1:]))
        return torch.stack((torch.stack((c0, c2)), torch.stack((c1, c3))))

    def _by_numpy(self, start: int, end: int, dtype: torch.dtype) -> Tensor:
        """The same on the CPU, in pieces that stay in its cache."""
        drawn = torch.empty((2, 2, len(self), end - start), dtype=dtype)
        target, piece = drawn.numpy(), max(1, _PIECE // max(len(self), 1))
        key = self.words.cpu().numpy().T[:, :, None].astype(np.uint32)
        member = self.member.cpu().numpy()[:, None] & _MASK
        for first in range(start, end, piece):
            element = np.arange(first, min(first + piece, end))
            even, odd = np.empty((2, 2, len(self), len(element)), np.uint32)
            even[0], even[1] = element & _MASK, self._stream
            odd[0], odd[1] = element >> 32, member
            here = slice(first - start, first - start + piece)
            target[0, ..., here], target[1, ..., here] = philox_numpy(even, odd, key)
        return drawn

    def integers(self, high: int, count: int) -> Tensor:
        """Uniform integers in `[0, high)`, int64 `(rows, count)`; bias below high / 2^64.

        Args:
            high: exclusive upper limit, below 2^31.
            count: how many a row.
        """
        words = self._words(2 * self.skipped, 2 * count).reshape(len(self), count, 2)
        upper, lower = words[..., 0] * high, words[..., 1] * high
        return (upper + (lower >> 32)) >> 32

    def uniform(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Uniform numbers in (0, 1), float64 `(rows, *shape)`, from 32 bits each."""
        count = math.prod(shape)
        words = self._words(self.skipped, count, device)
        return ((words.to(torch.float64) + 0.5) * 2.0**-32).reshape(len(self), *shape)

    def normal(
        self,
        shape: Sequence[int],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Standard normal numbers `(rows, *shape)` by Box-Muller from two 32-bit words each pair."""
        count, lead = math.prod(shape), self.skipped % 4
        work = torch.float64 if dtype == torch.float64 else torch.float32
        # (word + 0.5) / 2^32 stays inside (0, 1] in float32; the logarithm is taken of a number > 0.
        unit = self._blocks(self.skipped, count, work, device).add_(0.5).mul_(2.0**-32)
        radius, angle = unit[0].log_().mul_(-2.0).sqrt_(), unit[1].mul_(2.0 * math.pi)
        pairs = unit.new_empty((*radius.shape[1:], 2, 2))
        for part, place in ((angle.cos(), 0), (angle.sin(), 1)):
            torch.mul(radius, part, out=pairs[..., place].permute(2, 0, 1))
        return pairs.flatten(1)[:, lead : lead + count].reshape(len(self), *shape).to(dtype)
