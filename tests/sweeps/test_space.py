import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from variformer.config import ConfigError
from variformer.sweeps.space import space_of, text


@pytest.mark.parametrize(
    ("grammar", "distribution"),
    [
        ("interval(0, 0.3)", FloatDistribution(0, 0.3)),
        ("interval(1, 8)", FloatDistribution(1, 8)),
        ("int(interval(1, 8))", IntDistribution(1, 8)),
        ("tag(log, interval(1e-5, 1e-2))", FloatDistribution(1e-5, 1e-2, log=True)),
        ("tag(log, int(interval(8, 512)))", IntDistribution(8, 512, log=True)),
        ("range(1, 9, 2)", IntDistribution(1, 7, step=2)),
        ("range(4)", IntDistribution(0, 3)),
        ("range(10, 1, -2)", IntDistribution(2, 10, step=2)),
        ("range(0, 1, 0.1)", FloatDistribution(0, 0.9, step=0.1)),
        ("tag(log, range(1, 65))", IntDistribution(1, 64, log=True)),
        ("choice(learned, rotary)", CategoricalDistribution(["learned", "rotary"])),
        ("learned,rotary", CategoricalDistribution(["learned", "rotary"])),
        ("choice(1e-4, 3, true, rotary)", CategoricalDistribution([1e-4, 3, True, "rotary"])),
        ("null,1", CategoricalDistribution(["null", 1])),
        ("choice([1, 2], {a: 1})", CategoricalDistribution(["[1,2]", "{a:1}"])),
        ("rotary", CategoricalDistribution(["rotary"])),
        (3e-4, CategoricalDistribution([3e-4])),
        (None, CategoricalDistribution(["null"])),
        (False, CategoricalDistribution([False])),
    ],
)
def test_the_grammar_becomes_a_distribution(grammar, distribution):
    assert space_of({"model.value": grammar}) == {"model.value": distribution}


def test_the_last_step_of_a_fractional_range_is_exact():
    """Added up in binary fractions, eight steps of 0.1 are less than 0.8, which would be a ninth value."""
    assert space_of({"a": "range(0, 0.8, 0.1)"})["a"].high == 0.7


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("interval(5, 1)", "larger one"),
        ("interval(1, 1)", "larger one"),
        ("interval(0, inf)", "larger one"),
        ("tag(log, interval(0, 1))", "begin above 0"),
        ("tag(log, range(0, 8))", "begin above 0"),
        ("tag(log, range(1, 8, 2))", "steps of 1"),
        ("tag(log, choice(1, 2))", "only an interval or a range"),
        ("tag(normal, interval(0, 1))", "the tag normal"),
        ("range(3, 3)", "is empty"),
        ("range(1, 3, 0)", "is empty"),
        ("interval(1", "not Hydra's grammar"),
        ("interval(a, b)", "not Hydra's grammar"),
        ("glob(*)", "ConfigLoader"),
        ({"lr": "interval(0, 1)"}, "write each in full, such as optimizer.lr"),
    ],
)
def test_a_wrong_search_names_its_key_and_what_is_wrong(grammar, message):
    with pytest.raises(ConfigError) as caught:
        space_of({"seed": "range(3)", "optimizer": grammar})
    (problem,) = caught.value.problems
    assert problem.startswith("hydra.sweeper.params.optimizer")
    assert message in problem


def test_all_problems_are_listed_at_once():
    with pytest.raises(ConfigError) as caught:
        space_of({"a": "interval(2, 1)", "b": "interval(1", "c": "range(2)"})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("value", [3, 1e-05, 0.1 + 0.2, 1e22, True, False, None, "rotary"])
def test_a_value_is_read_back_as_it_was_proposed(value):
    read = OverridesParser.create().parse_override(f"a={text(value)}").value()
    assert (type(read), read) == (type(value), value)


def test_a_choice_is_read_back_as_it_was_written():
    choices = space_of({"a": "choice(x, 'two words', 1e-4, 12, true, [1, 2], {b: 1})"})["a"].choices
    read = [OverridesParser.create().parse_override(f"a={text(choice)}").value() for choice in choices]
    assert read == ["x", "two words", 1e-4, 12, True, [1, 2], {"b": 1}]
