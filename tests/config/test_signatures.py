"""Signatures read from source equal those that Python reports after import."""

import importlib
import inspect
from types import ModuleType

import pytest

from variformer.config.classes.signatures import COMPUTED, REQUIRED, signature
from variformer.config.classes.targets import UNSAFE, find

MODULES = [
    "variformer.layers",
    "variformer.models",
    "variformer.training.schedules",
    "torch.nn",
    "torch.optim",
]
MODULES += ["torchvision.transforms.v2"]


def public_classes(module: ModuleType) -> list[type]:
    root = module.__name__.split(".")[0]
    found = [each for name, each in vars(module).items() if inspect.isclass(each) and not name.startswith("_")]
    return [each for each in found if each.__module__.startswith(root) and each.__init__ is not object.__init__]


def expected(kind: type) -> dict[str, object]:
    """Name -> default, of what can be given by name."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(kind).parameters.values()
    return {each.name: each.default for each in parameters if each.kind in by_name}


@pytest.mark.parametrize("name", MODULES)
def test_static_equals_real(name):
    module = importlib.import_module(name)
    compared = 0
    for kind in public_classes(module):
        if issubclass(kind, (tuple, BaseException)) or "Enum" in str(type(kind)):
            continue
        if any(kind.__module__.startswith(refused) for refused in UNSAFE):
            continue
        static = signature(find(f"{name}.{kind.__name__}"))
        real = expected(kind)
        missing = [each for each in real if each not in static.parameters]
        assert not missing or static.is_open, kind
        for each, default in real.items():
            found = static.parameters[each].default if each in static.parameters else COMPUTED
            assert (found is REQUIRED) == (default is inspect.Parameter.empty), (kind, each)
            assert found in (REQUIRED, COMPUTED) or found == default, (kind, each)
        compared += len(real)
    assert compared >= 10


def test_a_class_that_forwards_arguments_takes_those_of_its_base():
    known = signature(find("torch.nn.CELU"))
    assert list(known.parameters) == ["alpha", "inplace"]
    assert not known.is_open
    assert signature(find("torch.nn.Identity")).is_open  # *args, **kwargs to no one


def test_what_a_class_gives_its_base_is_no_argument_of_it():
    known = signature(find("torchmetrics.classification.MulticlassF1Score"))
    assert "beta" not in known.parameters and "num_classes" in known.parameters
    assert "specials" not in signature(find("variformer.models.DeiT")).parameters
