"""Recipes from YAML, a proposal and `a.b=c` words: plain dictionaries merged, the later one wins."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from rheos.core.errors import InputError
from rheos.core.method import Method
from rheos.data.options import BY_COLUMN

Model = TypeVar("Model", bound=BaseModel)

_BY_COLUMN = {name: ("data", name) for name in BY_COLUMN} | {
    name: (name,) for name in ("bounds", "sums", "late")
}
_FORECASTS = "anchor.of."
_OPENING = ("[", "{", "!")  # of a list or a mapping, which has to close, and of a tag
_SHORT = {"prior": ("process", "noise"), "times": ("objective", "times")}


def read_yaml(path: Path) -> dict[str, Any]:
    """A recipe file.

    Raises:
        InputError: the file is absent, not YAML, or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the recipe {path} cannot be read: {error.strerror}.") from error
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"the recipe {path} is not YAML{line}: {error.problem}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"the recipe {path} is not YAML: it is not text.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"the recipe {path} must hold `key: value` lines at its top.")
    return content


def parse_words(words: Sequence[str]) -> dict[str, Any]:
    """`["a.b=c", ...]` as a nested dictionary; values are read as YAML, text that is none as text.

    The part after `roles.`, `circular.`, `bounds.`, `sums.` or `anchor.of.` is one column's name, dots and
    all; `prior` is short for `process.noise` and `times` for `objective.times`.

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
        path = _path(name.strip())
        tree = merge(tree, _nest(path, _value(text, word)))
    return tree


def _value(text: str, word: str) -> Any:
    """The value as YAML reads it, or as it stands: a shell takes the quotes off `data.decimal=','`."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        if text.lstrip()[:1] not in _OPENING:
            return text
        raise InputError(f"the value in {word!r} is not YAML.") from error


def _path(name: str) -> list[str]:
    """Where in a recipe the name before an equals sign belongs."""
    if name.startswith(_FORECASTS):
        return ["anchor", "of", name.removeprefix(_FORECASTS)]
    head, _, rest = name.partition(".")
    if head in _BY_COLUMN and rest:
        return [*_BY_COLUMN[head], rest]
    return [*_SHORT.get(head, (head,)), *(rest.split(".") if rest else ())]


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


def spelled_out(model: type[BaseModel], content: Any) -> Any:
    """Content in which every method names its kind.

    A word in the place of a method stands for the method of that kind; options without a kind are
    those of the field's default method; one method stands for a list of one.

    Args:
        model: what the content will be validated as.
        content: left as it is where it is not a mapping.
    """
    if not isinstance(content, Mapping):
        return content
    out = dict(content)
    for name, value in content.items():
        field = model.model_fields.get(name)
        classes = _classes(field.annotation) if field is not None else ()
        if field is None or not classes:
            continue
        if get_origin(field.annotation) is tuple:
            items = value if isinstance(value, list | tuple) else [value]
            out[name] = [_with_kind(classes, item, None) for item in items]
        else:
            out[name] = _with_kind(classes, value, field.default)
    return out


def _with_kind(classes: tuple[type[BaseModel], ...], value: Any, default: Any) -> Any:
    methods = [c for c in classes if issubclass(c, Method)]
    if methods and isinstance(value, str):
        value = {"kind": value}
    if methods and isinstance(value, Mapping) and "kind" not in value and isinstance(default, Method):
        value = {"kind": default.name(), **value}
    if not isinstance(value, Mapping):
        return value
    chosen = [c for c in classes if c not in methods or c.name() == value.get("kind")]
    return spelled_out(chosen[0], value) if chosen else value


def _classes(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models that an annotation lets a value be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(found for part in get_args(annotation) for found in _classes(part))


def build(model: type[Model], content: Any, where: str) -> Model:
    """Validate, turning pydantic's report into one sentence.

    Raises:
        InputError: the first thing that is wrong, with the nearest known name.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where}{_sentence(model, error.errors(include_url=False)[0])}.") from None


def _sentence(model: type[BaseModel], error: Any) -> str:
    """What is wrong, after the name of where it is wrong and without the full stop."""
    path, known = _followed(model, error["loc"])
    place, found = ".".join(path), error["input"]
    if error["type"] == "extra_forbidden":
        return f" has an unknown key {place!r}; {_nearest(path[-1], known)}"
    if error["type"] == "union_tag_invalid" or (error["type"] == "literal_error" and path[-1] == "kind"):
        word = found.get("kind") if isinstance(found, Mapping) else found
        words = re.findall(r"'([^']*)'", error["ctx"].get("expected_tags") or error["ctx"]["expected"])
        return f" has {place.removesuffix('.kind')}={word!r}; {_nearest(str(word), words)}"
    if error["type"] == "missing":
        return f" lacks {place!r}"
    if error["type"] in ("model_type", "model_attributes_type", "union_tag_not_found"):
        return f", {place or 'as a whole'}: {found!r} is given where `key: value` options belong"
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    if error["type"] == "value_error":
        return f", {place}: {message}" if place else f": {message}"
    return f", {place or 'as a whole'}: {message[:1].lower()}{message[1:]}, not {str(found)[:60]!r}"


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}" if close else f"known are {', '.join(known)}"


def _followed(model: type[BaseModel], path: Sequence[str | int]) -> tuple[list[str], list[str]]:
    """The path as a user writes it, without pydantic's kinds; and the names known at its end."""
    classes: tuple[type[BaseModel], ...] = (model,)
    known: list[str] = []
    shown = []
    for part in path:
        kinds = [c for c in classes if issubclass(c, Method) and c.name() == part]
        if kinds and len(classes) > 1:
            classes = (kinds[0],)
            continue
        shown.append(str(part))
        if isinstance(part, int):
            continue
        known = [name for c in classes for name in c.model_fields if name != "kind"]
        fields = [c.model_fields[part] for c in classes if part in c.model_fields]
        classes = _classes(fields[0].annotation) if fields else ()
    return shown, known
