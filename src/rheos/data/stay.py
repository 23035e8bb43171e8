"""When agents are in a scene: from the first frame in which one is seen to the last, and at its end."""

import numpy as np


def stays(values: np.ndarray) -> np.ndarray:
    """Frames from the first to the last in which an agent is seen, 0 for one that never is, `(agent,)`.

    Args:
        values: `(frames, space, agent)`, NaN where an agent is not.
    """
    seen = np.isfinite(values).any(1)
    first, after = seen.argmax(0), len(seen) - seen[::-1].argmax(0)
    return np.where(seen.any(0), after - first, 0)


def here(history: np.ndarray) -> np.ndarray:
    """Who is there in the last frame in which anyone is, bool `(b, 1, space, agent)`.

    Args:
        history: `(b, frames, space, agent)`, NaN where an agent is not.
    """
    there = np.isfinite(history).all(2)
    last = there.shape[1] - 1 - there.any(2)[:, ::-1].argmax(1)
    now = there[np.arange(len(there)), last]
    return np.broadcast_to(now[:, None, None], (len(now), 1, *history.shape[2:]))
