"""What a run can be asked for, in one process and a few steps."""

import json
import math
from pathlib import Path

import pytest

from variformer.runs.train import train
from variformer.training.loggers import read_curves

TINY = ["debug=fast", "model.width=32", "model.depth=2", "model.heads=2", "model.hidden=64", "samples=none"]
TEXT = [*TINY, "length=32"]
T5 = [*TEXT, "model.head_width=16"]


def curves(config) -> dict:
    rows = read_curves(Path(config["run_dir"]) / "metrics.csv")
    return {name: [value for _, other, value in rows if other == name] for name in {row[1] for row in rows}}


@pytest.mark.parametrize(
    "overrides",
    [
        ["experiment=vit", *TINY, "precision=bf16-mixed"],
        ["experiment=vit", *TINY, "precision=bf16-true", "optimizer=adamw"],
        ["experiment=vit", *TINY, "precision=16-mixed", "optimizer=adamw"],
        ["experiment=vit", *TINY, "max_steps=null", "max_epochs=0.01", "schedule=linear", "trainer.progress=false"],
        ["experiment=vit", *TINY, "objective.mixup=0.2", "objective.cutmix=1.0", "data/augmentation=none"],
        ["experiment=gpt", *TEXT, "objective.isolate_documents=true", "model/positions=relative", "schedule=constant"],
        ["experiment=bert", *TEXT, "objective=masked_tokens", "objective.whole_words=true", "tokenizer=roberta_bpe"],
        ["experiment=roberta", *TEXT, "objective.ngrams=2", "objective.fixed_count=false"],
        ["experiment=albert", *TEXT, "model.groups=2", "objective.whole_words=false", "tokenizer=roberta_bpe"],
        ["experiment=bart", *TEXT, "objective.permute_sentences=false", "model/positions=relative"],
        ["experiment=t5", *T5, "model=t5_v1_1", "model/positions=rotary", "schedule=inverse_square_root"],
    ],
    ids=lambda overrides: " ".join(each for each in overrides if each not in T5),
)
def test_options_train(composed, overrides):
    config = composed(*overrides)
    assert math.isfinite(train(config))
    assert "train/loss" in curves(config)


@pytest.mark.slow
def test_checkpointing_changes_nothing_but_memory(composed):
    values = [train(composed("experiment=gpt", "debug=fast", f"checkpointing={on}")) for on in ("true", "false")]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_accumulation_equals_one_large_batch(composed):
    values = [train(composed("experiment=gpt", *TEXT, f"micro_batch={size}", "eval_batch=4")) for size in (1, 2, 4)]
    assert values == pytest.approx([values[0]] * 3, rel=1e-5)


def test_speed_rates_and_losses_are_recorded(composed):
    config = composed("experiment=gpt", *TEXT)
    train(config)
    recorded = curves(config)
    assert len(recorded["train/loss"]) == 4
    assert len(recorded["val/bits_per_byte"]) == 2  # the second at the end
    assert all(value > 0 for value in recorded["speed/tokens_per_second"])
    assert all(0 <= value <= 1 for value in recorded["speed/waiting_for_data"])
    assert all(0 < value < 1.5 for value in recorded["speed/model_flops_utilisation"])
    assert recorded["spent/tokens"] == [4 * config["length"] * step for step in (1, 2, 3, 4)]
    assert {name for name in recorded if name.startswith("lr/")}


def test_early_stopping_stops(composed):
    config = composed(
        "experiment=vit",
        *TINY,
        "callbacks=[default,early_stopping]",
        "callbacks.early_stopping.patience=1",
        "callbacks.early_stopping.min_delta=1",
        "max_steps=40",
    )
    train(config)
    assert json.loads((Path(config["run_dir"]) / "metrics.json").read_text())["step"] < 10


@pytest.mark.slow
def test_a_compiled_run_learns_what_an_uncompiled_one_does(composed):
    values = [train(composed("experiment=gpt", "debug=fast", f"compile={mode}")) for mode in ("default", "none")]
    assert values[0] == pytest.approx(values[1], rel=1e-4)
