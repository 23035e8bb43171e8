"""Recipes from YAML, a proposal and `a.b=c` words: plain dictionaries merged, the later one wins."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rheos.core.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """A recipe file.

    Raises:
        InputError: the file is absent, not YAML, or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the recipe {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"the recipe {path} is not YAML: {' '.join(str(error).split())}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"the recipe {path} must hold `key: value` lines at its top.")
    return content


def parse_words(words: Sequence[str]) -> dict[str, Any]:
    """`["a.b=c", ...]` as a nested dictionary; values are read as YAML.

    The part after `roles.` is one column's name, dots and all.

    Raises:
        InputError: a word is not of that form.
    """
    tree: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.strip():
            raise InputError(
                f"{word!r} is not an override; write `name=value`, for example process.floor=0.7."
            )
        path = ["data", "roles", name[6:]] if name.startswith("roles.") else name.strip().split(".")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"the value in {word!r} is not YAML.") from error
        tree = merge(tree, _nest(path, value))
    return tree


def _nest(path: Sequence[str], value: Any) -> dict[str, Any]:
    for part in reversed(path):
        value = {part: value}
    return value


def merge(base: Any, other: Any) -> Any:
    """`other` laid over `base`; neither is changed.

    A word in the place of a method (`process: plain`) means `{"kind": word}`; another `kind` than the
    base's replaces the method whole, options of the old one included.
    """
    if isinstance(base, Mapping) and isinstance(other, str):
        other = {"kind": other}
    if isinstance(base, str) and isinstance(other, Mapping) and "kind" not in other:
        base = {"kind": base}
    if not (isinstance(base, Mapping) and isinstance(other, Mapping)):
        return other
    if "kind" in other and base.get("kind", other["kind"]) != other["kind"]:
        return dict(other)
    merged = dict(base)
    for name, value in other.items():
        merged[name] = merge(merged[name], value) if name in merged else value
    return merged


def words_to_methods(value: Any) -> Any:
    """For recipe fields that hold methods: a word stands for the method of that kind with defaults."""
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, list | tuple):
        return [words_to_methods(item) for item in value]
    return value


def build(model: type[Model], content: Mapping[str, Any], where: str) -> Model:
    """Validate, turning pydantic's report into one sentence.

    Raises:
        InputError: the first thing that is wrong, with the nearest known name.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = _fields_near(model, first["loc"][:-1])
            close = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
            hint = f"did you mean {close[0]!r}" if close else f"known are {', '.join(known)}"
            raise InputError(f"{where} has an unknown key {place!r}; {hint}.") from error
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{where}, {place or 'as a whole'}: {message}.") from error


def _fields_near(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Names of the fields that `path` leads to, as far as it can be followed."""
    current: Any = model
    for part in path:
        field = getattr(current, "model_fields", {}).get(part)
        if field is not None:
            current = field.annotation
            continue
        options = getattr(current, "__args__", ())
        current = next((o for o in options if getattr(o, "name", lambda: None)() == part), current)
    if not hasattr(current, "model_fields"):
        options = [o for o in getattr(current, "__args__", ()) if hasattr(o, "model_fields")]
        return sorted({name for option in options for name in option.model_fields})
    return list(current.model_fields)
