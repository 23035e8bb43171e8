"""Little videos made at run time: lossless gray ones whose every value is known, and usual ones."""

from fractions import Fraction

import av
import numpy as np


def write(path, frames, rate=25, codec="ffv1", pix_fmt="gray", places=None, options=None):
    """Write `(frames, y, x)` gray or `(frames, y, x, 3)` colored uint8 frames, at `places` of the rate."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = 1 / Fraction(rate)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="gray" if pixels.ndim == 2 else "rgb24")
            frame.pts = number if places is None else places[number]
            frame.time_base = 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def noise(frames=12, height=12, width=18, seed=0, channels=()):
    """Frames of random values."""
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, *channels), np.uint8)
