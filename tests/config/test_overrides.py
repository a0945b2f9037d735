"""Overrides that Hydra would refuse as they are written."""

from pathlib import Path

import pytest

from variformer.config import spelled

CONF = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize(
    ("argument", "read_as"),
    [
        ("model.positions=rotary", "model/positions=rotary"),
        ("data.augmentation=none", "data/augmentation=none"),
        ("model.positions=spiral", "model.positions=spiral"),
        ("model.positions=learned,rotary", "model.positions=learned,rotary"),
        ("model.width=64", "model.width=64"),
        ("optimizer.lr=0.1", "optimizer.lr=0.1"),
        ("experiment=gpt", "experiment=gpt"),
        ("data.path=/etc/hosts", "data.path=/etc/hosts"),
        ("-m", "-m"),
        ("data.source.columns.text=review", "++data.source.columns.text=review"),
        ("...=gpt", "...=gpt"),
    ],
)
def test_a_group_may_be_written_with_dots(argument, read_as):
    assert spelled([argument], [CONF]) == [read_as]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        (r'k="\n\n\n"', "\n\n\n"),  # as conf/data/text_files.yaml writes it
        (r"k=\n\n\n", "\n\n\n"),  # as it arrives from a shell without more quotation marks
        ("k=\n\n", "\n\n"),
        (r"k=\t", "\t"),
        ("k=\t", "\t"),
        (r"k=\r\n---\r\n", "\r\n---\r\n"),
        ("k=;", ";"),
        ("k=|", "|"),
        (r"k='\n'", r"\n"),
        (r'k="\\n"', r"\n"),
        (r"k=\\n", r"\n"),
        (r'k=["def f():\n", plain]', ["def f():\n", "plain"]),
        (r"k=[def f\n, 'a\n']", ["def f\n", r"a\n"]),
        (r"k={a: x\ty}", {"a": "x\ty"}),
        (r'k="a \"b\" \n"', 'a "b" \n'),
        (r"k=a\,b", "a,b"),
        ("k=books/*.txt", "books/*.txt"),
        ("k=", ""),
    ],
)
def test_white_space_means_what_it_means_in_yaml(argument, value):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    arguments = spelled([argument], [CONF])
    assert OverridesParser.create().parse_overrides(arguments)[0].value() == value
    assert spelled(arguments, [CONF]) == arguments or "\\" in str(value)  # a trial's command line is read once more


def test_values_of_a_sweep_may_be_white_space():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (sweep,) = OverridesParser.create().parse_overrides(spelled([r'k="\t",";"'], [CONF]))
    values = [
        OverridesParser.create().parse_overrides(spelled([f"k={value}"], [CONF]))[0].value()
        for value in sweep.sweep_string_iterator()
    ]
    assert values == ["\t", ";"]


@pytest.mark.parametrize("saved", ["repeat=runs/bert/1", "resume=true", "resume=True"])
def test_a_saved_run_may_have_keys_that_the_default_lacks(saved):
    arguments = ["objective.rate=0.2", saved, "seed=1", "hydra.job.chdir=false", "+a.b=1", "trainer=ddp", "-m"]
    assert spelled(arguments, [CONF]) == ["++objective.rate=0.2", *arguments[1:]]


@pytest.mark.parametrize("new", ["repeat=null", "resume=false", "resume=auto", "seed=1"])
def test_a_new_run_has_no_others(new):
    assert spelled(["objective.rate=0.2", new], [CONF]) == ["objective.rate=0.2", new]
