"""Cost as ratios in one run: sampling against the bare network calls it makes, training against a bare loop.

One thread, minimum of interleaved repeats: machines are shared and noisy, a minimum of ratios' parts is not.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from rheos.core.allocator import keep_large_buffers
from rheos.core.context import Context
from rheos.core.files import write_json
from rheos.core.keys import Key
from rheos.denoise.denoiser import Denoiser
from rheos.denoise.objective import Objective
from rheos.network import FieldNetwork, Shapes
from rheos.process.recipes import DyDiff
from rheos.sample.preset import preset
from rheos.sample.sample import sample

BATCH, HISTORY, HORIZON, SIZE, EVALUATIONS = 64, 2, 4, 32, 20


def run(results: Path, repeats: int = 15) -> None:
    """Measure both ratios and keep them."""
    torch.set_num_threads(1)
    keep_large_buffers()
    shapes = Shapes(history=HISTORY, horizon=HORIZON, channels=1, space=(SIZE, SIZE), periodic=(True, True))
    network = FieldNetwork().build(shapes)
    denoiser = Denoiser(network, DyDiff().build())
    key = Key.of(0, BATCH)
    clip = key.normal((HISTORY + HORIZON, 1, SIZE, SIZE))
    context = Context(history_frames=HISTORY, history=clip[:, :HISTORY], periodic=(True, True))
    level = torch.zeros(BATCH, HISTORY + HORIZON)
    chosen = preset("balanced").model_copy(update={"evaluations": EVALUATIONS})

    def bare_calls() -> None:
        with torch.no_grad():
            for _ in range(EVALUATIONS):
                network(clip, level, context)

    def sampling() -> None:
        spent = sample(
            denoiser,
            clip.shape,
            key=key,
            context=context,
            preset=chosen,
        ).evaluations
        if spent != EVALUATIONS:
            raise RuntimeError(f"{spent} evaluations, not {EVALUATIONS}: the ratio would be of unlike work")

    optimizer = torch.optim.AdamW(network.parameters(), lr=0.0)
    objective = Objective()

    def bare_step() -> None:
        network(clip, level, context).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    def training() -> None:
        objective(denoiser, clip, context, key).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    sampled, bare = interleaved(sampling, bare_calls, repeats)
    trained, step = interleaved(training, bare_step, repeats)
    figures = {
        "sampling_ratio": sampled / bare,
        "sampling_seconds": sampled,
        "bare_calls_seconds": bare,
        "training_ratio": trained / step,
        "training_seconds": trained,
        "bare_step_seconds": step,
        "repeats": repeats,
        "shape": list(clip.shape),
        "evaluations": EVALUATIONS,
    }
    write_json(results / "cost.json", figures)
    sys.stderr.write(
        f"sampling {figures['sampling_ratio']:.3f} x bare, training {figures['training_ratio']:.3f} x\n"
    )


def interleaved(one: Callable[[], None], other: Callable[[], None], repeats: int) -> tuple[float, float]:
    """Least seconds of each, run in turns."""
    best = [float("inf"), float("inf")]
    one(), other()
    for _ in range(repeats):
        for i, work in enumerate((one, other)):
            began = time.perf_counter()
            work()
            best[i] = min(best[i], time.perf_counter() - began)
    return best[0], best[1]
