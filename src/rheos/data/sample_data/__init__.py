"""Small data sets shipped with Rheos, for the demo, the docs and the tests; provenance lies beside each."""

from pathlib import Path

from rheos.core.errors import InputError

SAMPLES: tuple[str, ...] = ("elnino",)


def _file(name: str, suffix: str) -> Path:
    if name not in SAMPLES:
        raise InputError(f"there is no sample data set {name!r}; choose one of {', '.join(SAMPLES)}.")
    return Path(__file__).with_name(name + suffix)


def path(name: str) -> Path:
    """Where a sample data set lies, a CSV file any reader takes.

    Args:
        name: one of `SAMPLES`; "elnino" is the monthly sea-surface temperature (degC) of the eastern
            equatorial Pacific, 1950-2010 (NOAA, public domain).

    Raises:
        InputError: no such data set.
    """
    return _file(name, ".csv")


def provenance(name: str) -> str:
    """What a sample data set is, where it comes from, under which terms, and how the file was made.

    Raises:
        InputError: no such data set.
    """
    return _file(name, ".txt").read_text(encoding="utf-8")
