"""Exact flow maps are shared by the tests of what learns them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
