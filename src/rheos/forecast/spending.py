"""What a fit's time is spent on: training steps, held-out checks, calibration; settled before the first step.

Nothing later may look at the clock, or a run that was interrupted would end with other bits.
"""

from dataclasses import dataclass, replace

import numpy as np

from rheos.sample.preset import preset
from rheos.train.settings import Training

_MOST_TRAINING = 0.75  # of the time at most; the rest goes into held-out scores, anchor and calibration
_LEAST_TRAINING = 0.4  # even where that overspends
_CHECKING_SHARE, _CALIBRATING_SHARE = 0.1, 0.15
_WINDOWS, _MEMBERS = 64, 6  # of the held-out score while training: many small ensembles
_CALIBRATION = (80, 20)  # windows and members of the ensembles that calibration is fitted on
# Fewer windows, taken to save time, would be one spell of weather: a choice made by luck.
_FEWEST_CHECKED, _FEWEST_MEMBERS, FEWEST_TO_CALIBRATE = 12, 4, 24
_FEWEST_CHECKS = 4
_CALLS = preset("fast").evaluations, preset("balanced").evaluations
# Most pairs of a reflow, and the share of training that drawing them may take.
_PAIRS, _PAIRING_SHARE = 8192, 0.15
_CONTRAST = 2.5  # times a training step: an energy is asked twice, after the denoiser


@dataclass(frozen=True, slots=True)
class Spending:
    """What a fit does.

    Attributes:
        steps: of training, without those on pairs.
        checks: held-out scores while training, besides that of the untrained network.
        windows: of a check.
        members: of each ensemble of a check.
        calibrated: windows that calibration is fitted on.
        calibrating: members of each of their ensembles.
        straight: steps of training on pairs, after the others.
        pairs: of noise and clip, for these.
        contrasted: steps that an energy of tokens is trained for, last.
    """

    steps: int
    checks: int
    windows: int
    members: int
    calibrated: int
    calibrating: int
    straight: int = 0
    pairs: int = 0
    contrasted: int = 0

    @classmethod
    def in_full(cls, steps: int, settings: Training, held_out: int, apart: int, enough: int) -> "Spending":
        """Where the steps are given there is no budget, and nothing is saved on.

        Args:
            steps: of training, those on pairs among them.
            settings: of training.
            held_out: windows that are held out.
            apart: of these, the windows fit to calibrate by.
            enough: windows below which calibration would change nothing.
        """
        straight = round(settings.reflow * steps)
        return cls(
            steps=max(1, steps - straight),
            checks=settings.checks,
            windows=min(_WINDOWS, held_out),
            members=_MEMBERS,
            calibrated=min(_CALIBRATION[0], apart),
            # Too few to calibrate by: two members each still tell how often the data's limits are broken.
            calibrating=_CALIBRATION[1] if apart >= enough else 2,
            straight=straight,
            pairs=min(_PAIRS, straight * settings.batch),
        )

    @classmethod
    def within(
        cls,
        step: float,
        settings: Training,
        held_out: int,
        apart: int,
        enough: int,
        calls: tuple[int, int] = _CALLS,
    ) -> "Spending":
        """Spend a budget of `settings.time`.

        Where evaluations are dear, checks have fewer members, then fewer windows, and then there are fewer.

        Args:
            step: seconds of one training step.
            settings: of training.
            held_out: windows that are held out.
            apart: of these, the windows fit to calibrate by.
            enough: windows below which calibration would change nothing.
            calls: of the network, for a member of a check and for one of calibration.
        """
        full = cls.in_full(1, settings, held_out, apart, enough)
        # One evaluation of a row costs about a third of a training step's share of that row.
        row = step / settings.batch / 3
        member = row * calls[0]
        rows = _CHECKING_SHARE * settings.time / member
        fewest = min(_FEWEST_CHECKED, full.windows)
        affordable = rows / (fewest * _FEWEST_MEMBERS)
        checks = int(np.clip(affordable, min(_FEWEST_CHECKS, settings.checks), settings.checks))
        members = int(np.clip(rows / checks / full.windows, _FEWEST_MEMBERS, full.members))
        windows = int(np.clip(rows / checks / members, fewest, full.windows))
        ensemble = row * calls[1] * full.calibrating
        calibrated = int(_CALIBRATING_SHARE * settings.time / ensemble)
        calibrated = min(max(calibrated, FEWEST_TO_CALIBRATE), full.calibrated)
        left = settings.time - (checks + 1) * windows * members * member - calibrated * ensemble
        training = np.clip(left, _LEAST_TRAINING * settings.time, _MOST_TRAINING * settings.time)
        steps = max(1, int(training / step))
        if settings.reflow == 0.0:
            return cls(steps, checks, windows, members, calibrated, full.calibrating)
        straight = round(settings.reflow * (1.0 - _PAIRING_SHARE) * steps)
        pairs = int(_PAIRING_SHARE * training / (row * preset("best").evaluations))
        steps = max(1, int((1.0 - _PAIRING_SHARE) * steps) - straight)
        pairs = min(max(pairs, settings.batch), _PAIRS)
        return cls(steps, checks, windows, members, calibrated, full.calibrating, straight, pairs)

    def contrasting(self, share: float, timed: bool) -> "Spending":
        """The same with a share of the training for an energy of tokens.

        Args:
            share: of the steps; of their time where that is what is spent.
            timed: whether time is spent, of which such a step takes more.
        """
        given = share * self.steps / (_CONTRAST if timed else 1.0)
        kept = max(1, round((1.0 - share) * self.steps))
        return replace(self, steps=kept, contrasted=max(1, round(given)))
