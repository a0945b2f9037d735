"""Every number that a config may give has a range, which stands in its annotation."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
import yaml

from variformer import ranges
from variformer.config.classes.annotations import misfit, type_of
from variformer.config.classes.signatures import REQUIRED, Parameter, signature
from variformer.config.classes.targets import ALLOWED, OWN, bindings, find, is_under, resolve, source_file, submodules

CONF = Path(__file__).parents[2] / "conf"


def modules(name: str) -> Iterator[str]:
    """A module, and all that are in it."""
    file = source_file(name)
    if file is not None:
        yield name
        for each in submodules(name) if file.name == "__init__.py" or file.is_dir() else ():
            yield from modules(f"{name}.{each}")


def own_classes() -> Iterator[str]:
    """All public classes of our own that a config may name."""
    for prefix in (each for each in ALLOWED if is_under(each, OWN)):
        for module in modules(prefix) if source_file(prefix) else ():
            for name, found in bindings(module).items():
                if isinstance(getattr(found, "node", None), ast.ClassDef) and not name.startswith("_"):
                    yield f"{module}.{name}"
        if source_file(prefix) is None:
            yield prefix


def targets_of(value: Any) -> Iterator[str]:
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from targets_of(each)
    if isinstance(value, dict) and isinstance(value.get("_target_"), str):
        yield value["_target_"]


def configured_classes() -> set[str]:
    """The classes of our own that a file of conf/ names."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in CONF.rglob("*.yaml"))
    own = [each for each in ALLOWED if is_under(each, OWN)]  # the rest is Hydra's, such as its callbacks
    return {target for file in files for target in targets_of(file) if any(is_under(target, each) for each in own)}


CLASSES = sorted({*own_classes(), *configured_classes()})


def without_range(kind: Any) -> bool:
    """Whether a type takes a number of which nothing is said."""
    if get_origin(kind) is Annotated:
        inner, *_ = get_args(kind)
        return inner not in (int, float) and without_range(inner)
    return kind in (int, float) or any(without_range(each) for each in get_args(kind) if each is not Ellipsis)


def numbers_without_range(known: Any) -> list[str]:
    parameters = known.parameters.items()
    own = [(name, each) for name, each in parameters if each.annotation is not None and is_under(each.module, OWN)]
    return [name for name, each in own if without_range(type_of(each.annotation, each.module))]


def test_the_walk_finds_the_classes():
    assert {"variformer.models.gpt.GPT", "variformer.training.lamb.Lamb", "variformer.data.images.ImageData"} <= {
        *CLASSES
    }
    assert configured_classes() >= {"variformer.data.TextData", "variformer.training.callbacks.Checkpoints"}


@pytest.mark.parametrize("target", CLASSES)
def test_each_number_of_a_class_has_a_range(target):
    assert numbers_without_range(signature(find(target))) == []


@pytest.mark.parametrize("name", ["Experiment", "TrainerSettings"])
def test_each_number_of_a_run_has_a_range(name):
    definition = resolve("variformer.config.schema", name)
    assert definition is not None
    assert numbers_without_range(signature(definition)) == []


def test_a_number_without_range_is_seen():
    for text in ("int", "float | None", "Sequence[int]", "tuple[float, ...]", "dict[str, int]", "int | Whole"):
        assert without_range(type_of(ast.parse(text, mode="eval").body, "variformer.ranges")), text
    for text in ("Whole | None", "Sequence[Positive]", "bool", "str", "Callable[[int], str]", "Any", "StepsOrShare"):
        assert not without_range(type_of(ast.parse(text, mode="eval").body, "variformer.ranges")), text


@pytest.mark.parametrize(
    ("name", "inside", "outside", "words"),
    [
        ("Whole", [0, 7], [-1, 1.5, True], "a whole number of 0 or more"),
        ("Count", [1, 7], [0, -1, 2.0], "a whole number of 1 or more"),
        ("Seed", [0, 2**32 - 1], [-1, 2**32], "a whole number from 0 to 4294967295"),
        ("Positive", [1e-9, 5, 5.5], [0, 0.0, -1, "1"], "a number above 0"),
        ("NotNegative", [0, 5.5], [-1e-9], "a number of 0 or more"),
        ("Probability", [0, 1, 0.5], [-0.1, 1.1], "a number from 0 to 1"),
        ("Fraction", [0.5], [0, 1], "a number above 0 and below 1"),
        ("PartOrAll", [0.5, 1], [0, 1.1], "a number above 0 and up to 1"),
        ("BelowOne", [0, 0.999], [1, 2, -1], "a number from 0 to below 1"),
        (
            "StepsOrShare",
            [0, 2000, 0.1],
            [2.5, 1.0, -1, -0.1],
            "a whole number of 0 or more, or a number from 0 to below 1",
        ),
        ("Positive | None", [1, None], [0], "a number above 0, or null"),
    ],
)
def test_a_range_takes_what_is_in_it_and_names_itself(name, inside, outside, words):
    parameter = Parameter(ranges.__name__, ast.parse(name, mode="eval").body, REQUIRED)
    assert {
        value: list(misfit(value, "key", parameter)) for value in inside if [*misfit(value, "key", parameter)]
    } == {}
    assert [list(misfit(value, "key", parameter)) for value in outside] == [
        [f"key: {value!r} is not {words}"] for value in outside
    ]
