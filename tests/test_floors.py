"""A module imports only from the floors below its own. Read with `ast`: nothing is imported here."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "variformer"
FLOORS = [
    {"configs"},
    {"randomness", "ranges", "paths", "hub", "parent", "command", "processes", "samples", "searching"},
    {"run_directory"},
    {"layers", "metrics"},
    {"models", "objectives"},
    {"data", "weights", "generation", "analysis"},
    {"training"},
    {"config"},
    {"sweeps", "portable"},
    {"exchange"},
    {"runs"},
    {"api"},
    {"cli"},
]
HEIGHT = {package: height for height, packages in enumerate(FLOORS) for package in packages}

# What the lower floors may import from elsewhere; a config is checked without importing torch.
FOREIGN = {
    "randomness": {"numpy"},
    "ranges": {"annotated_types"},
    "hub": {"huggingface_hub"},
    "parent": set(),
    "configs": set(),
    "command": set(),
    "processes": set(),
    "paths": set(),
    "samples": {"numpy", "torch", "PIL"},  # the last two only in annotations
    "searching": {"numpy", "optuna"},
    "run_directory": {"torch"},
    "layers": {"torch"},
    "metrics": {"numpy", "sklearn", "scipy", "sacrebleu", "rouge_score"},
    "models": {"torch"},
    "objectives": {"torch", "numpy"},
    "generation": {"torch", "numpy"},
    "weights": {"torch", "safetensors", "huggingface_hub", "onnxruntime", "onnxscript"},
    "config": {"hydra", "omegaconf", "pydantic", "annotated_types", "yaml"},
}
ONLY_IN = {
    "lightning": {"training", "runs", "api"},
    "hydra": {"config", "sweeps", "api", "cli"},
    "omegaconf": {"config", "sweeps", "exchange", "runs", "api", "cli"},
    "typer": {"cli"},
    "transformers": set(),
    "timm": set(),
}
SLOW = {
    "datasets",
    "torchvision",
    "sklearn",
    "scipy",
    "sacrebleu",
    "rouge_score",
    "wandb",
    "matplotlib",
    "huggingface_hub",
}  # imported by the functions that use them

# The code that goes along with an exported model: it is shipped, never imported here, and needs these two alone.
REMOTE = ("variformer", "portable", "remote")
INSTALLED_THERE = {"torch", "transformers"}

DOORS = {"__init__": "api", "__main__": "cli"}  # the first imports within the functions that a user calls
STUDY = Path("study")  # the templates of `variformer new`, which are a user's own

MODULES = sorted(
    path for file in PACKAGE.rglob("*.py") if not (path := file.relative_to(PACKAGE)).is_relative_to(STUDY)
)


def imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The full name of everything that a module of `package` imports, at its top or within."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            origin = (*base, *(node.module.split(".") if node.module else ()))
            yield from ((*origin, alias.name) for alias in node.names)


def breaches(path: Path, source: str) -> list[str]:
    """What the module at `path`, relative to the package, imports against the rules."""
    tree, own = ast.parse(source), path.with_suffix("").parts[0]
    package = ("variformer", *path.parent.parts)
    found = []
    for name in imports(tree, package):
        allowed = own_allows(own, name[1]) if name[0] == "variformer" else foreign_allows(own, name[0])
        if package[: len(REMOTE)] == REMOTE:
            allowed = name[: len(REMOTE)] == REMOTE or name[0] in INSTALLED_THERE | sys.stdlib_module_names
        elif name[: len(REMOTE)] == REMOTE:
            allowed = False
        if not allowed:
            found.append(f"{path} imports {'.'.join(name)}")
    top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    slow = SLOW | {"variformer"} if path == Path("__init__.py") else SLOW
    return found + [f"{path} imports {name[0]} at its top" for name in imports(top, package) if name[0] in slow]


def rooms(package: str) -> dict[str, set[str]]:
    """Each room of a package, a folder or a module of it, and the others that it imports."""
    found: dict[str, set[str]] = {}
    for path in MODULES:
        if path.parts[0] != package or len(path.parts) < 2:
            continue
        tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
        room = path.with_suffix("").parts[1]
        names = [
            name for name in imports(tree, ("variformer", *path.parent.parts)) if name[:2] == ("variformer", package)
        ]
        found.setdefault(room, set()).update(name[2] for name in names if len(name) > 2 and name[2] != room)
    return found


def reached(room: str, arrows: dict[str, set[str]], seen: frozenset[str] = frozenset()) -> set[str]:
    """The rooms that `room` imports, and those that these import."""
    further = arrows.get(room, set()) - seen
    return further.union(*(reached(each, arrows, seen | further) for each in further))


def own_allows(own: str, other: str) -> bool:
    if own == "config":
        return other in (own, "ranges", "paths", "configs", "command", "processes")
    if own in DOORS:
        return other == DOORS[own]
    return other == own or (own in HEIGHT and HEIGHT.get(other, len(FLOORS)) < HEIGHT[own])


def foreign_allows(own: str, other: str) -> bool:
    if other in sys.stdlib_module_names:
        return True
    return own in ONLY_IN.get(other, HEIGHT) and other in FOREIGN.get(own, {other})


def test_every_package_has_a_floor():
    assert {path.with_suffix("").parts[0] for path in MODULES} == HEIGHT.keys() | {"__init__", "__main__"}


@pytest.mark.parametrize("package", sorted({path.parts[0] for path in MODULES if len(path.parts) > 1}))
def test_the_rooms_of_a_package_import_no_circle(package):
    arrows = rooms(package)
    assert not {room for room in arrows if room in reached(room, arrows)}


def test_a_circle_of_rooms_is_seen():
    assert reached("a", {"a": {"b"}, "b": {"c"}, "c": {"a"}}) == {"a", "b", "c"}
    assert reached("a", {"a": {"b"}, "b": {"c"}, "d": {"a"}}) == {"b", "c"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_go_downward(path):
    assert not breaches(path, (PACKAGE / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("layers/block.py", "from ..models import GPT"),
        ("layers/block.py", "import einops"),
        ("metrics/text.py", "import torch"),
        ("metrics/text.py", "import sacrebleu"),
        ("metrics/text.py", "from ..objectives import Ratio"),
        ("objectives/next_token.py", "from variformer.models import GPT"),
        ("objectives/next_token.py", "def f():\n    from .. import models"),
        ("weights/tables/bert.py", "from ...data import Corpus"),
        ("training/watching/curves.py", "from ...runs.train import train"),
        ("config/check.py", "from .. import randomness"),
        ("config/check.py", "import torch"),
        ("data/text.py", "import lightning as L"),
        ("data/text.py", "import datasets"),
        ("randomness.py", "from .layers import Block"),
        ("__init__.py", "def f():\n    from .layers import Block"),
        ("__init__.py", "from .api import interface"),
        ("analysis/cost.py", "def f():\n    import transformers"),
        ("portable/writing.py", "import transformers"),
        ("portable/writing.py", "from .remote import decoding"),
        ("exchange/exporting.py", "from ..portable.remote.decoding import StepCache"),
        ("portable/remote/decoding.py", "from ...layers import Block"),
        ("portable/remote/decoding.py", "import numpy"),
    ],
)
def test_breaches_are_seen(path, source):
    assert breaches(Path(path), source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/gpt.py", "from ..layers import Block\nimport math\nfrom torch import nn"),
        ("training/watching/curves.py", "from ...analysis import figures\nfrom ..record import record"),
        ("data/text.py", "def f():\n    import datasets"),
        ("objectives/sequence_classification.py", "from ..metrics.classification import macro_f1"),
        ("metrics/text.py", "import numpy\ndef f():\n    import sacrebleu"),
        ("portable/remote/decoding.py", "import transformers\nfrom torch import nn\nfrom .parts import PARTS"),
        ("runs/train.py", "import lightning as L\nfrom ..config import check"),
        ("__init__.py", "def f():\n    from .api import interface"),
    ],
)
def test_what_goes_downward_is_allowed(path, source):
    assert not breaches(Path(path), source)
