"""Errors planted one at a time, each of which the tests of this room must notice: (file, old, new)."""

PLANTED = [
    ("src/rheos/calibrate/search.py", "(scale - 1) * own", "0.0 * own"),
    ("src/rheos/calibrate/affine.py", "scale * (members - center)", "scale * members"),
    ("src/rheos/calibrate/affine.py", "anchor + self.kept * (center - anchor)", "anchor + (center - anchor)"),
    (
        "src/rheos/calibrate/affine.py",
        "moved = (1.0 - share) * errors.gap[fold]",
        "moved = 0 * errors.gap[fold]",
    ),
    ("src/rheos/calibrate/affine.py", "thin.toward_anchor(kept.share)", "thin"),
    ("src/rheos/calibrate/affine.py", "thin.toward_anchor(share).windows", "thin.windows"),
    ("src/rheos/calibrate/affine.py", 'arrays.get("kept", 1.0)', '1.0 + 0 * len("kept")'),
    ("src/rheos/calibrate/affine.py", "anchor is not None and self.toward_anchor", "anchor is not None"),
    ("src/rheos/calibrate/search.py", "target=self.target - moved", "target=self.target + moved"),
    ("src/rheos/calibrate/search.py", "(1.0 - share) * self.gap", "share * self.gap"),
    ("src/rheos/calibrate/search.py", "ensemble.var(1, ddof=1) / block", "0 * ensemble.var(1, ddof=1)"),
    (
        "src/rheos/calibrate/kept_share.py",
        "known.sum((0, 3), keepdims=True) / np.where(squares > 0, squares, np.inf)",
        "1.0",
    ),
    ("src/rheos/calibrate/kept_share.py", "(len(folds) - 1) / len(folds)", "1e-6"),
    (
        "src/rheos/calibrate/kept_share.py",
        "added, doubt = (np.where(known, part, 0.0)",
        "added, doubt = (np.where(np.isfinite(part), part, 0.0)",
    ),
    ("src/rheos/calibrate/kept_share.py", "away.min() - away", "away - away.min()"),
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
