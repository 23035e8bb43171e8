"""What sampling costs beside the network: ratios in one run, growth with size, buffers that stay.

One thread. Times are the process' own (CPU) seconds, or on a device wall seconds until it is done: the
minimum of interleaved repeats, which other work on a shared machine moves little. Everything counts, from
nothing to finished clips: noise, coefficients, steps.

azula and diffusers, which Rheos never imports, are the extra `speed-peers` (constraints-speed.txt). On a GPU
`python -m benchmarks speed page --device cuda` makes the ratios there.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rheos.core.allocator import keep_large_buffers
from rheos.core.context import Context
from rheos.core.errors import InputError
from rheos.core.files import write_json
from rheos.core.keys import Key
from rheos.core.time_field import Kind
from rheos.denoise.denoiser import Denoiser
from rheos.network import FieldNetwork, SeriesNetwork, Shapes
from rheos.process.process import Process
from rheos.process.recipes import DyDiff
from rheos.process.schedule import Cosine
from rheos.sample.course import Course
from rheos.sample.preset import Preset
from rheos.sample.sample import sample
from rheos.sample.solver import DDIM, DPMpp2M, LinearMove

BATCH, FRAMES, CHANNELS, WIDTH, EVALUATIONS, REPEATS = 64, 16, 8, 256, 20, 15
SOLVERS = {"ddim": DDIM(), "2m": DPMpp2M()}
GROWTH = {"members": 64, "frames": 16, "channels": 8, "steps": 20}
"""Where growth starts; each in turn is doubled."""
DOUBLINGS = 7

Work = Callable[[], object]


class MLP(nn.Module):
    """Three layers over the whole clip, told nothing else: a network as cheap as any in use."""

    def __init__(self, entries: int) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Linear(entries, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU()]
        self.layers = nn.Sequential(*parts, nn.Linear(WIDTH, entries))

    def forward(self, x: Tensor, level: object = None, context: object = None) -> Tensor:
        return self.layers(x.flatten(1)).reshape(x.shape)


class Same(nn.Module):
    """Answers with its input: all that is left is the sampler."""

    def forward(self, x: Tensor, level: Tensor, context: Context) -> Tensor:
        return x


def run(results: Path, images: Path, device: str = "cpu") -> None:
    """Measure, keep the figures, draw the growth."""
    torch.set_num_threads(1)
    keep_large_buffers()  # as the command line does
    figures = {"ratios": _peers(device), "backbones": _backbones(device), "device": _name(device)}
    figures |= {"evaluations": EVALUATIONS, "repeats": REPEATS, "clips": [BATCH, FRAMES, CHANNELS]}
    if device == "cpu":
        figures |= {"growth": _growth(), "buffers": _buffers(), "load": os.getloadavg()[0]}
        _draw(figures["growth"], images / "speed_growth.png")
    write_json(results / ("speed.json" if device == "cpu" else f"speed-{device}.json"), figures)
    for name, ratios in figures["ratios"].items():
        sys.stderr.write(f"{name}: {json.dumps({k: round(v['ratio'], 3) for k, v in ratios.items()})}\n")


def _peers(device: str) -> dict[str, dict[str, dict[str, float]]]:
    """Every library with the same small network, to the bare calls of it."""
    torch.manual_seed(0)
    net = MLP(FRAMES * CHANNELS).eval().to(device)
    found = {}
    for name, solver in SOLVERS.items():
        preset = Preset(solver=solver, evaluations=EVALUATIONS)
        loops = {
            "bare": _bare(net, device),
            "plain loop": _plain(net, preset, device),
            "rheos": _rheos(net, preset, device, "x0"),
            "rheos, preconditioned": _rheos(net, preset, device, "preconditioned"),
            "diffusers": _diffusers(net, name, device),
            "azula": _azula(net, name, device),
        }
        for loop in loops.values():
            _check_calls(net, loop)
        if not torch.allclose(loops["plain loop"](), loops["rheos"](), rtol=1e-3, atol=1e-3):
            raise RuntimeError("the plain loop and Rheos make different clips: the ratio means nothing")
        found[name] = _beside(_least(loops, device, REPEATS))
    return found


def _beside(seconds: dict[str, float]) -> dict[str, dict[str, float]]:
    """To the bare calls: ratio, and microseconds a step on top of them."""
    bare = seconds["bare"]
    return {
        name: {"ratio": value / bare, "overhead_us": (value - bare) / EVALUATIONS * 1e6}
        for name, value in seconds.items()
    }


def _bare(net: nn.Module, device: str) -> Work:
    x = torch.randn(BATCH, FRAMES, CHANNELS, device=device)

    @torch.no_grad()
    def loop() -> Tensor:
        for _ in range(EVALUATIONS):
            out = net(x)
        return out

    return loop


def _plain(net: nn.Module, preset: Preset, device: str) -> Callable[[], Tensor]:
    """What one would write by hand, its numbers known: no noise is drawn, nothing is checked."""
    shape = (BATCH, FRAMES, CHANNELS)
    kind = Kind(shape, torch.float64, torch.device("cpu"))
    moves = Course(preset, Cosine(), 0, kind).plan().moves
    steps = [(float(m.scale), *(float(w) for w in m.weights)) for m in moves if isinstance(m, LinearMove)]
    start = Process(Cosine()).start(Context(), Key.of(0, BATCH), shape, device=device)

    @torch.no_grad()
    def loop() -> Tensor:
        u, before = start, start
        for scale, *weights in steps:
            answer = net(u)
            u = (u * scale).add_(answer, alpha=weights[0])
            if len(weights) > 1:
                u.add_(before, alpha=weights[1])
            before = answer
        return u

    return loop


def _rheos(net: nn.Module, preset: Preset, device: str, prediction: str) -> Callable[[], Tensor]:
    denoiser, key = Denoiser(net, Process(Cosine()), prediction), Key.of(0, BATCH)  # type: ignore[arg-type]
    return lambda: sample(denoiser, (BATCH, FRAMES, CHANNELS), key=key, preset=preset, device=device).clips


def _diffusers(net: nn.Module, solver: str, device: str) -> Work:
    try:
        from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
    except ImportError as error:
        raise InputError(_EXTRA) from error
    options = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample"}
    one, two = DDIMScheduler(clip_sample=False, **options), DPMSolverMultistepScheduler(**options)
    scheduler = one if solver == "ddim" else two

    @torch.no_grad()
    def loop() -> Tensor:
        scheduler.set_timesteps(EVALUATIONS, device=device)
        u = torch.randn(BATCH, FRAMES, CHANNELS, device=device) * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            u = scheduler.step(net(scheduler.scale_model_input(u, t)), t, u).prev_sample
        return u

    return loop


def _azula(net: nn.Module, solver: str, device: str) -> Work:
    try:
        from azula.denoise import SimpleDenoiser
        from azula.noise import CosineSchedule
        from azula.sample import DDIMSampler, xEABSampler
    except ImportError as error:
        raise InputError(_EXTRA) from error
    kind = DDIMSampler if solver == "ddim" else xEABSampler
    sampler = kind(SimpleDenoiser(net, CosineSchedule()), steps=EVALUATIONS, silent=True)
    return lambda: sampler(sampler.init((BATCH, FRAMES, CHANNELS), device=device))


_EXTRA = (
    "azula and diffusers are not here: install the extra speed-peers into this environment, "
    "pip install -c constraints.txt -c constraints-speed.txt '.[speed-peers]'."
)


def _check_calls(net: nn.Module, loop: Work) -> None:
    """Every library makes the same number of network calls, or its time is of other work."""
    calls = []
    handle = net.register_forward_hook(lambda *_: calls.append(1))
    loop()
    handle.remove()
    if len(calls) != EVALUATIONS:
        raise RuntimeError(f"{len(calls)} network calls, not {EVALUATIONS}: a ratio of unlike work")


def _backbones(device: str) -> dict[str, dict[str, float]]:
    """The default networks, history clean, frames mixed, preset balanced: to the calls alone."""
    series = SeriesNetwork().build(Shapes(history=24, horizon=24, channels=8))
    space = {"space": (32, 32), "periodic": (True, True)}
    field = FieldNetwork().build(Shapes(history=2, horizon=4, channels=1, **space))
    found = {}
    for name, network, shape, history in (
        ("series", series, (8, 48, 8), 24),
        ("field", field, (4, 6, 1, 32, 32), 2),
    ):
        network = network.eval().to(device)
        clip = torch.randn(shape, device=device)
        context = Context(history_frames=history, history=clip[:, :history], periodic=(True, True))
        found[name] = {**_backbone(network, clip, context, device), "clips": list(shape)}
    return found


def _backbone(network: nn.Module, clip: Tensor, context: Context, device: str) -> dict[str, float]:
    denoiser, key = Denoiser(network, DyDiff().build()), Key.of(0, len(clip))
    level = clip.new_zeros(clip.shape[:2])

    @torch.no_grad()
    def bare() -> None:
        for _ in range(EVALUATIONS):
            network(clip, level, context)

    def whole() -> None:
        sample(denoiser, clip.shape, key=key, context=context, device=device)

    seconds = _least({"bare": bare, "rheos": whole}, device, REPEATS)
    return {"ratio": seconds["rheos"] / seconds["bare"], "bare_us": seconds["bare"] / EVALUATIONS * 1e6}


def _least(works: dict[str, Work], device: str, repeats: int) -> dict[str, float]:
    """Least seconds of each, run in turns."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    best = dict.fromkeys(works, float("inf"))
    for turn in range(repeats + 1):
        for name, work in works.items():
            wait()
            began = clock()
            work()
            wait()
            if turn > 0:
                best[name] = min(best[name], clock() - began)
    return best


