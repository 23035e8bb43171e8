"""The demonstration: train, forecast, score and draw on real and simulated data, in minutes."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rheos.core.errors import InputError
from rheos.data.dataset import Dataset
from rheos.data.generator import turbulence
from rheos.data.reader import read
from rheos.data.sample_data import path
from rheos.evaluation.backtest import backtest
from rheos.evaluation.table import table
from rheos.forecast.forecaster import fit
from rheos.report.assemble import Album, chapter
from rheos.report.content import Content, Page
from rheos.report.page import write
from rheos.train.loop import Progress

_COMMAND = "rheos demo"


@dataclass(frozen=True, slots=True)
class Scene:
    """One data set of the demonstration."""

    name: str
    title: str
    subtitle: str
    dataset: Dataset
    horizon: int
    windows: int
    members: int
    words: tuple[str, ...]


def scenes() -> tuple[Scene, Scene]:
    """The two data sets: a monthly series and a turbulent flow."""
    sea = Scene(
        name="pacific",
        title="Sea-surface temperature off Peru (Niño 1+2)",
        subtitle="Monthly means 1950-2010 (NOAA), six months ahead; the last fourteen years were held out.",
        dataset=read(path("elnino")),
        horizon=6,
        windows=28,
        members=100,
        words=("holdout=168",),
    )
    flow = Scene(
        name="turbulence",
        title="Two-dimensional turbulence",
        subtitle="Vorticity of a forced flow from Rheos' own solver, six frames ahead on 32 x 32 points.",
        dataset=turbulence(frames=420, size=32, trajectories=1, seed=0),
        horizon=6,
        windows=6,
        members=16,
        words=("holdout=60", "block=16"),
    )
    return sea, flow


def run_demo(out: Path, seconds: float, progress: Progress | None = None) -> tuple[str, Path]:
    """Fit, score and draw both scenes.

    Args:
        out: folder for the models and the page; results of an earlier demonstration are replaced.
        seconds: training time of each model.
        progress: told how far the work is.

    Returns:
        The tables as text, and the path of the page.

    Raises:
        InputError: `out` is a file, or a folder that holds something else.
    """
    if out.exists() and not (out / ".rheos-demo").exists():
        raise InputError(f"{out} exists and is not an earlier demonstration; give another --out.")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / ".rheos-demo").touch()
    texts, chapters = [], []
    for scene in scenes():
        text, content = _play(scene, out, seconds, progress)
        texts.append(f"{scene.title}\n\n{text}\n")
        chapters.append(content)
    page = Page(
        title="Rheos: what will happen next, and how sure is that?",
        subtitle="Two forecasts made on this machine a moment ago, each beside what came.",
        chapters=tuple(chapters),
    )
    return "\n".join(texts), write(page, out / "report.html")


def _play(scene: Scene, out: Path, seconds: float, progress: Progress | None) -> tuple[str, Content]:
    def tell(done: int, total: int, note: str, /) -> Any:
        if progress is not None:
            progress(done, total, f"{scene.name}: {note}")

    words = [f"training.time={seconds}", *scene.words]
    forecaster = fit(scene.dataset, scene.horizon, words=words, out=out / scene.name, progress=tell)
    album = Album(scene.windows)
    card = backtest(
        forecaster, scene.dataset, windows=scene.windows, members=scene.members, keep=album, progress=tell
    )
    content = chapter(
        forecaster,
        title=scene.title,
        subtitle=scene.subtitle,
        command=_COMMAND,
        scorecard=card,
        dataset=scene.dataset,
        cases=album.cases,
    )
    return table(card), content
