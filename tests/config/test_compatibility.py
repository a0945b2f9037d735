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
ENCODERS = {"bert", "roberta", "albert", "distilbert", "modern_bert"}
DECODERS = {"gpt", "gpt_neox", "llama", "mistral", "qwen3", "bloom", "mpt"}
DENOISERS = {"t5", "t5_v1_1", "bart"}
SEEING = {"vit", "deit"}
MASKED = {"masked_tokens", "full_sentences", "token_distillation"}
PAIRS = {"masked_tokens_and_pairs", "masked_tokens_and_order"}
DENOISING = {"span_corruption", "text_infilling", "mixture_of_denoisers"}
LOOKING = {"image_classification", "hard_distillation", "soft_distillation"}
WORKING = (
    [(model, "next_token") for model in DECODERS]
    + [(model, objective) for model in ENCODERS for objective in MASKED]
    + [(model, objective) for model in ("bert", "albert") for objective in PAIRS]  # the others have no head for pairs
    + [(model, objective) for model in DENOISERS for objective in DENOISING]
    + [("electra", "replaced_tokens")]
    + [(model, objective) for model in SEEING for objective in LOOKING]
)


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
    for objective in stems("objective"):
        for data, holds in (("python_docs", "text"), ("digits", "images")):
            found = list(misfits(run(model, objective, data)))
            reads = "images" if objective in LOOKING else "text"
            assert (found == []) == ((model, objective) in WORKING and reads == holds), (model, objective, data, found)


@pytest.mark.parametrize("group", ["model", "objective", "data"])
def test_each_option_says_what_it_is(group):
    words = {"model": ["kind"], "objective": ["trains", "reads"], "data": ["holds"]}[group]
    assert {o: w for o in stems(group) for w in words if declared(node(group, o), w) is None} == {}


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
