"""What a user may say about a source: the `data.` and `roles.` part of a recipe."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rheos.core.errors import InputError

BY_COLUMN = ("roles", "circular")  # what is said of single columns needs no `data.` before it
_YAML_WORDS = ("yes", "no", "on", "off", "true", "false", "null")
Role = Literal["target", "known_future", "past", "static", "ignore"]


class DataOptions(BaseModel):
    """How a source is to be read; every field has a default that suits a well-kept file.

    Attributes:
        time: the time column, time dimension or array of stamps; "rows" says that rows are frames
            and carry no stamp. Found by name or by type where absent.
        time_parts: columns of a table that make the stamps together: numbers from the year on,
            `data.time_parts=[year,month,day,hour]`, or dates and times of day, `data.time_parts=[Date,Time]`.
            Found by name or by type where absent.
        time_format: strptime format of the stamps.
        timezone: zone of stamps that carry none, so that a change of the clock is no gap.
        missing: values that mean missing, numbers or (in tables) words.
        duplicates: what to do with several rows of one stamp.
        gaps: "missing" puts frames of NaN where stamps are absent, "refuse" raises.
        order: what to do with rows that are not in order of time.
        resample: pandas frequency onto which frames are averaged ("1h").
        frequency: pandas frequency of the frames, where it cannot be inferred.
        cells: step of the frames that irregular stamps are put to ("10min"); found where absent.
        period: seasonal periods in frames; inferred from the frequency where absent.
        encoding: of text files.
        delimiter: of columns; found in the header where absent.
        decimal: the decimal mark.
        thousands: the mark between groups of three digits.
        skip: lines above the names of the columns, in a text file or a sheet.
        below: lines between the names of the columns and the data, such as units.
        columns: names of the columns of a text file whose first line is no header.
        series: columns that name the sequences of a long table: `data.series=store`, or several,
            `data.series=[store,item]`.
        agent: the column that tells agents apart in a table of trajectories; found by name where there are
            columns frame, x and y.
        joint: True makes channels of one recording, False independent recordings; by default wide
            columns are joint and the sequences of a long table are not.
        variables: the variables of a gridded source to read; all that share a grid where absent.
        select: index along a dimension that is neither time nor space (`data.select.member=0`).
        dims: names of the axes: of an array all of them, with "time" ("x", "time") and, where there are
            several recordings, "scene"; of a gridded source the spatial ones in the order wanted; of
            trajectories "time", "agent", "space".
        color: of a video: "gray", or "rgb" for three channels.
        size: of a video's frames, height and width, or a factor such as 0.25; each cell is the mean over
            the area it covers.
        every: of a video, take every so many frames.
        memory: most memory that a video's frames may take, "2GB"; reading holds them twice for a moment.
        roles: what a column is for, by name.
        circular: the period of variables that are directions, by name: 360 for degrees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: str | None = None
    time_parts: tuple[str, ...] | None = Field(default=None, min_length=1)
    time_format: str | None = None
    timezone: str | None = None
    missing: tuple[float | str, ...] = ()
    duplicates: Literal["refuse", "mean", "first", "last"] = "refuse"
    gaps: Literal["missing", "refuse"] = "missing"
    order: Literal["refuse", "sort"] = "refuse"
    resample: str | None = None
    frequency: str | None = None
    cells: str | None = None
    period: tuple[int, ...] | None = None
    encoding: str = "utf-8"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", "'", "space"] | None = None
    skip: int = Field(default=0, ge=0)
    below: int = Field(default=0, ge=0)
    columns: tuple[str, ...] | None = None
    series: tuple[str, ...] | None = None
    agent: str | None = None
    joint: bool | None = None
    variables: tuple[str, ...] | None = None
    select: dict[str, int] = Field(default_factory=dict)
    dims: tuple[str, ...] | None = None
    color: Literal["gray", "rgb"] = "gray"
    size: float | tuple[int, int] | None = None
    every: int = Field(default=1, ge=1)
    memory: str = "2GB"
    roles: dict[str, Role] = Field(default_factory=dict)
    circular: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)

    @field_validator(
        "time_parts", "missing", "period", "columns", "series", "variables", "dims", mode="before"
    )
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return value if value is None or isinstance(value, list | tuple) else (value,)

    @field_validator("time", mode="before")
    @classmethod
    def _time_is_one_column(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            parts = option_line({"time_parts": value})
            raise ValueError(f"columns that make the stamps together are named with {parts}")
        return value

    @field_validator("size", mode="before")
    @classmethod
    def _a_size_is_a_factor_or_height_and_width(cls, value: Any) -> Any:
        if value is None or (isinstance(value, float | int) and 0 < value <= 1):
            return None if value is None else float(value)
        two = isinstance(value, list | tuple) and len(value) == 2
        if two and all(isinstance(size, int) and size >= 1 for size in value):
            return tuple(value)
        raise ValueError("give a factor above 0 and up to 1, or height and width such as [68,160]")

    @field_validator("missing")
    @classmethod
    def _numbers_are_numbers(cls, values: tuple[float | str, ...]) -> tuple[float | str, ...]:
        return tuple(_as_number(value) for value in values)

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        if self.thousands == self.decimal:
            mark, other = self.decimal, "," if self.decimal == "." else "."
            raise ValueError(
                f"data.thousands={mark!r} is the decimal mark too; give data.decimal={other!r} beside it"
            )
        return self

    @field_validator("period")
    @classmethod
    def _periods_are_longer_than_a_frame(cls, periods: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if periods is not None and any(period < 2 for period in periods):
            raise ValueError("a period is a whole number of frames, at least 2")
        return None if periods is None else tuple(sorted(set(periods)))

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Options from a mapping, such as a recipe's `data` section.

        Raises:
            InputError: an unknown option, or a value that does not fit; names the option.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(_sentence(first, tuple(cls.model_fields))) from None

    def amended(self, mend: Mapping[str, Any]) -> Self:
        """These options with a remedy applied; lists are extended and mappings merged."""
        changed = {}
        for name, value in mend.items():
            before = getattr(self, name)
            if name == "missing":
                value = (*before, *value)
            elif isinstance(value, Mapping):
                value = {**before, **value}
            changed[name] = value
        return type(self).model_validate({**self.model_dump(), **changed})


def option_line(mend: Mapping[str, Any]) -> str:
    """A remedy as it is typed: `data.duplicates=mean`, `roles.Date=ignore`."""
    words = []
    for name, value in mend.items():
        if isinstance(value, Mapping):
            prefix = name if name in BY_COLUMN else f"data.{name}"
            words += [f"{_quoted(f'{prefix}.{key}')}={_typed(item)}" for key, item in value.items()]
        else:
            words.append(f"data.{name}={_typed(value)}")
    return " ".join(words)


def closest(name: str, known: tuple[str, ...]) -> str:
    """A phrase that names what was probably meant, or what there is."""
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return f"there is {shown or 'none'}"


def _as_number(value: float | str) -> float | str:
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _typed(value: Any) -> str:
    if isinstance(value, list | tuple):
        text = "[" + ",".join(_item(item) for item in value) + "]"
        return f'"{text}"' if "'" in text else text  # a shell takes off the outer quotes alone
    if isinstance(value, str) and "'" in value:
        return f'"{value}"'
    return _item(value)


def _item(value: Any) -> str:
    """As YAML reads it."""
    if isinstance(value, float):
        return f"{value:g}" if value == float(f"{value:g}") else repr(value)
    return _quoted(str(value))


def _quoted(text: str) -> str:
    plain = any(map(str.isalnum, text)) and all(mark.isalnum() or mark in "._-+:/" for mark in text)
    if plain and text.lower() not in _YAML_WORDS:
        return text
    return "'" + text.replace("'", "''") + "'"


def _sentence(error: Any, known: tuple[str, ...]) -> str:
    where = [str(part) for part in error["loc"] if part not in ("float", "str")]
    option = ".".join(where)
    if error["type"] == "extra_forbidden":
        return f"data.{option} is not an option; {closest(option, known)}"
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not where:
        return f"{message}."
    name = option if where[0] in BY_COLUMN else f"data.{option}"
    return f"{name}={error['input']!r} cannot be used: {message}."
