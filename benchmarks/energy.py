"""An energy of tokens against the calls it takes, on a Markov chain whose law is known.

Error: total variation of pairs of successive states from the chain's, a mean over the horizon, members drawn
after each state alike often. Beside it what as many draws from the chain itself have by luck.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import rheos
from rheos.core.files import write_json
from rheos.core.keys import Key
from rheos.data.reader import read
from rheos.forecast.draw import draw
from rheos.forecast.model import FittedModel
from rheos.sample.unmasking import FirstHitting

STATES, HORIZON, FRAMES, MEMBERS, STEPS = 4, 16, 20000, 1000, 6000
CALLS, CANDIDATES, SHARE = (1, 2, 4, 8, 16), (2, 8), 0.4
WORDS = (
    *("process=masked", "history=2", "lags=[]", f"training.steps={STEPS}", "training.device=cpu"),
    *("network.width=32", "network.depth=2", "network.heads=2", "network.rank=16"),
)
ENERGY = ("objective.energy=noise_contrastive", f"objective.energy.share={SHARE}")


def transition() -> np.ndarray:
    """Of the chain, each row a law that is far from even."""
    logits = 2.5 * np.random.default_rng(1).normal(size=(STATES, STATES))
    law = np.exp(logits)
    return law / law.sum(1, keepdims=True)


def walk(start: np.ndarray, frames: int, seed: int) -> np.ndarray:
    """Frames `(rows, frames)` that follow each start."""
    law, rng = transition().cumsum(1), np.random.default_rng(seed)
    states, found = start, np.empty((len(start), frames), int)
    for frame in range(frames):
        states = (rng.random((len(states), 1)) > law[states]).sum(1).clip(max=STATES - 1)
        found[:, frame] = states
    return found


def error(futures: np.ndarray, last: int) -> float:
    """Mean over the horizon of the total variation of pairs, given the last state known."""
    path = np.concatenate([np.full((len(futures), 1), last), futures], 1)
    law, marginal, found = transition(), np.eye(STATES)[last], []
    for frame in range(HORIZON):
        pairs = np.bincount(path[:, frame] * STATES + path[:, frame + 1], minlength=STATES**2) / len(path)
        exact = marginal[:, None] * law
        found.append(0.5 * np.abs(pairs - exact.ravel()).sum())
        marginal = marginal @ law
    return float(np.mean(found))


def scored(model: FittedModel, data: np.ndarray, calls: int) -> tuple[float, float]:
    """Mean error over the last states, and seconds a draw of 1000 members."""
    source, began, errors = model.source(read(data)), time.process_time(), []
    for last in range(STATES):
        batch = source.at(0, int(np.flatnonzero(data[:, 0] == last)[-1]) + 1)
        values = draw(model, batch, Key.of(9, MEMBERS), FirstHitting(most=calls)).values
        errors.append(error(values.reshape(MEMBERS, HORIZON).astype(int), last))
    return float(np.mean(errors)), (time.process_time() - began) / STATES


def rows(model: FittedModel, data: np.ndarray, candidates: int | None) -> list[dict[str, Any]]:
    """By number of calls: the error, all network calls of a member, and seconds."""
    found = []
    for calls in CALLS:
        value, seconds = scored(model, data, calls)
        row = {"calls": calls, "candidates": candidates, "network": model.calls(FirstHitting(most=calls))}
        found.append(row | {"error": value, "seconds": round(seconds, 2)})
        sys.stderr.write(f"{found[-1]}\n")
    return found


def run(results: Path) -> None:
    """Fit with and without an energy, in as many steps, and measure, on one thread."""
    torch.set_num_threads(1)
    data = walk(np.zeros(1, int), FRAMES, 0).T.astype(float)
    began = time.process_time()
    plain = rheos.fit(data, HORIZON, words=list(WORDS)).model
    middle = time.process_time()
    model = rheos.fit(data, HORIZON, words=[*WORDS, *ENERGY]).model
    seconds = {"plain": round(middle - began), "energy": round(time.process_time() - middle)}
    figures = rows(plain, data, None)
    for candidates in CANDIDATES:
        chosen = model.recipe.objective.energy.model_copy(update={"candidates": candidates})
        objective = model.recipe.objective.model_copy(update={"energy": chosen})
        model.recipe = model.recipe.model_copy(update={"objective": objective})
        figures += rows(model, data, candidates)
    luck = [error(walk(np.full(MEMBERS, last), HORIZON, 7 + last), last) for last in range(STATES)]
    out = {"words": [*WORDS, *ENERGY], "members": MEMBERS, "states": STATES, "horizon": HORIZON}
    out |= {"frames": FRAMES, "training": seconds, "luck": float(np.mean(luck)), "rows": figures}
    write_json(results / "energy.json", out | {"contrast": model.history.contrast})


def section(figures: dict) -> str:
    """Of the page."""
    plain = [row for row in figures["rows"] if row["candidates"] is None]
    learned = [row for row in figures["rows"] if row["candidates"] is not None]
    beaten = [
        row
        for row in learned
        if any(p["network"] <= row["network"] and p["error"] < row["error"] for p in plain)
    ]
    lines = [
        "## An energy of tokens",
        "",
        f"A chain of {figures['states']} states, {figures['frames']} frames, horizon {figures['horizon']}: "
        "total variation of pairs of successive states from the exact law, a mean over the horizon and "
        f"{figures['members']} members after each state; draws of the chain itself have "
        f"{figures['luck']:.4f}, by luck. All models have {STEPS} training steps; with an energy {SHARE:.0%} "
        f"of them are its own (`{' '.join(ENERGY)}`). A call tells 16, 8, 4, 2 or 1 of the states; with k "
        "candidates it takes k calls of the energy's network too. In brackets the calls of both networks, "
        f"and seconds of one thread. No energy is nearer, in no more calls of both, for {len(beaten)} of "
        f"{len(learned)} entries with one; these have at most {max(r['network'] for r in beaten)} calls. "
        "`python -m benchmarks energy`.",
        "",
        "| calls of the denoiser | no energy | " + " | ".join(f"k = {k}" for k in CANDIDATES) + " |",
        "| --- | --- |" + " --- |" * len(CANDIDATES),
    ]
    by = {(row["calls"], row["candidates"]): row for row in figures["rows"]}
    for calls in CALLS:
        cells = [by[calls, k] for k in (None, *CANDIDATES)]
        told = [f"{c['error']:.4f} ({c['network']} of both, {c['seconds']:.1f} s)" for c in cells]
        lines.append(f"| {calls} | " + " | ".join(told) + " |")
    return "\n".join([*lines, ""])
