"""The house style of every picture: colors, fonts, and how a figure becomes part of a page."""

import base64
import functools
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

INK = "#1b2733"
MUTED = "#5c6b7a"
GRID = "#e4e9ee"
LAND = "#d5dae0"
FORECAST = "#0a6ab4"
TRUTH = "#111820"
ACCENT = "#d0540a"
BAND = "#e4eaef"
# Okabe and Ito's colors that stay apart under color-blindness; baselines also differ by dash.
BASELINES = ("#d0540a", "#009e73", "#b8679b", "#8a6d00", "#3d9bd6", "#6b7785")
DASHES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)))

WIDE = (10.4, 3.7)
HALF = (5.1, 3.3)

_FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, DejaVu Sans, sans-serif"
# Any: matplotlib's own type for settings lists every name it knows, which differ by version.
RC: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    # Names of channels are the user's: a dollar sign is a dollar sign.
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "rheos",
    "image.cmap": "cividis",
}

P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the house style, leaving matplotlib's settings as they were."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from matplotlib import rc_context

        with rc_context(RC):
            return draw(*args, **kwargs)

    return wrapped


def new_figure(size: tuple[float, float]) -> "Figure":
    """A figure that belongs to no global state; inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def data_uri(content: bytes, media_type: str) -> str:
    """Bytes as an address that needs no network."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def svg_uri(figure: "Figure") -> str:
    """A figure of lines and text, in the reader's own system font; the same bytes for the same figure."""
    from matplotlib import rc_context

    stream = io.StringIO()
    with rc_context(RC):
        figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return data_uri(stream.getvalue().replace("'DejaVu Sans'", _FONT).encode(), "image/svg+xml")


def pixels(figure: "Figure", dpi: int) -> "Image.Image":
    """A figure as a picture."""
    from matplotlib import rc_context
    from PIL import Image

    with rc_context(RC):
        figure.set_dpi(dpi)
        figure.canvas.draw()
    return Image.fromarray(np.asarray(cast(Any, figure.canvas).buffer_rgba())[..., :3].copy())


def few_colors(pictures: list["Image.Image"]) -> list["Image.Image"]:
    """The same pictures in the 256 colors they use most, the nearest one standing in for the others.

    Charts of color maps hold few colors beside their letters' edges, so they stay as they were; one
    palette serves all pictures, and a color means the same throughout.
    """
    from PIL import Image

    codes = [np.asarray(p, np.uint32) @ np.array([65536, 256, 1], np.uint32) for p in pictures]
    colors, counts = np.unique(np.concatenate([code.ravel() for code in codes]), return_counts=True)
    split = np.stack((colors >> 16, colors >> 8 & 255, colors & 255), axis=-1).astype(np.int32)
    palette = split[np.sort(np.argsort(-counts, kind="stable")[:256])]
    nearest = np.concatenate(
        [((part[:, None] - palette) ** 2).sum(-1).argmin(1) for part in np.array_split(split, 64)]
    ).astype(np.uint8)
    drawn = []
    for code in codes:
        picture = Image.fromarray(nearest[np.searchsorted(colors, code)], mode="P")
        picture.putpalette(palette.astype(np.uint8).ravel().tolist())
        drawn.append(picture)
    return drawn


def png_bytes(figure: "Figure", dpi: int = 160) -> bytes:
    """A figure of images, in at most 256 colors."""
    stream = io.BytesIO()
    few_colors([pixels(figure, dpi)])[0].save(stream, "PNG", optimize=True)
    return stream.getvalue()
