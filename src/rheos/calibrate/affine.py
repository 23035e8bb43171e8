"""Affine calibration: y'_m = c' + shift + scale (y_m - c), a shift and a scale for every lead and channel.

Member-by-member post-processing (Van Schaeybroeck and Vannitsem, "Ensemble post-processing using member-by-
member approaches", QJRMS 2015, with a constant shift) fitted by the fair CRPS. c is the mean of a fixed
block of members, so a member's value never depends on which others were asked for; c' = a + b (c - a) lies
between it and the anchor a, see :mod:`rheos.calibrate.kept_share`. As scale > 0, ranks among members, and
with them all dependence between leads, channels and cells, are kept.

Fits are smoothed over leads and shrunk toward leaving all as it is, as far as they change from one block of
windows to the next: first what all leads have in common, then what each has beside it, which takes more
windows to be sure of. The search itself is in :mod:`rheos.calibrate.search`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import Field

from rheos.calibrate.kept_share import Kept, kept_share
from rheos.calibrate.search import Errors, best_affine, smooth
from rheos.core.errors import InputError
from rheos.core.method import Method
from rheos.score import aggregate, covered, crps, spread_skill

_CELLS = 512
# Square of Student's 97.5 % point for an error known from 8 blocks; leads, and variables, are wrong together,
# so their number proves nothing.
_DOUBT = 5.6
_UNCHANGED = "forecasts are left as they are."


@dataclass(frozen=True, slots=True)
class FittedCalibration:
    """A shift and a scale for every lead and channel.

    Attributes:
        shift: `(lead, channel)`, in the channel's units.
        scale: `(lead, channel)`, above 0.
        figures: "crps", "coverage_90" and "spread_skill", each `(2, channel)`: before, and after on
            windows that the fit had not seen; empty where there were too few windows.
        note: why nothing is changed, where nothing is; else "".
        kept: b, the shares of the ensemble's way from the anchor that are kept; None: all.
    """

    shift: np.ndarray
    scale: np.ndarray
    figures: dict[str, np.ndarray] = field(default_factory=dict)
    note: str = ""
    kept: Kept | None = None

    @property
    def is_identity(self) -> bool:
        """Whether members are left as they are."""
        return bool(np.all(self.shift == 0) and np.all(self.scale == 1) and self.kept is None)

    def at(self, leads: np.ndarray) -> "FittedCalibration":
        """At some leads, without its figures."""
        kept = None if self.kept is None else self.kept.at(leads)
        return FittedCalibration(self.shift[leads], self.scale[leads], kept=kept)

    def apply(self, members: np.ndarray, center: np.ndarray, anchor: np.ndarray | None = None) -> np.ndarray:
        """Calibrate some members of one forecast.

        Args:
            members: `(member, lead, channel, *space)`, up to as many leads as were fitted.
            center: `(lead, channel, *space)`, the mean of the forecast's fixed block of members.
            anchor: like the center; needed where less than all of the way from it is kept.

        Returns:
            A new array of the members' shape and dtype.

        Raises:
            InputError: there are more leads, or other channels, than were fitted, or the anchor is missing.
        """
        lead, channel = members.shape[1:3]
        if lead > len(self.shift) or channel != self.shift.shape[1]:
            raise InputError(
                f"the calibration knows {self.shift.shape[0]} leads of {self.shift.shape[1]} channels "
                f"and cannot be applied to {lead} leads of {channel}; forecast within the fitted horizon."
            )
        if self.is_identity:
            return members.copy()
        goal = center
        if self.kept is not None:
            if anchor is None:
                raise InputError("this calibration moves members toward the anchor: give it, too.")
            way = (center - anchor).reshape(lead, channel, -1)
            goal = anchor + self.kept.at(np.arange(lead)).of(way).reshape(center.shape)
        tail = (1,) * (members.ndim - 3)
        shift, scale = (a[:lead].reshape(lead, channel, *tail) for a in (self.shift, self.scale))
        return (goal + shift + scale * (members - center)).astype(members.dtype)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All of it as plain arrays, for a file; the note as bytes."""
        note = np.frombuffer(self.note.encode(), np.uint8).copy()
        figures = {f"figures.{name}": value for name, value in self.figures.items()}
        arrays = {"shift": self.shift, "scale": self.scale, "note": note} | figures
        if self.kept is None:
            return arrays
        return arrays | {"kept": np.array([self.kept.common, self.kept.own]), "unit": self.kept.unit}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "FittedCalibration":
        """Undo :meth:`to_arrays`."""
        figures = {k.removeprefix("figures."): v for k, v in arrays.items() if k.startswith("figures.")}
        note = np.asarray(arrays["note"], np.uint8).tobytes().decode()
        kept = Kept(arrays["unit"], *arrays["kept"].tolist()) if "unit" in arrays else None
        return cls(arrays["shift"], arrays["scale"], figures, note, kept)


