"""Models, objectives and data that do not fit each other are refused by the config alone, with choices that do."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from variformer.config import ConfigError, check, register_resolvers
from variformer.config.checking.compatibility import misfits, options, target_of
from variformer.config.checking.defaults import with_defaults
from variformer.config.classes.attributes import declared
from variformer.config.composing.compose import compose as checked

CONF = Path(__file__).parents[2] / "conf"
PAIRED = {"bert", "albert"}  # the models that have a head for pairs


def stems(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml") if target_of(path))


def node(group: str, option: str) -> dict[str, Any]:
    return {"_target_": target_of(CONF / group / f"{option}.yaml")}


def run(model: str, objective: str, data: str) -> dict[str, Any]:
    images = data == "digits"
    parts = {"model": node("model", model), "objective": node("objective", objective), "data": node("data", data)}
    rest = {"tokenizer": None, "length": None} if images else {"tokenizer": node("tokenizer", "bytes"), "length": 8}
    complete: dict[str, Any] = with_defaults(parts) | rest
    return complete


@pytest.mark.parametrize("model", stems("model"))
def test_pairs_that_work_are_accepted_and_no_others(model):
    kind = declared(node("model", model), "kind")
    for objective in stems("objective"):
        trains, reads, unfit = (declared(node("objective", objective), name) for name in ("trains", "reads", "unfit"))
        works = kind == trains and ("pair_classes" not in (unfit or {}) or model in PAIRED)
        for data, holds in (("python_docs", "text"), ("digits", "images")):
            found = list(misfits(run(model, objective, data)))
            assert (found == []) == (works and reads == holds), (model, objective, data, found)


def test_some_pairs_work_and_most_do_not():
    """What follows from the classes is what the papers say."""
    for model, objective in (("gpt", "next_token"), ("bert", "masked_tokens_and_pairs"), ("t5", "span_corruption")):
        assert list(misfits(run(model, objective, "python_docs"))) == []
    for model, objective in (("gpt", "masked_tokens"), ("bert", "next_token"), ("roberta", "masked_tokens_and_pairs")):
        assert list(misfits(run(model, objective, "python_docs"))) != []


@pytest.mark.parametrize("group", ["model", "objective", "data"])
def test_each_option_says_what_it_is(group):
    words = {"model": ["kind"], "objective": ["trains", "reads"], "data": ["holds"]}[group]
    silent = {o: w for o in stems(group) for w in words if declared(node(group, o), w) is None}
    mixtures = {o for o in silent if target_of(CONF / group / f"{o}.yaml") == "variformer.data.Mixture"}
    assert silent.keys() - mixtures == set()  # a mixture holds what its parts hold


def complaints(*overrides: str) -> list[str]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"), pytest.raises(ConfigError) as caught:
        checked(compose("train", list(overrides)))
    return caught.value.problems


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["experiment=gpt", "model=bert"],
            ["model: Bert is an encoder", "choose model=bloom, gpt, ", "or objective=full_sen"],
        ),
        (["experiment=gpt", "data=digits"], ["data: ImageData holds images", "choose data=", "python_docs", "or obj"]),
        (["experiment=vit", "data=python_docs"], ["data: TextData holds text", "digits", "or objective=full_sent"]),
        (["experiment=vit", "model=gpt"], ["model: GPT is a causal decoder", "choose model=deit, vit, or objective="]),
        (["experiment=bert", "model=distilbert"], ["model.pair_classes: MaskedTokensAndPairs", "model.pair_classes=2"]),
        (["experiment=bert", "model=modern_bert"], ["model: ModernBert has no pair_classes, which MaskedTokensAndP"]),
        (["experiment=gpt", "length=null"], ["length: text needs a number"]),
        (["experiment=vit", "objective.monitor=top2"], ["objective.monitor: 'top2' is no metric of", "`top5`"]),
        (["experiment=gpt", "tokenizer=none"], ["tokenizer: text needs a tokenizer"]),
        (["experiment=vit", "tokenizer=bytes"], ["tokenizer: images need no tokenizer"]),
    ],
    ids=lambda value: " ".join(value) if "=" in value[0] else "",
)
def test_one_line_names_the_choices_that_fit(overrides, words):
    (line,) = complaints(*overrides)
    assert all(word in line for word in words), line
    assert "\n" not in line


def test_a_task_within_an_objective_must_fit_too():
    config = run("bert", "token_distillation", "python_docs")
    config["objective"]["task"] = node("objective", "next_token")
    (line,) = misfits(config)
    assert "NextToken (objective.task) trains a causal decoder" in line


def test_segments_are_needed_where_pairs_are():
    config = run("bert", "masked_tokens_and_pairs", "python_docs")
    config["model"]["segments"] = 1
    assert [line.partition(":")[0] for line in misfits(config)] == ["model.segments"]
    config["model"]["segments"] = 0  # all tokens look alike, as in RoBERTa's trials
    assert list(misfits(config)) == []


def test_a_class_that_says_nothing_fits_everything():
    config = run("gpt", "next_token", "python_docs")
    config["model"] = {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}
    assert list(misfits(config)) == []
    config["objective"] = {"_target_": "variformer.objectives.objective.Objective"}
    assert list(misfits(config)) == []


def test_without_hydra_the_choices_are_left_open():
    assert list(options("model", "kind", "causal decoder")) == []
    with pytest.raises(ConfigError, match=r"choose model=\.\.\., or objective=\.\.\."):
        check({"model": node("model", "bert"), "objective": node("objective", "next_token")})
