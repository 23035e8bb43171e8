"""Benchmarks: skill on real data, and cost as ratios in one run."""
