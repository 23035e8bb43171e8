"""Errors planted one at a time, each of which the tests of this room must notice: (file, old, new)."""

PLANTED = [
    ("src/rheos/calibrate/search.py", "(scale - 1) * own", "0.0 * own"),
    ("src/rheos/calibrate/affine.py", "scale * (members - center)", "scale * members"),
    ("src/rheos/calibrate/affine.py", "return shift, np.exp(log_scale)", "return shift, 1 + log_scale"),
    (
        "src/rheos/calibrate/affine.py",
        "common, estimate.shape), estimate - common",
        "common, estimate.shape), 0 * estimate",
    ),
    ("src/rheos/calibrate/affine.py", "common = estimate.mean(-2, keepdims=True)", "common = 0 * estimate"),
    ("src/rheos/calibrate/affine.py", "error.sum(2) / np.where", "error.mean(2) / np.where"),
    ("src/rheos/calibrate/affine.py", "error = (blocks - 1) / blocks", "error = 0 * (blocks - 1) / blocks"),
    ("src/rheos/calibrate/affine.py", "(blocks - 1) / blocks * (", "(blocks - 1) * ("),
    ("src/rheos/calibrate/search.py", "- scale[..., None] * errors.half_spread", "- errors.half_spread"),
    (
        "src/rheos/calibrate/search.py",
        "errors.target[:, None] - errors.scaled(scale)",
        "errors.target[:, None] + errors.scaled(scale)",
    ),
    ("src/rheos/calibrate/search.py", "lower = at_left < at_right", "lower = at_left > at_right"),
]
