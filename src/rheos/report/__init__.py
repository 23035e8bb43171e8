"""One self-contained page about a forecast, and the figures it is made of."""

from rheos.report.content import Content, Page
from rheos.report.page import render, write

__all__ = ["Content", "Page", "render", "write"]
