"""The public interface: what stands in `__all__` is there, documented and typed. All else is private."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import variformer

ROOT = Path(__file__).parents[1]
PUBLIC = [
    "variformer",
    "variformer.data",
    "variformer.data.images.augmentation",
    "variformer.data.images.glyphs",
    "variformer.data.images.hub",
    "variformer.data.images.files",
    "variformer.data.images.sources",
    "variformer.data.images.data",
    "variformer.data.python_tasks",
    "variformer.generation",
    "variformer.layers",
    "variformer.models",
    "variformer.objectives",
    "variformer.training.callbacks",
    "variformer.training.lamb",
    "variformer.training.loggers",
    "variformer.training.optimizer",
    "variformer.training.schedules",
]
BY_FILE = ("variformer.layers", "variformer.models", "variformer.objectives")
SCRIPT = """
import variformer
config = variformer.compose("experiment=gpt", config_dir="mine")
run: variformer.Run = variformer.train(config)
loss: float = run.metrics["val/loss"] + run.curves["val/loss"][10]
scores: dict[str, float] = variformer.evaluate(run, "test", eval_batch=8)
model, tokenizer = run.load("best")
model.eval()
version: str = variformer.__version__
"""
MISTAKES = {
    'variformer.evaluate(".", "tset")': "arg-type",
    "variformer.compose(1)": "arg-type",
    'variformer.Run(".").metric': "attr-defined",
    "variformer.trian({})": "attr-defined",
}


def members(name: str) -> dict[str, object]:
    """What a module offers, and of the rooms of models, parts and objectives each class of their files."""
    module = importlib.import_module(name)
    found = {each: getattr(module, each) for each in module.__all__}
    if name in BY_FILE:
        for file in (importlib.import_module(f"{name}.{each.name}") for each in pkgutil.iter_modules(module.__path__)):
            classes = [each for each in vars(file).values() if inspect.isclass(each)]
            found |= {each.__name__: each for each in classes if each.__module__ == file.__name__}
    return found


def is_protocol(kind: type) -> bool:
    return typing.Protocol in kind.__mro__


def unannotated(function: typing.Any) -> list[str]:
    """The parameters without a type."""
    parameters = list(inspect.signature(function).parameters.values())
    return [each.name for each in parameters if each.annotation is inspect.Parameter.empty and each.name != "self"]


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_is_there_and_documented(name):
    assert importlib.import_module(name).__doc__
    for each, member in members(name).items():
        ours = getattr(member, "__module__", "").startswith("variformer.")
        if ours and (inspect.isclass(member) or inspect.isfunction(member)):
            assert inspect.getdoc(member), f"{name}.{each} has no docstring"


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_is_typed(name):
    for each, member in members(name).items():
        if inspect.isfunction(member):
            assert inspect.signature(member).return_annotation is not inspect.Signature.empty, f"{name}.{each}"
            assert not unannotated(member), f"{name}.{each}"
        elif inspect.isclass(member) and inspect.isfunction(member.__init__) and not is_protocol(member):
            assert not unannotated(member.__init__), f"{name}.{each}"


def test_everything_that_a_config_names_is_public():
    public = {id(member) for name in PUBLIC for member in members(name).values()}
    text = "".join(file.read_text() for file in (ROOT / "conf").rglob("*.yaml"))
    targets = set(re.findall(r"_target_: (variformer\.[\w.]+)", text)) - {
        "variformer.config.composing.folder_check.FolderCheck"
    }
    assert len(targets) > 30
    for target in sorted(targets):
        module, _, name = target.rpartition(".")
        assert id(getattr(importlib.import_module(module), name)) in public, target


def test_the_package_says_that_it_is_typed():
    assert (Path(variformer.__file__).parent / "py.typed").is_file()
    assert dir(variformer) == variformer.__all__
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        variformer.trian  # noqa: B018


@pytest.mark.slow
def test_a_type_checker_reads_a_users_script(tmp_path):
    lines = [*SCRIPT.strip().splitlines(), *MISTAKES]
    (tmp_path / "script.py").write_text("\n".join(lines))
    words = [sys.executable, "-m", "mypy", "--ignore-missing-imports", "--follow-imports=silent", "script.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    first = len(lines) - len(MISTAKES) + 1
    found = {int(line.split(":")[1]): line for line in done.stdout.splitlines() if ": error: " in line}
    assert found.keys() == set(range(first, len(lines) + 1)), done.stdout + done.stderr
    for (mistake, kind), line in zip(MISTAKES.items(), found.values(), strict=True):
        assert f"[{kind}]" in line, mistake
