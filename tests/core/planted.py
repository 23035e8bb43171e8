"""Planted errors of the random numbers: (file, line as it is, line gone wrong)."""

PLANTED = [
    ("src/rheos/core/keys.py", "_ROUNDS = 10", "_ROUNDS = 9"),
    ("src/rheos/core/keys.py", "(0x9E3779B9, 0xBB67AE85)", "(0x9E3779B9, 0x9E3779B9)"),
    (
        "src/rheos/core/keys.py",
        "(int(self.purpose) << 24) ^ (self.step & 0xFFFFFF)",
        "int(self.purpose) ^ (self.step & 0xFFFFFF)",
    ),
    ("src/rheos/core/keys.py", r'f"{seed}\x1f{sequence}\x1f{init_time}"', r'f"{seed}\x1f{sequence}"'),
    ("src/rheos/core/keys.py", ".mul_(-2.0).sqrt_()", ".mul_(-1.0).sqrt_()"),
    (
        "src/rheos/core/keys.py",
        "((angle.cos(), 0), (angle.sin(), 1))",
        "((angle.cos(), 0), (angle.cos(), 1))",
    ),
    ("src/rheos/core/keys.py", "_halves(product[::-1])", "_halves(product)"),
    ("src/rheos/core/keys.py", "pairs.flatten(1)[:, lead :", "pairs.flatten(1)[:, lead % 2 :"),
    ("src/rheos/core/keys.py", "(upper + (lower >> 32)) >> 32", "(upper + (lower >> 32)) >> 31"),
]