class AffineCalibration(Method):
    """Shift and scale of every lead and channel, by the fair CRPS, shrunk toward leaving all as it is.

    Attributes:
        minimum_windows: with fewer observed windows nothing is changed.
        blocks: blocks of neighboring windows, each held back once to tell how sure the fit is.
        smoothing: half width of the average over leads, as a share of their number.
        toward_anchor: whether to keep less of what the network adds to its anchor, where less holds true.
    """

    kind: Literal["affine"] = "affine"
    minimum_windows: int = Field(default=8, ge=2)
    blocks: int = Field(default=8, ge=2)
    smoothing: float = Field(default=0.1, ge=0, le=1)
    toward_anchor: bool = True

    @property
    def enough(self) -> int:
        """Observed windows below which nothing is changed."""
        return max(self.minimum_windows, self.blocks)

    def fit(
        self,
        ensemble: np.ndarray,
        truth: np.ndarray,
        block: int | None = None,
        anchor: np.ndarray | None = None,
    ) -> FittedCalibration:
        """Fit on forecasts of windows that the model was not trained on.

        Args:
            ensemble: `(window, member, lead, channel, *space)`, windows in order of time.
            truth: `(window, lead, channel, *space)`, NaN missing.
            block: how many of the first members the center is the mean of, now and in
                :meth:`FittedCalibration.apply`, 2 or more; None: all.
            anchor: like the truth, finite where that is; None: members are moved toward nothing.

        Raises:
            InputError: the shapes do not belong together, or there are fewer than 2 members in the block.
        """
        if ensemble.shape[:1] + ensemble.shape[2:] != truth.shape or truth.ndim < 3:
            raise InputError(
                f"an ensemble of shape {ensemble.shape} does not fit a truth of {truth.shape}; they must be "
                "(window, member, lead, channel, ...) and (window, lead, channel, ...)."
            )
        size = ensemble.shape[1] if block is None else block
        if not 2 <= size <= ensemble.shape[1]:
            raise InputError(
                f"calibration needs a block of 2 to {ensemble.shape[1]} members and was given {size}; "
                "forecast more members."
            )
        errors = _errors(ensemble, truth, size, anchor)
        seen = np.isfinite(errors.target).any((1, 2, 3))
        lead, channel = truth.shape[1:3]
        identity = np.zeros((lead, channel)), np.ones((lead, channel))
        if seen.sum() < self.enough:
            note = f"calibration needs {self.enough} observed windows and found {seen.sum()}: {_UNCHANGED}"
            return FittedCalibration(*identity, note=note)
        errors = errors.windows(seen)
        folds = np.array_split(np.arange(len(errors.target)), self.blocks)
        shares: Sequence[Kept | None] = [None] * (len(folds) + 1)
        if anchor is not None and self.toward_anchor:
            shares = kept_share(errors.gap, errors.target, errors.of_center, folds)
        kept, *without = shares
        # Thinned once: members that only some of the fits saw would pass for doubt.
        thin = errors.thinned()
        held_out = [
            self._raw(thin.toward_anchor(share).windows(np.setdiff1d(np.arange(len(thin.target)), fold)))
            for fold, share in zip(folds, without, strict=True)
        ]
        raw = self._raw(thin.toward_anchor(kept))
        strength = _shrinkage(raw, held_out)
        shift, scale = _shrunk(raw, strength)
        unseen = [_shrunk(raw, strength) for raw in held_out]
        figures = _figures(errors, folds, unseen, without)
        sure = strength.any() or kept is not None
        note = "" if sure else f"no correction is sure enough: {_UNCHANGED}"
        return FittedCalibration(shift, scale, figures, note, kept)

    def _raw(self, errors: Errors) -> tuple[np.ndarray, np.ndarray]:
        shift, scale = best_affine(errors)
        width = int(np.ceil(self.smoothing * len(shift))) if len(shift) > 1 else 0
        return smooth(shift, width), np.exp(smooth(np.log(scale), width))


