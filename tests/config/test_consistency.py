"""Values that are wrong together; the rules' refusals are in test_check.py, their limits here."""

from typing import Any

import pytest

from variformer.config.checking.consistency import RULES, inconsistencies

ROTARY = {"_target_": "variformer.layers.RotaryPositions"}
RUN = {"max_steps": 10}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model": {"width": 12, "heads": 3}},
        {"model": {"width": 10, "heads": 3, "head_width": 4}},
        {"model": {"width": 12, "heads": 3, "positions": ROTARY}},
        {"model": {"width": 9, "heads": 3, "head_width": 4, "positions": ROTARY}},
        {"model": {"width": 24, "heads": 3, "positions": ROTARY | {"share": 0.25}}},
        {"model": {"width": 9, "heads": 3, "positions": {"_target_": "variformer.layers.LearnedPositions"}}},
        {"model": {"width": 12, "heads": 6, "attention": {"key_value_heads": 3}}},
        {"model": {"width": 12, "heads": 6, "attention": {"key_value_heads": None, "window": 1}}},
        {"model": {"depth": 5, "groups": 5}},
        {"model": {"depth": 5, "decoder_depth": None}},
        {"model": {"depth": 1, "decoder_depth": 2}},
        {"length": 128, "model": {"max_length": 128}},
        {"objective": {"teacher": "runs/bert/1", "copied_layers": [0, 2]}, "model": {"depth": 2}},
        {"objective": {"copied_layers": None}, "model": {"depth": 2}},
        {"length": 128, "model": {"width": 8}},
        {"tokenizer": {"vocab_size": 100}, "model": {"vocab_size": 100}},
        {"data": {"image_size": 8, "classes": 3}, "model": {"vocab_size": 100}},
        {"data": {"channels": 3, "mean": [0.5], "std": [0.2, 0.3, 0.4]}},
        {"global_batch": 12, "micro_batch": 3, "trainer": {"devices": 2, "nodes": 2}},
        {"global_batch": 7, "micro_batch": None, "trainer": {"devices": "auto"}},
        {"schedule": {"warmup": 10}},
        {"data": {"source": {"delimiter": "\t", "document_separator": "\n"}}},
        {"schedule": {"warmup": 0.1}},
        {"model": "a string", "trainer": None, "data": [1], "global_batch": "64"},  # reported by others
    ],
    ids=str,
)
def test_consistent(config):
    assert list(inconsistencies(RUN | config)) == []


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"model": {"width": 10, "heads": 3}}, "model.width"),
        ({"model": {"width": 9, "heads": 3, "positions": ROTARY}}, "model.positions"),
        ({"model": {"width": 12, "heads": 3, "head_width": 5, "positions": ROTARY}}, "model.positions"),
        ({"model": {"width": 12, "heads": 6, "attention": {"key_value_heads": 4}}}, "model.attention.key_value_heads"),
        ({"model": {"dropout": 0.1, "attention": {"dropout": 0.1}}}, "model.attention.dropout"),
        ({"model": {"depth": 4, "groups": 5}}, "model.groups"),
        ({"data": {"source": {"delimiter": r"\t"}}}, "data.source.delimiter"),
        ({"data": {"source": {"delimiter": ""}}}, "data.source.delimiter"),
        ({"data": {"source": {"document_separator": ""}}}, "data.source.document_separator"),
        ({"optimizer": {"nesterov": True, "momentum": 0}}, "optimizer.nesterov"),
        ({"length": 129, "model": {"max_length": 128}}, "length"),
        ({"model": {"image_size": 9, "patch_size": 2}}, "model.image_size"),
        ({"data": {"image_size": 8}, "model": {"image_size": 9}}, "model.image_size"),
        ({"data": {"classes": 8}, "model": {"classes": 9}}, "model.classes"),
        ({"data": {"channels": 1}, "model": {"channels": 3}}, "model.channels"),
        ({"data": {"channels": 1, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}}, "data.mean, data.std"),
        ({"data": {"channels": 3, "mean": [0.5, 0.5], "std": [0.5]}}, "data.mean, data.std"),
        ({"tokenizer": {"vocab_size": 101}, "model": {"vocab_size": 100}}, "tokenizer.vocab_size"),
        ({"global_batch": 12, "micro_batch": 5}, "global_batch"),
        ({"global_batch": 12, "micro_batch": 3, "trainer": {"devices": 8}}, "global_batch"),
        ({"global_batch": 12, "trainer": {"devices": 4, "nodes": 2}}, "global_batch"),
        ({"schedule": {"warmup": 11}}, "schedule.warmup"),
        ({"max_epochs": 1.0}, "max_steps, max_epochs"),
        ({"max_steps": None}, "max_steps, max_epochs"),
        ({"objective": {"teacher": None}}, "objective.teacher"),
        ({"objective": {"copied_layers": [0, 2]}, "model": {"depth": 3}}, "objective.copied_layers"),
        ({"objective": {"copied_layers": [0, 2]}, "model": {"depth": 2, "groups": 1}}, "objective.copied_layers"),
        ({"objective": {"copied_layers": [0]}, "model": {"depth": 1}, "init_from": "runs/bert/1"}, "init_from"),
    ],
    ids=str,
)
def test_inconsistent(config, key):
    found = list(inconsistencies(RUN | config))
    assert [line.split(":")[0] for line in found] == [key]


def test_means_of_other_channels_are_refused_with_the_cure():
    data = {"channels": 1, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    (line,) = inconsistencies(RUN | {"data": data})
    assert "3 and 3 numbers for data.channels=1; give 1, such as data.mean=[0.5] data.std=[0.5]" in line


def test_every_rule_can_refuse():
    worst: dict[str, Any] = {
        "length": 9,
        "global_batch": 7,
        "micro_batch": 2,
        "model": {
            "width": 10,
            "heads": 3,
            "positions": ROTARY,
            "attention": {"key_value_heads": 2, "dropout": 0.1},
            "max_length": 8,
            "vocab_size": 1,
        }
        | {"depth": 2, "groups": 3, "image_size": 5, "patch_size": 2},
        "data": {
            **{"image_size": 4, "channels": 1, "mean": [0.5, 0.5, 0.5]},
            "source": {"delimiter": "", "document_separator": ""},
        },
        "objective": {"teacher": None, "copied_layers": [0]},
        "tokenizer": {"vocab_size": 2},
        "max_steps": 1,
        "max_epochs": 1,
        "schedule": {"warmup": 2},
        "init_from": "runs/bert/1",
        "precision": "16-mixed",
        "optimizer": {"_target_": "torch.optim.Adafactor", "nesterov": True, "momentum": 0, "adamw_lr": 1.0},
        "tuning": {"adapters": {"rank": 1}},
        "trainer": {"strategy": "fsdp", "auto_micro_batch": True},
    }
    assert [rule.__name__ for rule in RULES if not list(rule(worst))] == []


@pytest.mark.parametrize(("share", "turned"), [(0.5, 3), (0.1, 0)])
def test_a_share_of_a_head_that_turns_is_pairs(share, turned):
    model = {"width": 12, "heads": 2, "positions": ROTARY | {"share": share}}
    (line,) = inconsistencies({"model": model} | RUN)
    assert line.startswith(f"model.positions.share: {share} of 6 is {turned}, but rotary positions turn pairs")
