"""Which values fit which annotation."""

import ast

import pytest

from variformer.config.classes.annotations import misfit
from variformer.config.classes.signatures import REQUIRED, Parameter

NODE = {"_target_": "torch.nn.Identity"}


def complaints(
    annotation: str, value: object, default: object = REQUIRED, module: str = "variformer.layers"
) -> list[str]:
    parsed = ast.parse(annotation, mode="eval").body
    return list(misfit(value, "key", Parameter(module, parsed, default)))


@pytest.mark.parametrize(
    ("annotation", "fits", "does_not"),
    [
        ("int", [3, -1], [3.0, "3", True, None, [3], NODE]),
        ("float", [3, 3.5, float("inf")], ["3.5", "1e-3", True, None]),
        ("bool", [True], [1, 0, "true", None]),
        ("str", ["x", ""], [1, None, ["x"]]),
        ("int | None", [3, None], ["3", 0.5]),
        ("Optional[int]", [3, None], ["3", 0.5]),
        ("typing.Union[int, str]", [3, "3"], [0.5, None]),
        ("'int | None'", [3, None], ["3"]),
        ("Any", [3, None, NODE, "x"], []),
        ("list[int]", [[1, 2], []], [[1, "2"], 1, [0.5]]),
        ("Sequence[str]", [["a"], []], ["a", [1]]),
        ("tuple[float, float]", [[0.9, 0.99], [1, 0]], [[0.9], [1, 2, 3], ["a", "b"], 0.9]),
        ("tuple[int, ...]", [[], [1, 2, 3]], [["1"], 1]),
        ("dict[str, int]", [{"a": 1}], [{"a": "1"}, [1], {1: 1}]),
        ("Literal['a', 'b']", ["a"], ["c", 1, None]),
        ("int | Literal['auto']", [1, "auto"], ["two", 1.5]),
        ("Activation", ["gelu"], ["glue", 1]),  # an alias, imported from another module
        ("Positions", [NODE], ["rotary", 1, None, {"base": 1}]),
        ("Callable[[Sizes], Positions]", [NODE], ["rotary", 1]),
        ("nn.Module | None", [NODE, None], ["x"]),
        ("float | Tensor", [0.1, NODE], ["0.1"]),
        ("list[Callable]", [[NODE], []], [NODE, ["x"]]),
        ("Path", ["a/b"], [1]),
    ],
)
def test_strictly(annotation, fits, does_not):
    assert {repr(value): complaints(annotation, value) for value in fits if complaints(annotation, value)} == {}
    assert [value for value in does_not if len(complaints(annotation, value)) != 1] == []


def test_null_is_fine_where_it_is_the_default():
    assert complaints("int", None, default=None) == []
    assert complaints("int", None, default=0) == ["key: None is not int"]


def test_the_culprit_is_named_inside_a_list_or_a_dict():
    assert complaints("list[int]", [1, "2"]) == ["key[1]: '2' does not fit in a list, each item int"]
    assert complaints("dict[str, list[int]]", {"a": [1], "b": [0, None]}) == [
        "key.b[1]: None does not fit in dict[str, list[int]]"
    ]


def test_a_choice_suggests_the_nearest():
    (line,) = complaints("Activation", "gelu_tan")
    assert "did you mean `gelu_tanh`?" in line
    assert "relu_squared" in line


def test_a_long_value_is_cut_short():
    (line,) = complaints("int", "x" * 1000)
    assert len(line) < 120
