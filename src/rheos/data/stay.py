"""How long agents stay in a scene: from the first frame in which one is seen to the last."""

import numpy as np


def stays(values: np.ndarray) -> np.ndarray:
    """Frames from the first to the last in which an agent is seen, 0 for one that never is, `(agent,)`.

    Args:
        values: `(frames, space, agent)`, NaN where an agent is not.
    """
    seen = np.isfinite(values).any(1)
    first, after = seen.argmax(0), len(seen) - seen[::-1].argmax(0)
    return np.where(seen.any(0), after - first, 0)
