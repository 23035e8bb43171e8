"""Benchmarks: skill on real data, and cost as ratios in one run."""

ALONE = "anchor.memory=0"
"""What recipes say whose measurements were made before anchors followed their recent errors."""
