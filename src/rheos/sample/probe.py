"""The affine probe: the exact law a sampler produces on Gaussian data, without Monte Carlo.

For u_0 ~ N(m, C) the exact denoiser is affine in u, and every linear solver is affine in its noises
(z_start, z_1, ...), independent and standard normal. Pushing basis vectors e_k through the real `sample`
gives its columns J_k = out(e_k) - out(0), hence mean out(0) and covariance J J^T.

Solver bias is forecast bias: `variance_ratio` says by how much each mode of a fitted covariance comes out
too narrow or too wide.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rheos.core.context import Context
from rheos.core.errors import IncompatibleError, InputError
from rheos.core.keys import Key, Purpose
from rheos.core.protocols import Denoise, Posterior
from rheos.core.time_field import expand
from rheos.process import Process
from rheos.process.schedule import Schedule
from rheos.sample.preset import Preset
from rheos.sample.preset import preset as preset_of
from rheos.sample.sample import sample

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Law:
    """A Gaussian law of flattened clips, float64.

    Attributes:
        mean: `(n,)`.
        covariance: `(n, n)`.
        evaluations: denoiser calls a clip costs.
    """

    mean: Tensor
    covariance: Tensor
    evaluations: int


@dataclass(frozen=True, slots=True)
class VarianceRatio:
    """How the variance of each mode comes out, over what it should be.

    Attributes:
        variances: of the modes, falling, float64 `(modes,)`.
        ratios: sampled over true variance of each, float64 `(modes,)`.
        evaluations: denoiser calls a clip costs.
    """

    variances: Tensor
    ratios: Tensor
    evaluations: int

    @property
    def worst(self) -> float:
        """The ratio furthest from 1."""
        return float(self.ratios[(self.ratios - 1.0).abs().argmax()])


Stream = tuple[Purpose, int]


@dataclass(frozen=True, slots=True)
class _Basis(Key):
    """A key whose normal numbers are chosen instead of random.

    Attributes:
        chosen: for each stream the rows that are not zero in it, and their flattened numbers.
        drawn: streams asked for so far; shared by all keys made from this one.
    """

    chosen: dict[Stream, tuple[Tensor, Tensor]] = field(default_factory=dict)
    drawn: list[Stream] = field(default_factory=list)

    @classmethod
    def of_rows(cls, count: int, chosen: dict[Stream, tuple[Tensor, Tensor]]) -> "_Basis":
        """A key of `count` rows; streams that are not chosen are zero."""
        nobody = torch.zeros(count, dtype=torch.int64)
        return cls(words=nobody[:, None].expand(count, 2), member=nobody, chosen=chosen)

    def normal(
        self, shape: Sequence[int], dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> Tensor:
        """The chosen numbers `(rows, *shape)`."""
        stream = (self.purpose, self.step)
        self.drawn.append(stream)
        numbers = torch.zeros((len(self), math.prod(shape)), dtype=dtype, device=device)
        if stream in self.chosen:
            rows, values = self.chosen[stream]
            numbers[rows.to(device)] = values.to(numbers)
        return numbers.reshape(len(self), *shape)


def _columns(push: Callable[[_Basis], Tensor], streams: list[Stream], basis: Tensor) -> Iterator[Tensor]:
    """What comes out for every basis vector of every stream, in blocks of rows.

    Args:
        push: runs the sampler, `(rows, n)`.
        streams: that the sampler draws from.
        basis: the vectors of one stream, `(m, n)`.
    """
    pairs = [(stream, vector) for stream in streams for vector in range(len(basis))]
    for first in range(0, len(pairs), _BLOCK):
        block = pairs[first : first + _BLOCK]
        chosen: dict[Stream, tuple[Tensor, Tensor]] = {}
        for stream in dict.fromkeys(stream for stream, _ in block):
            rows = [row for row, (of, _) in enumerate(block) if of == stream]
            chosen[stream] = (torch.tensor(rows), basis[[block[row][1] for row in rows]])
        yield push(_Basis.of_rows(len(block), chosen))


def probe(
    denoise: Denoise,
    shape: Sequence[int],
    *,
    process: Process | None = None,
    context: Context | None = None,
    preset: Preset | str = "balanced",
) -> Law:
    """The law of what `sample` returns, exact where `denoise` is affine in u.

    Args:
        denoise: an exact Gaussian denoiser, or any that is affine in u.
        shape: of one clip, `(f, *features)`.
        process: as for `sample`.
        context: one row; its history is held as it is.
        preset: as for `sample`.

    Returns:
        Mean and covariance of the flattened clip in coded units.

    Raises:
        IncompatibleError: the base noise is not Gaussian, or the solver not linear.
    """
    preset = _linear(preset)
    context = Context() if context is None else context
    known = getattr(denoise, "process", None) if process is None else process
    if isinstance(known, Process) and not known.noise.gaussian:
        raise IncompatibleError(
            f"the probe needs Gaussian base noise, but the process has {known.noise.name()!r} noise."
        )

    spent = 0

    def push(key: _Basis) -> Tensor:
        nonlocal spent
        drawn = sample(
            denoise,
            (len(key), *shape),
            key=key,
            process=process,
            context=context.repeat(len(key)),
            preset=preset,
            dtype=torch.float64,
        )
        spent = drawn.evaluations
        return drawn.clips.flatten(1)

    origin = _Basis.of_rows(1, {})
    mean = push(origin)
    covariance = torch.zeros(mean.shape[1], mean.shape[1], dtype=torch.float64)
    for images in _columns(push, origin.drawn, torch.eye(mean.shape[1], dtype=torch.float64)):
        columns = images - mean
        covariance += columns.mT @ columns
    return Law(mean[0], covariance, spent)


def _linear(preset: Preset | str) -> Preset:
    """A preset all of whose parts are affine in u and the noise.

    Raises:
        IncompatibleError: one is not.
    """
    chosen = preset_of(preset)
    if chosen.adaptive is not None:
        raise IncompatibleError(
            "the probe needs steps that are affine in u, but with `adaptive` their length depends on the "
            "clip: sample from it instead."
        )
    for part in (chosen.solver, *chosen.corrections):
        if not part.linear:
            raise IncompatibleError(
                f"the probe needs steps that are affine in u, but what {part.name()!r} does depends on the "
                "clip itself: sample from it instead."
            )
    return chosen


class _Modes:
    """The exact denoiser of independent modes with mean 0: D = alpha c / (alpha^2 c + sigma^2) u."""

    def __init__(self, variances: Tensor, schedule: Schedule) -> None:
        self._variances = variances
        self._schedule = schedule

    def __call__(self, u: Tensor, t: Tensor, context: Context) -> Posterior:
        alpha, sigma = expand(self._schedule.alpha(t), u), expand(self._schedule.sigma(t), u)
        signal = alpha * self._variances
        return Posterior(mean=signal / (alpha * signal + sigma**2) * u)


def variance_ratio(
    process: Process,
    covariance: Tensor,
    *,
    preset: Preset | str = "balanced",
    known: int = 0,
    floor: float = 1e-3,
) -> VarianceRatio:
    """Sampled over true variance for every mode of Gaussian data.

    In canonical coordinates the modes of the data evolve independently of each other, given the history
    where it is clean, so each is a scalar problem and all of them go through the sampler at once.

    Args:
        process: gives the schedule; its coordinates change nothing here.
        covariance: of flattened canonical clips `(n, n)`, for example fitted to training data, or the
            variances of its modes `(n,)`.
        preset: as for `sample`.
        known: how many leading entries are given (clean history); the modes are then those of the
            others' conditional covariance.
        floor: modes with less than this share of the mean variance are left out: a fit from few windows
            leaves directions that do not vary, and a ratio to nothing means nothing.

    Raises:
        InputError: the covariance is not square, or nothing in it varies.
        IncompatibleError: the solver is not linear.
    """
    preset = _linear(preset)
    variances = _mode_variances(covariance.detach().to("cpu", torch.float64), known)
    variances = variances[variances > floor * variances.mean()] if len(variances) else variances
    if len(variances) == 0:
        raise InputError("the covariance has no mode that varies, so there is no ratio to report.")
    modes, plain = _Modes(variances, process.schedule), Process(process.schedule)
    spent = 0

    def push(key: _Basis) -> Tensor:
        nonlocal spent
        drawn = sample(
            modes,
            (len(key), 1, len(variances)),
            key=key,
            process=plain,
            preset=preset,
            dtype=torch.float64,
        )
        spent = drawn.evaluations
        return drawn.clips.flatten(1)

    origin = _Basis.of_rows(1, {})
    push(origin)
    # Modes do not touch each other: one row of ones is all their basis vectors at once.
    every = torch.ones(1, len(variances), dtype=torch.float64)
    sampled = sum(images.square().sum(0) for images in _columns(push, origin.drawn, every))
    return VarianceRatio(variances, sampled / variances, spent)


def _mode_variances(covariance: Tensor, known: int) -> Tensor:
    """Eigenvalues, falling, of the covariance given its leading `known` entries."""
    if covariance.ndim == 1:
        return covariance.sort(descending=True).values
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise InputError(f"a covariance is square, found shape {tuple(covariance.shape)}.")
    rest = covariance[known:, known:]
    if known > 0:
        past = torch.linalg.pinv(covariance[:known, :known], hermitian=True)
        rest = rest - covariance[known:, :known] @ past @ covariance[:known, known:]
    return torch.linalg.eigvalsh(0.5 * (rest + rest.mT)).flip(0).clamp(min=0.0)
