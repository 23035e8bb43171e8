"""Initial weights from a seed alone, whatever the caller's random state is."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def initialization(seed: int) -> Iterator[None]:
    """Draw initial weights from a seed, leaving the caller's random state as it was."""
    state = torch.random.get_rng_state()
    # Only the CPU generator: torch.manual_seed would also reseed every accelerator.
    torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.random.set_rng_state(state)
