"""How a clip becomes noise: schedule, coordinates, noise, process."""

from rheos.process.process import Process
from rheos.process.recipes import PROCESSES, DyDiff, Elucidated, Plain, ProcessRecipe, RectifiedFlow

__all__ = ["PROCESSES", "DyDiff", "Elucidated", "Plain", "Process", "ProcessRecipe", "RectifiedFlow"]
