"""Planted errors of the random numbers: (file, line as it is, line gone wrong)."""

PLANTED = [
    ("src/rheos/core/keys.py", "_ROUNDS = 10", "_ROUNDS = 9"),
    ("src/rheos/core/keys.py", "(k1 + _WEYL[1]) & _MASK", "(k1 + _WEYL[0]) & _MASK"),
    (
        "src/rheos/core/keys.py",
        "(int(self.purpose) << 24) ^ (self.step & 0xFFFFFF)",
        "int(self.purpose) ^ (self.step & 0xFFFFFF)",
    ),
    ("src/rheos/core/keys.py", r'f"{seed}\x1f{sequence}\x1f{init_time}"', r'f"{seed}\x1f{sequence}"'),
    ("src/rheos/core/keys.py", "torch.sqrt(-2.0 * torch.log(", "torch.sqrt(-torch.log("),
    (
        "src/rheos/core/keys.py",
        "(radius * torch.cos(angle), radius * torch.sin(angle))",
        "(radius * torch.cos(angle), radius * torch.cos(angle))",
    ),
    ("src/rheos/core/keys.py", "(upper + (lower >> 32)) >> 32", "(upper + (lower >> 32)) >> 31"),
]