def _errors(ensemble: np.ndarray, truth: np.ndarray, block: int, anchor: np.ndarray | None) -> Errors:
    """Deviations and targets `(window, [member,] lead, channel, cell)` on at most some hundred cells."""
    windows, members, lead, channel = ensemble.shape[:4]
    shape = (windows, lead, channel, -1)
    cells = int(np.prod(truth.shape[3:]))
    y = truth.reshape(shape)
    alive = np.flatnonzero(np.isfinite(y).any((0, 1, 2))) if cells > 1 else np.arange(1)
    some = alive[np.unique(np.linspace(0, len(alive) - 1, min(_CELLS, len(alive))).astype(int))]
    x = ensemble.reshape(windows, members, lead, channel, -1)[..., some].astype(np.float64)
    point = None if anchor is None else anchor.reshape(shape)[..., some].astype(np.float64)
    return Errors.of(x, y[..., some], block, point)


def _parts(estimate: np.ndarray) -> np.ndarray:
    """The mean over leads, and what each lead has beside it: `(2, ..., lead, channel)`."""
    common = estimate.mean(-2, keepdims=True)
    return np.stack([np.broadcast_to(common, estimate.shape), estimate - common])


def _shrunk(raw: tuple[np.ndarray, np.ndarray], strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Raw shift and scale drawn toward 0 and 1, each part by its `strength`, `(part, 2, channel)`."""
    shift, log_scale = (strength[:, :, None] * _parts(np.stack([raw[0], np.log(raw[1])]))).sum(0)
    return shift, np.exp(log_scale)


def _shrinkage(
    raw: tuple[np.ndarray, np.ndarray], held_out: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Strengths of both parts of shift and log scale, `(part, 2, channel)`: 1 - 5.6 error^2 / size^2 over the
    leads, at least 0.

    The positive-part rule of James and Stein, its error by the jackknife over blocks. A score could not
    tell: near its optimum it hardly moves with the spread, and a coverage of 80 % for 90 would pass.
    """
    estimate = _parts(np.stack([raw[0], np.log(raw[1])]))
    without = np.stack([_parts(np.stack([shift, np.log(scale)])) for shift, scale in held_out])
    blocks = len(without)
    error = (blocks - 1) / blocks * ((without - without.mean(0)) ** 2).sum(0)
    size = (estimate**2).sum(2)
    return np.asarray(np.maximum(0.0, 1 - _DOUBT * error.sum(2) / np.where(size > 0, size, 1.0)) * (size > 0))


def _figures(
    errors: Errors,
    folds: list[np.ndarray],
    unseen: list[tuple[np.ndarray, np.ndarray]],
    kept: list[Kept | None],
) -> dict[str, np.ndarray]:
    """Scores a channel, before and after, every window calibrated by a fit that had not seen it."""
    after = np.empty_like(errors.deviation)
    for fold, (shift, scale), share in zip(folds, unseen, kept, strict=True):
        gap = errors.gap[fold]
        moved = 0.0 if share is None else (gap - share.of(gap))[:, None]
        after[fold] = moved + shift[..., None] + scale[..., None] * errors.deviation[fold]
    target = errors.target
    out: dict[str, list[np.ndarray]] = {"crps": [], "coverage_90": [], "spread_skill": []}
    for deviation in (errors.deviation, after):
        members = np.moveaxis(deviation, 1, 0)
        out["crps"].append(aggregate(crps(members, target), axes=(0, 1, 3)))
        out["coverage_90"].append(aggregate(covered(members, target), axes=(0, 1, 3)))
        out["spread_skill"].append(spread_skill(members, target, axes=(0, 1, 3)))
    return {name: np.stack(pair) for name, pair in out.items()}
