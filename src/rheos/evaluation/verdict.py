"""The verdict: one sentence that says better, worse or undecided, and how sure that is."""

import numpy as np

from rheos.score import Interval


def verdict(gain: Interval, against: str, windows: int, subject: str = "", score: str = "CRPS") -> str:
    """What a skill and its 90 % interval say.

    Args:
        gain: skill against the other (:func:`rheos.score.skill`).
        against: how the sentence names the other.
        windows: how many of them the interval rests on.
        subject: who has the gain, "" where that goes without saying.
        score: what is lower or higher.
    """
    value, low, high = gain
    if not np.isfinite(value):
        return "No window holds an observation to score against, so there is no verdict."
    has = f"{subject} has " if subject else ""
    size = f"{has}{abs(value):.1%} {'lower' if value >= 0 else 'higher'} {score} than {against}"
    if not np.isfinite(low):
        return f"{size}, on {windows} window(s): too few for an interval."
    interval = f"90 % interval of the gain {low:+.1%} to {high:+.1%}, {windows} windows"
    if low > 0:
        return f"Better: {size} ({interval})."
    if high < 0:
        return f"Worse: {size} ({interval})."
    return f"Undecided: {size} ({interval})."
