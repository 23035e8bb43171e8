"""Errors planted in the generators' equations: (file, a snippet found in it once, what replaces it)."""

_TURBULENCE = "src/rheos/data/generator/turbulence.py"
_LORENZ = "src/rheos/data/generator/lorenz.py"
_GAUSSIAN = "src/rheos/data/generator/gaussian.py"
_PARTICLES = "src/rheos/data/generator/particles.py"
_CHARGED = "src/rheos/data/generator/charged.py"
_GRAVITY = "src/rheos/data/generator/gravity.py"
_SPRINGS = "src/rheos/data/generator/springs.py"
_BOUNCING = "src/rheos/data/generator/bouncing.py"
_OF_BOUNCING = "tests/generator/test_bouncing.py"
_OF_PARTICLES = "tests/generator/test_particles.py"

PLANTED = [
    (_TURBULENCE, "return 1j * ky * stream, -1j * kx * stream", "return 1j * ky * stream, 1j * kx * stream"),
    (_TURBULENCE, "grid[0] * grid[2] + grid[1] * grid[3]", "grid[0] * grid[3] + grid[1] * grid[2]"),
    (_TURBULENCE, "k3 = rate(half * w + dt / 2 * k2)", "k3 = rate(half * (w + dt / 2 * k2))"),
    (_TURBULENCE, "self.viscosity * (kx**2 + ky**2) + self.drag", "self.viscosity * (kx**2 + ky**2)"),
    (_TURBULENCE, "-self.amplitude * self.waves * np.cos", "-self.amplitude * np.cos"),
    (_TURBULENCE, "kept * (points / n) ** 2", "kept * (points / n)"),
    (_LORENZ, "x * y - self.aspect * z", "x * x - self.aspect * z"),
    (_LORENZ, "(ahead - further) * behind", "(ahead - behind) * further"),
    (_LORENZ, "k1 + 2 * k2 + 2 * k3 + k4", "2 * k1 + 2 * k2 + k3 + k4"),
    (_GAUSSIAN, "2 * density - 1 / np.sqrt(np.pi)", "density - 1 / np.sqrt(np.pi)"),
    (_GAUSSIAN, "(1 - phi ** (2 * earlier))", "(1 - phi**earlier)"),
    (_PARTICLES, "position + dt * velocity", "position + dt * velocity + dt**2 / 2 * pull", _OF_PARTICLES),
    (
        _PARTICLES,
        "velocity = velocity + dt / 2 * pull\n    return",
        "velocity = velocity + dt * pull\n    return",
        _OF_PARTICLES,
    ),
    (_PARTICLES, "pull @ position - pull.sum(-1)", "pull @ position + pull.sum(-1)", _OF_PARTICLES),
    (_PARTICLES, "self.softening**2) ** -1.5", "self.softening**2) ** -1.0", _OF_PARTICLES),
    (_PARTICLES, "(square + self.softening**2) ** -0.5", "(square + self.softening) ** -0.5", _OF_PARTICLES),
    (_PARTICLES, ".sum((-2, -1)) / 2 + pairs", ".sum((-2, -1)) + pairs", _OF_PARTICLES),
    (_PARTICLES, "self.interval / inner, inner", "self.dt, inner + 1", _OF_PARTICLES),
    (_PARTICLES, "self.speed * direction / np", "direction / np", _OF_PARTICLES),
    (_CHARGED, "self.pairs(-charge, charge)", "self.pairs(charge, charge)", _OF_PARTICLES),
    (_GRAVITY, "velocity - velocity.mean(1, keepdims=True)", "velocity", _OF_PARTICLES),
    (_SPRINGS, "upper + upper.swapaxes(-1, -2)", "upper", _OF_PARTICLES),
    (_SPRINGS, "return square / 2", "return square", _OF_PARTICLES),
    (_BOUNCING, "1.0 - np.abs(1.0 - place % 2.0)", "place % 1.0", _OF_BOUNCING),
    (
        _BOUNCING,
        "np.floor(self.places(key) * (self.size - side))",
        "np.floor(self.places(key) * (self.size - side + 1))",
        _OF_BOUNCING,
    ),
    (
        _BOUNCING,
        "np.stack([np.sin(angle), np.cos(angle)], axis=-1)",
        "np.stack([np.sin(angle), np.sin(angle)], axis=-1)",
        _OF_BOUNCING,
    ),
    (
        _BOUNCING,
        "np.maximum(here, pictures[chosen[sequence, number]], out=here)",
        "here[:] = pictures[chosen[sequence, number]]",
        _OF_BOUNCING,
    ),
    (
        _BOUNCING,
        "digits[self.first : self.last] / 255.0",
        "digits[: self.last - self.first] / 255.0",
        _OF_BOUNCING,
    ),
    (_BOUNCING, "np.sqrt((apart**2).sum(0))", "(apart**1.5).sum(0)", _OF_BOUNCING),
]
