"""A method is its own configuration: a frozen pydantic model with a `kind`.

So a schedule, a solver or a codec is written once; the same object is built from YAML, compared,
printed, stored as JSON beside a run, and used. Unknown fields raise; no class path is ever read from
a file, because a registry is a closed tuple of classes.
"""

from typing import Annotated, Any, Union

from pydantic import BaseModel, ConfigDict, Field


class Method(BaseModel):
    """Base of every configurable method; subclasses add `kind: Literal["..."] = "..."` and fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def name(cls) -> str:
        """The word that selects this method in a recipe."""
        return str(cls.model_fields["kind"].default)

    @classmethod
    def summary(cls) -> str:
        """First line of the docstring: one line for lists and docs."""
        return (cls.__doc__ or "").strip().split("\n")[0]


def one_of(registry: tuple[type[Method], ...]) -> Any:
    """The type of a recipe field that holds one method of a closed registry, told apart by `kind`.

    Args:
        registry: the classes, each with a distinct `kind`.

    Returns:
        An annotation for a pydantic field.
    """
    if len(registry) == 1:
        return registry[0]
    return Annotated[Union[registry], Field(discriminator="kind")]  # noqa: UP007
