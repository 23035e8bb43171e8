"""The page: chapters of pictures with one plain sentence each, in a single file that needs no network."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rheos.core.files import write_text
from rheos.report.content import Content, Page, percent
from rheos.report.sections import gauge, sections

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html.j2")


def render(content: Content | Page) -> str:
    """The whole page as HTML, the same text for the same content.

    Args:
        content: one chapter, or a page of several.

    Returns:
        HTML with everything inside: style, pictures, no script, no address outside itself.
    """
    page = Page(title=content.title, chapters=(content,)) if isinstance(content, Content) else content
    chapters = [
        {
            "content": chapter,
            "sections": sections(chapter),
            "gauge": None if chapter.verdict is None else gauge(chapter.verdict),
        }
        for chapter in page.chapters
    ]
    return _template().render(page=page, chapters=chapters, percent=percent)


def write(content: Content | Page, path: str | Path) -> Path:
    """Render to a file, which is never seen half-written; returns its path."""
    target = Path(path)
    write_text(target, render(content))
    return target
