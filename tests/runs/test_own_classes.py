"""A user's own package: a model that is only an `nn.Module`, an objective, data and a callback."""

import re
import sys
from pathlib import Path

import pytest
import yaml

import variformer
from variformer.config import ConfigError
from variformer.config.classes import allowed_packages
from variformer.config.composing.saved_configs import recorded_config

STUDY = '''
from lightning import Callback
from torch import nn

from variformer.data.text import TextData
from variformer.layers import Transformer
from variformer.models import GPT
from variformer.objectives.next_token import NextToken
from variformer.ranges import Count, Probability


class Plain(nn.Module):
    """No width, no blocks, no kind: tokens to scores."""

    def __init__(self, tokens: Count = 300, wide: Count = 8):
        super().__init__()
        self.embed, self.score = nn.Embedding(tokens, wide), nn.Linear(wide, tokens)

    def forward(self, tokens, mask=None):
        return self.score(self.embed(tokens))


class Own(GPT):
    """All of the contract."""


class Smoothed(NextToken):
    def __init__(self, vocabulary, length, *, smoothing: Probability = 0.1, **others):
        super().__init__(vocabulary, length, **others)
        self.smoothing = smoothing

    def derive(self, means):
        return super().derive(means) | {"smoothing": self.smoothing}


class Steps(Callback):
    seen = 0

    def on_train_batch_end(self, trainer, module, *rest):
        Steps.seen += 1
        self.total = getattr(self, "total", 0) + 1

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]


class Texts(TextData):
    pass
'''
EXPERIMENT = """# @package _global_
# A model of one's own.
defaults:
  - override /model: plain
  - override /objective: next_token
  - override /data: python_docs
  - override /tokenizer: bytes
  - override /optimizer: torch
name: mine
length: 32
global_batch: 4
max_steps: 2
trainer: {accelerator: cpu, progress: false, validation_samples: 4}
schedule: {warmup: 0}
"""
SMALL = ["model.width=32", "model.heads=2", "model.hidden=64"]
QUICK = [
    *("experiment=gpt", "debug=fast", "tokenizer=bytes", "length=32", "samples=none", "trainer.progress=false"),
    *("max_steps=2", "optimizer=adamw", "trainer.accelerator=cpu"),
]
OWN = [
    *("allow=my_study", "objective._target_=my_study.Smoothed", "+objective.smoothing=0.2"),
    *("data._target_=my_study.Texts", "+callbacks.mine._target_=my_study.Steps", "+optimizer.alpha=0.9"),
    *("+callbacks.stats._target_=lightning.pytorch.callbacks.DeviceStatsMonitor", "+callbacks.stats.cpu_stats=false"),
    "+logger.mine._target_=lightning.pytorch.loggers.CSVLogger",
]

pytestmark = pytest.mark.usefixtures("no_picture_of_the_curves")


@pytest.fixture
def study(nothing_allowed):
    (nothing_allowed / "src").mkdir()
    (nothing_allowed / "src" / "my_study.py").write_text(STUDY)
    for name, text in {"experiment/mine": EXPERIMENT, "model/plain": "_target_: my_study.Plain\n"}.items():
        file = nothing_allowed / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return nothing_allowed


def forbid() -> None:
    """As in a new process that allows nothing."""
    allowed_packages.given.clear()
    allowed_packages.found.cache_clear()
    for name in [name for name in sys.modules if name == "my_study"]:
        del sys.modules[name]


def test_own_classes_train_resume_and_are_evaluated(study, capsys):
    run = variformer.train(variformer.compose("experiment=mine", *OWN))
    assert run.metrics["val/smoothing"] == 0.2
    assert any((run.path / "lightning_logs").rglob("metrics.csv"))
    assert "allow" not in yaml.safe_load((run.path / "config.yaml").read_text())
    assert "allow" not in recorded_config(run.path)
    longer = variformer.train(variformer.compose(f"run_dir={run.path}", "resume=true", "max_steps=4", "allow=my_study"))
    assert sys.modules["my_study"].Steps.seen == 4 and max(longer.curves["val/loss"]) == 4
    assert variformer.evaluate(run)["loss"] == longer.metrics["val/loss"]

    from variformer.exchange.describing import description

    assert description(run.path)["model"] == "Plain"
    again = variformer.compose(f"repeat={run.path}")
    assert again["model"]["_target_"] == "my_study.Plain"
    forbid()
    for read in (variformer.evaluate, variformer.load, lambda path: variformer.compose(f"repeat={path}")):
        with pytest.raises(ConfigError, match=r"model\._target_: .*package my_study.*allow=my_study.*VARIFORMER_ALLOW"):
            read(run.path)
    assert "my_study" not in sys.modules