def _growth() -> dict[str, dict]:
    """Seconds of sampling alone as one size after the other is doubled, and the power fitted to them."""
    found = {}
    for axis, first in GROWTH.items():
        values = [first * 2**i for i in range(DOUBLINGS + 1)]
        # One size after the other, as they are used: coefficients are kept for a few kinds of clips only.
        works = [_alone({**GROWTH, axis: value}) for value in values]
        seconds = [_least({"": work}, "cpu", REPEATS)[""] for work in works]
        # The larger half: on small clips what does not depend on size is most of it.
        half = slice(DOUBLINGS // 2 + 1, None)
        power, _ = np.polyfit(np.log(values[half]), np.log(seconds[half]), 1)
        found[axis] = {"values": values, "seconds": seconds, "power": float(power)}
    return found


def _alone(size: dict[str, int]) -> Work:
    denoiser, key = Denoiser(Same(), Process(Cosine())), Key.of(0, size["members"])
    preset = Preset(evaluations=size["steps"])
    shape = (size["members"], size["frames"], size["channels"])
    return lambda: sample(denoiser, shape, key=key, preset=preset)


def _buffers(pairs: int = 5) -> dict[str, float]:
    """A default field network on small fields, freed memory kept or given back, in processes by turns."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(pairs):
        for word in ("kept", "returned"):
            command = [sys.executable, "-m", "benchmarks.speed", word]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            one = json.loads(done.stdout)
            if word not in best or one["seconds"] < best[word]["seconds"]:
                best[word] = one
    ratio = best["returned"]["seconds"] / best["kept"]["seconds"]
    return {"ratio": ratio, **{f"{word}_{name}": v for word, one in best.items() for name, v in one.items()}}


def _one_process(word: str) -> None:
    """Network calls on small fields; prints the least seconds of one and the page faults of it."""
    import resource

    torch.set_num_threads(1)
    if word == "kept" and not keep_large_buffers():
        raise RuntimeError("this system's allocator has no such setting")
    network = FieldNetwork().build(Shapes(history=2, horizon=4, channels=1, space=(32, 32)))
    clip = torch.randn(BATCH, 6, 1, 32, 32)
    context, level = Context(history_frames=2, history=clip[:, :2]), torch.zeros(BATCH, 6)
    best = float("inf")
    with torch.no_grad():
        network(clip, level, context)
        for _ in range(6):
            faults, began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.process_time()
            network(clip, level, context)
            took = time.process_time() - began
            if took < best:
                best, fewest = took, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    print(json.dumps({"seconds": best, "faults": fewest}))


def _draw(growth: dict[str, dict], out: Path) -> None:
    """Seconds against size, both logarithmic, beside a line of power 1."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(growth), figsize=(11, 2.9), sharey=True, layout="constrained")
    for axis, (name, row) in zip(axes, growth.items(), strict=True):
        values, milliseconds = row["values"], [1e3 * s for s in row["seconds"]]
        axis.loglog(values, milliseconds, "o-", base=2, label=f"power {row['power']:.2f}")
        line = [milliseconds[-1] * value / values[-1] for value in values]
        axis.loglog(values, line, "--", color="0.6", base=2, label="linear")
        axis.set_xlabel(name)
        axis.set_xticks(values[::2], [str(value) for value in values[::2]])
        axis.legend(frameon=False)
    axes[0].set_ylabel("milliseconds a call")
    figure.savefig(out, dpi=110)
    pyplot.close(figure)


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "CPU, one thread"


if __name__ == "__main__":
    _one_process(sys.argv[1])
