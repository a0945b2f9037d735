"""Lightning's private names are used in one file, and each of them exists in the version that is installed."""

import ast
import inspect
from pathlib import Path

import lightning as L
import pytest
from lightning.pytorch.strategies import launchers
from lightning.pytorch.trainer.connectors import signal_connector

import variformer

PACKAGE = Path(variformer.__file__).parent
FILE = PACKAGE / "training" / "lightning_private.py"

# Each name, and what has to have it.
NAMES = {
    "_SubprocessScriptLauncher": lambda: launchers,
    "_SignalConnector": lambda: signal_connector,
    "register_signal_handlers": lambda: signal_connector._SignalConnector,
    "_signal_connector": lambda: L.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu"),
    "_call_children_scripts": lambda: launchers._SubprocessScriptLauncher,
    "_batches_that_stepped": lambda: inspect.getattr_static(
        L.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu").fit_loop, "epoch_loop"
    ),
}

# Private names of torch, which other files may use.
OF_TORCH = {
    "_pytree",
    "_set_params_and_buffers_to_ignore_for_model",
    "_step_supports_amp_scaling",
}


def private(path: Path) -> set[str]:
    """The private names in a file: of attributes, imports, methods, and in strings. `_target_` is one of Hydra's."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {id(each) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for each in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found |= {*(node.module or "").split("."), *(each.name for each in node.names)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            found |= {node.value} if node.value.isidentifier() else set()
    return {name for name in found if name.startswith("_") and name.strip("_") and not name.endswith("_")}


def imports_lightning(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    modules += [each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names]
    return any(module.split(".")[0] == "lightning" for module in modules)


@pytest.mark.parametrize("name", NAMES)
def test_lightning_has_the_private_name(name):
    assert hasattr(NAMES[name](), name), f"{FILE.name} uses {name}, which this version of Lightning lacks"


def test_every_private_name_in_the_file_is_listed():
    assert private(FILE) == {name for name in NAMES if name.startswith("_")}


OTHERS = [path for path in sorted(PACKAGE.rglob("*.py")) if path != FILE and imports_lightning(path)]


def test_files_that_import_lightning_are_found():
    assert PACKAGE / "training" / "module.py" in OTHERS and len(OTHERS) > 20


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_file_uses_a_private_name_of_lightnings(path):
    assert private(path) <= OF_TORCH
