"""What is wrong with a source, with the option that mends it where there is one."""

from collections.abc import Mapping
from typing import Any

from rheos.core.errors import InputError
from rheos.data.options import option_line


class SourceError(InputError):
    """A source that cannot be read as it is.

    Attributes:
        what: what was found, and where.
        mend: the change of `DataOptions` that mends it, or None.
    """

    def __init__(self, what: str, mend: Mapping[str, Any] | None = None, advice: str = "") -> None:
        self.what = what
        self.mend = mend
        remedy = advice or (f"give {option_line(mend)}" if mend else "")
        sentence = f"{what}; {remedy}" if remedy else what
        super().__init__(sentence if sentence.endswith("?") else f"{sentence}.")
