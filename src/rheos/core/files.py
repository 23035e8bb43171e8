"""Files that are either whole or absent: write aside, then rename."""

import json
import os
from pathlib import Path
from typing import Any

from torch import Tensor

from rheos.core.errors import InputError


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it is never seen half-written."""
    aside = path.with_name(path.name + ".writing")
    with open(aside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON, keys in the order given, NaN refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: the file is absent or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: it is not JSON ({error}).") from error


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors as safetensors so that the file is never seen half-written."""
    from safetensors.torch import save_file

    aside = path.with_name(path.name + ".writing")
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, aside)
    os.replace(aside, path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; nothing in it is ever run.

    Raises:
        InputError: the file is absent or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except SafetensorError as error:
        raise InputError(f"{path} is damaged: {error}.") from error
