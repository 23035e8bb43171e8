"""The training loop: settings, averaging, exact resume."""
