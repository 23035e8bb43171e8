"""What configurations say of themselves: meaning, default and words of their fields, where they may stand."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from rheos.core.method import Method

Row = tuple[str, str, str]


def told(model: type[BaseModel]) -> dict[str, str]:
    """What the docstring's `Attributes:` say of each field, base classes included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        _, _, attributes = (base.__dict__.get("__doc__") or "").partition("Attributes:\n")
        for match in re.finditer(r"^ {8}(\w+): (.*(?:\n {9,}.*)*)", attributes, re.M):
            found[match[1]] = " ".join(match[2].split())
    return found


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models that an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def default_of(model: type[BaseModel], name: str) -> str:
    """How a field's default is typed."""
    field = model.model_fields[name]
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "from the data" if name == "history" else "needed"
    if isinstance(value, Method):
        return f"`{value.name()}`"
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(v.name() if isinstance(v, Method) else str(v) for v in value)}]`"
    return "" if value is None else f"`{value}`"


def allowed(annotation: Any) -> str:
    """The words a field takes, where it takes words."""
    if methods_there := [m for m in models_in(annotation) if issubclass(m, Method)]:
        return ", ".join(f"`{m.name()}`" for m in methods_there) if len(methods_there) > 1 else ""
    words = [word for part in get_args(annotation) for word in get_args(part) if isinstance(word, str)]
    words += [word for word in get_args(annotation) if isinstance(word, str)]
    return ", ".join(f"`{word}`" for word in words)


def rows_of(model: type[BaseModel], prefix: str = "") -> list[Row]:
    """Name, default and meaning of every field that has a value of its own."""
    lines = told(model)
    rows: list[Row] = []
    for name, field in model.model_fields.items():
        if name == "kind":
            continue
        choices = allowed(field.annotation)
        meaning = lines.get(name, "") + (f" One of {choices}." if choices else "")
        rows.append((f"`{prefix}{name}`", default_of(model, name), meaning))
    return rows


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, list[Row]]]:
    """Heading, line and rows of a model and of all that its fields may hold."""
    first = (model.__doc__ or "").strip().split("\n")[0]
    kind = f"{prefix.rstrip('.')}={model.name()}" if issubclass(model, Method) else prefix.rstrip(".")
    rows = rows_of(model, prefix)
    if rows:
        yield kind or "Recipe", first, rows
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            yield from sections(inner, f"{prefix}{name}.")


def places(model: type[BaseModel], method: type[Method], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Where below a model a method may stand: the option, and the word of its holder ("" for the model)."""
    for name, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            if inner is method:
                holder = model.name() if issubclass(model, Method) and prefix else ""
                yield f"{prefix}{name}", holder
            yield from places(inner, method, f"{prefix}{name}.")
