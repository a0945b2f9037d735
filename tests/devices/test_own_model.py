"""A model of a user's own on several devices, compiled, sharded and in a sweep, by the commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = '''
from torch import nn

from variformer.layers import Attention, FeedForward, Positions, PreNormBlock, Sizes, TokenEmbedding, Transformer
from variformer.ranges import Count


class Own(nn.Module):
    """The contract of `variformer.models`, with blocks and no class of ours as its base."""

    kind = "causal decoder"
    above = ("head",)

    def __init__(self, vocab_size: Count = 300, width: Count = 16, depth: Count = 2):
        super().__init__()
        self.width = width
        self.decoder = Transformer(
            embedding=TokenEmbedding(vocab_size, width),
            positions=Positions(Sizes(width, 2, width // 2, 64, causal=True)),
            entry=nn.Identity(),
            blocks=[
                PreNormBlock(
                    width,
                    self_attention=Attention(width, 2),
                    feed_forward=FeedForward(width, 32, activation="gelu"),
                    norm=nn.LayerNorm,
                )
                for _ in range(depth)
            ],
            final_norm=nn.LayerNorm(width),
            causal=True,
        )
        self.head = nn.Linear(width, vocab_size)

    def forward(self, tokens, mask=None):
        return self.head(self.decoder(tokens, mask=mask))

    def states(self, tokens, mask=None, segments=None):
        return self.decoder(tokens, mask=mask)
'''
EXPERIMENT = """# @package _global_
# A model of one's own.
defaults:
  - override /model: own
  - override /tokenizer: bytes
  - override /optimizer: adamw
name: mine
length: 32
global_batch: 4
max_steps: 2
trainer: {accelerator: cpu, progress: false, validation_samples: 4, save_every: 1}
schedule: {warmup: 0}
"""
WAYS = {
    "two processes": ["trainer=ddp", "trainer.devices=2"],
    "sharded": ["trainer=fsdp", "trainer.devices=2", "trainer.accelerator=cpu"],
    "compiled": ["compile=default"],
    "checkpointing": ["checkpointing=true"],
}

pytestmark = pytest.mark.slow


@pytest.fixture
def study(tmp_path):
    files = {"my_study/__init__.py": "", "my_study/model.py": MODEL, "conf/experiment/mine.yaml": EXPERIMENT}
    files |= {"conf/model/own.yaml": "_target_: my_study.model.Own\n", "conf/study.yaml": "allow: [my_study]\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def command(*words: str, folder: Path) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "NODE_RANK")}
    return subprocess.run(
        [sys.executable, "-m", "variformer", *words],
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.mark.parametrize("way", WAYS)
def test_an_own_model_trains_and_goes_on(study, way):
    done = command("train", "experiment=mine", "run_dir=run", *WAYS[way], folder=study)
    assert done.returncode == 0, done.stdout + done.stderr
    longer = command("train", "run_dir=run", "resume=true", "max_steps=3", folder=study)
    assert longer.returncode == 0, longer.stdout + longer.stderr
    status = json.loads((study / "run" / "status.json").read_text())
    assert (status["status"], status["step"]) == ("done", 3)
    scored = command("evaluate", "run_dir=run", folder=study)
    assert scored.returncode == 0, scored.stdout + scored.stderr
    loss = json.loads((study / "run" / "metrics.json").read_text())["val/loss"]
    assert f"val/loss: {loss:.4g}"[:-1] in scored.stdout


def test_a_sweep_trains_an_own_model(study):
    done = command("train", "-m", "experiment=mine", "optimizer.lr=0.01,0.02", folder=study)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 trials: 2 done" in done.stdout
