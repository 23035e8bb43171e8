"""Bring a network of your own: wrap it, train it, sample from it, and check it against the exact law.

The data are a stationary Gaussian autoregression, so the law of the next frames given the first ones is
known in closed form, and so is the best denoiser. Nothing here needs a file or a recipe.
"""

import torch
from torch import Tensor, nn

from rheos import Context, Denoiser, Key, Process
from rheos.data.generator import GaussianPanel
from rheos.denoise import GaussianOracle, Objective
from rheos.process.coordinates import FrameMixing
from rheos.sample import sample

HISTORY, FRAMES, MEMBERS = 2, 6, 4000
PANEL = GaussianPanel(frames=FRAMES, channels=1, sequences=256, memory=4.0)


class Perceptron(nn.Module):
    """Any module will do that maps a clip, its noise level and a context to the clip's shape."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * FRAMES, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, FRAMES),
        )

    def forward(self, x: Tensor, level: Tensor, context: Context) -> Tensor:
        """`x` (b, f, 1), `level` (b, f): log(alpha^2 / sigma^2) of each frame, +20 where it is clean."""
        return self.layers(torch.cat([x.flatten(1), level / 10], dim=1)).reshape(x.shape)


def clips(seed: int) -> Tensor:
    """A batch of recorded clips `(256, frames, 1)`."""
    recordings = PANEL.generate(seed).recordings
    return torch.stack([torch.from_numpy(r.values).float() for r in recordings])


def train(denoiser: Denoiser, steps: int) -> None:
    """Fit the denoiser: its first frames are given clean, the others are diffused."""
    objective = Objective()
    optimizer = torch.optim.AdamW(denoiser.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for step in range(steps):
        x0 = clips(step)
        context = Context(history_frames=HISTORY, history=x0[:, :HISTORY])
        loss = objective(denoiser, x0, context, Key.of(step, len(x0))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def main(steps: int = 400) -> tuple[float, float, float]:
    """Print exact and sampled moments of the last frame.

    Returns:
        Standard deviation of the last frame given the history: exact, by the exact denoiser, by ours.
    """
    torch.manual_seed(0)
    process = Process(coordinates=FrameMixing(floor=0.5))
    denoiser = Denoiser(Perceptron(), process)
    train(denoiser, steps)

    history = torch.full((MEMBERS, HISTORY, 1), 1.0)
    context = Context(history_frames=HISTORY, history=history)
    shape, key = (MEMBERS, FRAMES, 1), Key.of(0, MEMBERS)
    ours = sample(denoiser, shape, key=key, context=context).clips[:, -1]

    lag = torch.arange(FRAMES)
    covariance = torch.tensor(PANEL.persistence, dtype=torch.float64) ** (lag[:, None] - lag).abs()
    oracle = GaussianOracle(torch.zeros(FRAMES), covariance, process)
    best = sample(oracle, shape, key=key, context=context).clips[:, -1]

    mean, spread = PANEL.conditional([1.0], FRAMES - HISTORY)
    deviation = float(spread[-1, 0, -1, 0]) ** 0.5
    print(f"{'':14}{'mean':>8}{'deviation':>12}")
    print(f"{'exact law':14}{mean[-1, 0]:8.3f}{deviation:12.3f}")
    print(f"{'exact denoiser':14}{best.mean():8.3f}{best.std():12.3f}")
    print(f"{'our network':14}{ours.mean():8.3f}{ours.std():12.3f}")
    return deviation, float(best.std()), float(ours.std())


if __name__ == "__main__":
    main()
