"""Errors planted in the generators' equations: (file, a snippet found in it once, what replaces it)."""

_TURBULENCE = "src/rheos/data/generator/turbulence.py"
_LORENZ = "src/rheos/data/generator/lorenz.py"
_GAUSSIAN = "src/rheos/data/generator/gaussian.py"

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
]
