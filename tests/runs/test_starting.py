"""Weights of other sizes, named by `init_from`: one line says which settings the source has."""

from pathlib import Path
from typing import Any

import pytest

from variformer.config import ConfigError, instantiate
from variformer.runs import warm_start as starting

LAYERS, MODELS = "variformer.layers", "variformer.models"
BERT: dict[str, Any] = {
    "_target_": f"{MODELS}.Bert",
    **{"vocab_size": 20, "width": 8, "depth": 2, "heads": 2, "hidden": 16, "max_length": 8},
}
ROTARY = {"_target_": f"{LAYERS}.RotaryPositions", "_partial_": True}
LEARNED = {"_target_": f"{LAYERS}.LearnedPositions", "_partial_": True}


@pytest.fixture
def start(monkeypatch):
    """(the config of the source, that of the model) -> the one line that refuses it."""

    def refused(source: dict[str, Any], model: dict[str, Any]) -> str:
        monkeypatch.setattr(starting, "read_model", lambda folder: (instantiate(source, "model"), []))
        monkeypatch.setattr(starting, "tokenizer_of", lambda folder: None)
        monkeypatch.setattr(starting, "locate", lambda name: name)
        with pytest.raises(ConfigError) as caught:
            starting.start_from("runs/x", instantiate(model, "model"), None, model)
        (line,) = caught.value.problems
        assert "\n" not in line
        return line

    return refused


def settings(line: str) -> list[str]:
    return line.partition("; set ")[2].partition(" (")[0].split()


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        ({"width": 12}, ["model.width=8"]),
        ({"depth": 3, "hidden": 32}, ["model.depth=2", "model.hidden=16"]),
        ({"segments": 0}, ["model.segments=2"]),
        ({"vocab_size": 30}, ["model.vocab_size=20"]),
        ({"_target_": f"{MODELS}.GPT"}, [f"model._target_={MODELS}.Bert"]),
    ],
    ids=str,
)
def test_the_sizes_of_the_source_are_the_cure(start, changes, cure):
    line = start(BERT, BERT | changes)
    assert line.startswith("init_from=runs/x: the model differs from its source; set ")
    assert settings(line)[: len(cure)] == cure


def test_other_parts_are_named_too(start):
    line = start(BERT | {"positions": ROTARY}, BERT | {"positions": LEARNED})
    assert settings(line) == [f"model.positions._target_={LAYERS}.RotaryPositions"]


def test_a_part_of_the_source_is_the_option_that_makes_it(start, monkeypatch):
    monkeypatch.setattr(starting, "config_folders", lambda: [Path(__file__).parents[2] / "conf"])
    line = start(BERT | {"positions": ROTARY}, BERT | {"positions": LEARNED})
    assert settings(line) == ["model/positions=rotary"]
    assert settings(start(BERT | {"positions": ROTARY}, BERT)) == ["model/positions=rotary"]  # learned by default


def test_what_fits_by_interpolation_is_no_cure(start):
    line = start(BERT | {"max_length": 4}, BERT | {"width": 12})
    assert settings(line) == ["model.width=8"]


def test_the_cure_works(monkeypatch):
    """A width that is the source's again; the vocabulary is the same, and no advice on it is given."""
    monkeypatch.setattr(starting, "read_model", lambda folder: (instantiate(BERT, "model"), []))
    monkeypatch.setattr(starting, "tokenizer_of", lambda folder: None)
    monkeypatch.setattr(starting, "locate", lambda name: name)
    with pytest.raises(ConfigError) as caught:
        starting.start_from("runs/x", instantiate(BERT | {"width": 12}, "model"), None, BERT | {"width": 12})
    assert "tokenizer=pretrained" not in str(caught.value)
    monkeypatch.setattr(starting, "digest", lambda model: "")
    monkeypatch.setattr(starting, "locate", Path)
    assert starting.start_from("runs/x", instantiate(BERT, "model"), None, BERT)["new"] == []