def test_metrics_of_torchmetrics_are_curves(study):
    named = "torchmetrics.classification.MulticlassAccuracy"
    node = f"{{_target_: {named}, num_classes: 26, average: micro}}"
    vit = ["experiment=vit", "debug=fast", "trainer.progress=false", "trainer.accelerator=cpu", "max_steps=2"]
    run = variformer.train(variformer.compose(*vit, *SMALL, f"+metrics.exact={node}"))
    assert run.metrics["val/exact"] == pytest.approx(run.metrics["val/top1"])
    assert list(run.curves["val/exact"]) == [2]
    assert "exact" not in variformer.evaluate(run)  # which builds none of what a sent run may name
    with pytest.raises(ConfigError, match=r"metrics\.exact: MaskedTokens gives it no scores and labels"):
        variformer.compose("experiment=roberta", "objective=masked_tokens", f"+metrics.exact={node}")


def test_evaluation_builds_no_optimizer_callback_or_logger(study, monkeypatch):
    """A sent run names those that would write where they please; it is scored all the same."""
    run = variformer.train(variformer.compose(*QUICK, *SMALL))
    config = yaml.safe_load((run.path / "config.yaml").read_text())
    config["optimizer"] |= {"_partial_": True, "lr": 0.0}
    config["callbacks"]["x"] = {"_target_": "lightning.pytorch.callbacks.ModelCheckpoint", "dirpath": "planted"}
    config["logger"]["x"] = {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "planted"}
    (run.path / "config.yaml").write_text(yaml.safe_dump(config))
    built = []
    from variformer.config import build

    real = build.built
    monkeypatch.setattr(build, "built", lambda node, key, extra: (built.append(key), real(node, key, extra))[1])
    variformer.evaluate(run)
    assert set(built) == {"tokenizer", "data", "objective", "model"}
    assert not Path("planted").exists()


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("compile=default", "compile: is done to each variformer.layers.Block, but Plain has none"),
        ("checkpointing=true", "checkpointing: is done by variformer.layers.Transformer, but Plain has none"),
        ("trainer=fsdp", "trainer.strategy: fsdp splits each variformer.layers.Block, but Plain has none"),
    ],
)
def test_settings_that_need_blocks_are_refused(study, override, problem):
    from variformer.config import instantiate
    from variformer.config.schema import experiment
    from variformer.runs.run import missing_blocks

    config = experiment(variformer.compose("experiment=mine", "allow=my_study", override))
    assert next(missing_blocks(config, instantiate(config.model, "model"))).startswith(problem)
    own = instantiate({"_target_": "my_study.Own", "width": 8, "heads": 2, "depth": 1, "vocab_size": 9}, "model")
    assert list(missing_blocks(config, own)) == []


def test_a_plan_of_a_plain_model_has_memory_and_flops(study):
    from variformer.runs.plan import plan

    found = plan(variformer.compose("experiment=mine", "allow=my_study"))
    assert found.memory.total > 0 and found.flops > 0 and found.parts == {"embed": 2400, "score": 2700, "others": 0}


def test_a_model_without_a_kind_is_not_exported(study, capsys):
    from variformer.exchange.exporting import export

    run = variformer.train(variformer.compose("experiment=mine", "allow=my_study"))
    line = "transformers has no class for Plain, only for these: .*`kind`"
    assert re.search(f"exports: not as a Hugging Face folder, because model: {line}", capsys.readouterr().out)
    with pytest.raises(ValueError, match=line):
        export(run.path, study / "out")
    assert not (study / "out").exists()
