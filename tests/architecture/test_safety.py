"""Loading a model, a recipe or data never runs code from it; nothing is told to the network."""

import ast
import json
import pickle
import struct
from pathlib import Path

import pytest
import torch

from rheos.core.errors import InputError
from rheos.core.files import read_json, read_tensors
from rheos.forecast.forecaster import load, options
from rheos.forecast.model import FORMAT
from rheos.forecast.override import parse_words, read_yaml

SOURCE = Path(__file__).resolve().parents[2] / "src" / "rheos"
FILES = sorted(SOURCE.rglob("*.py"))
FORBIDDEN_MODULES = {
    *("pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"),
    *("socket", "http", "urllib", "requests", "ftplib", "smtplib", "telnetlib", "subprocess"),
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {
    *("torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("os.system", "os.popen", "pd.read_pickle"),
}
DOOR = SOURCE / "__init__.py"


def complaints(path, text):
    """Every place of a file that could run or fetch something from outside."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        at = f"{path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in FORBIDDEN_MODULES:
                    yield f"{at} imports {alias.name}"
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in FORBIDDEN_MODULES:
            yield f"{at} imports {node.module}"
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in FORBIDDEN_CALLS and isinstance(node.func, ast.Name):
                yield f"{at} calls {name}"
            if name == "import_module" and path != DOOR:
                yield f"{at} imports a module by a name"
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if (keyword.arg, value) in {("weights_only", False), ("allow_pickle", True), ("shell", True)}:
                    yield f"{at} sets {keyword.arg}={value}"
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in FORBIDDEN_ATTRIBUTES:
            yield f"{at} uses {ast.unparse(node)}"


def test_nothing_in_the_source_can():
    assert [line for path in FILES for line in complaints(path, path.read_text())] == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from urllib.request import urlopen",
        "torch.load(p)",
        "yaml.load(f)",
        "eval(text)",
        "np.load(p, allow_pickle=True)",
        "importlib.import_module(name)",
        "f(weights_only=False)",
    ],
)
def test_the_search_finds(line):
    assert list(complaints(Path("x.py"), line))


def test_the_door_imports_only_what_it_lists():
    """`rheos.name` imports by a table in the source, never by what a file or a caller says."""
    import rheos

    assert all(home.startswith("rheos.") for home in rheos._HOMES.values())
    with pytest.raises(AttributeError):
        _ = getattr(rheos, "os.system")


RECIPES = (
    "!!python/object/apply:pathlib.Path.touch [{marker}]",
    "!!python/object/new:os.system ['touch {marker}']",
    "process: !!python/name:os.system",
    "a: !!python/module:os",
)


@pytest.mark.parametrize("text", RECIPES)
def test_a_recipe_runs_nothing(text, tmp_path):
    marker = tmp_path / "ran"
    (tmp_path / "r.yaml").write_text(text.format(marker=marker))
    with pytest.raises(InputError):
        read_yaml(tmp_path / "r.yaml")
    with pytest.raises(InputError):
        options(tmp_path / "r.yaml")
    with pytest.raises(InputError):
        parse_words([f"process={text.format(marker=marker).split(': ')[-1]}"])
    assert not marker.exists()


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def header(content):
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text


def weights(bomb):
    """What may lie where weights belong."""
    return {
        "a pickle": pickle.dumps(bomb),
        "a pickle behind a header": header({"__metadata__": {"x": "y"}}) + pickle.dumps(bomb),
        "offsets beyond the file": header({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}),
        "a header without end": struct.pack("<Q", 2**62) + b"{}",
        "a type of objects": header({"a": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}) + b"8" * 8,
        "nothing": b"",
    }


@pytest.mark.parametrize("kind", weights(None))
def test_weights_run_nothing(kind, tmp_path):
    marker = tmp_path / "ran"
    (tmp_path / "model.safetensors").write_bytes(weights(Bomb(marker))[kind])
    with pytest.raises(InputError, match="damaged"):
        read_tensors(tmp_path / "model.safetensors")
    assert not marker.exists()


def test_weights_saved_by_torch_are_not_loaded(tmp_path):
    marker = tmp_path / "ran"
    torch.save({"a": Bomb(marker)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError):
        read_tensors(tmp_path / "model.safetensors")
    with pytest.raises(InputError):
        load(tmp_path)
    assert not marker.exists()


CONFIGS = (
    {"format": FORMAT, "recipe": {"process": {"kind": "os.system"}, "horizon": 1, "history": 1}},
    {"format": FORMAT, "recipe": {"process": {"kind": "dydiff", "_target_": "os.system"}}},
    {"format": FORMAT, "__class__": "os.system"},
    {"py/object": "os.system"},
    [],
    None,
    "rm",
)


@pytest.mark.parametrize("content", CONFIGS)
def test_a_config_names_no_code(content, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError):
        load(tmp_path)


def test_json_that_is_too_deep_or_no_json(tmp_path):
    for text in ("[" * 100_000, "{'a': 1}", "\x00"):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(InputError):
            read_json(tmp_path / "x.json")
