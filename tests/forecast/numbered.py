"""A chain of three whole numbers: data, the law of its futures, and a small model of it."""

import itertools

import numpy as np

HORIZON = 3
TRANSITION = np.array([[0.8, 0.15, 0.05], [0.1, 0.1, 0.8], [0.3, 0.6, 0.1]])
NUMBERS = np.array([5, 6, 9])
WORDS = (
    *("process=masked", "training.steps=400", "training.learning_rate=0.01", "training.batch=64"),
    *("training.checks=1", "history=2", "lags=[]", "block=50"),
    *("network.width=32", "network.depth=1", "network.heads=2", "network.rank=8"),
)


def chain(frames, seed=0):
    """States 0, 1, 2 of the chain."""
    numbers = np.random.default_rng(seed).random(frames)
    state, states = 0, []
    for number in numbers:
        states.append(state)
        state = int(np.searchsorted(TRANSITION[state].cumsum(), number))
    return np.array(states)


def law(last):
    """Probabilities of the futures after a state, in the order of `itertools.product`."""
    paths = np.array(list(itertools.product(range(3), repeat=HORIZON)))
    before = np.concatenate([np.full((len(paths), 1), last), paths[:, :-1]], axis=1)
    return TRANSITION[before, paths].prod(1)
