"""What all tests share."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def numbers_of_its_own(request):
    """A module's RNG starts anew for every test: a test alone is the test among others, in any order."""
    rng = getattr(request.module, "RNG", None)
    if isinstance(rng, np.random.Generator):
        request.module.__dict__.setdefault("_RNG_BEGAN", rng.bit_generator.state)
        rng.bit_generator.state = request.module.__dict__["_RNG_BEGAN"]
