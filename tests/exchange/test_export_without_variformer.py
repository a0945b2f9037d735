"""Exported models answer in a process that has transformers and no variformer, in the pipelines for their tasks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import variformer
from variformer.exchange.exporting import export
from variformer.generation import Decoding, generate

from .test_export_experiments import SMALL, TEXT

SCRIPT = Path(__file__).with_name("without_variformer.py")
RUNS = {  # the defaults, and parts that no class has
    "gpt": ["experiment=gpt"],
    "gpt_relative": ["experiment=gpt", "model/positions=relative", "model/norm=rms"],
    "gpt_sinusoidal": ["experiment=gpt", "model/positions=sinusoidal"],
    "bert": ["experiment=bert"],
    "bert_relative": ["experiment=bert", "model/positions=relative"],
    "t5": ["experiment=t5", "model.head_width=8"],
    "t5_rotary": ["experiment=variants/t5_rotary", "model.head_width=8"],
    "bart": ["experiment=bart"],
    "bart_rms": ["experiment=bart", "model/norm=rms"],
    "vit": ["experiment=vit", "data=cifar10"],  # the pipeline makes every image RGB
    "vit_sinusoidal": ["experiment=variants/vit_sinusoidal", "data=cifar10"],
}
SAID = "How to append something to a list"


@torch.no_grad()
def expectations(name: str, run: Path) -> dict[str, torch.Tensor]:
    """What ours says of an input, and writes."""
    model, reader = variformer.load(run)
    if name.startswith("vit"):
        images = torch.rand(2, model.encoder.embedding.patches.in_channels, *[model.encoder.embedding.image_size] * 2)
        return {f"{name}.input": images, name: model(images)}
    tokens = torch.tensor([reader.encode(SAID)])
    found = {f"{name}.input": tokens}
    if name.startswith("gpt"):
        return {**found, name: model(tokens), f"{name}.written": written_by(model, tokens, reader)}
    if name.startswith("bert"):
        masked = [reader.start, *reader.encode("How to"), reader.mask, *reader.encode("a list"), reader.end]
        scores = model(torch.tensor([masked])).tokens[0, masked.index(reader.mask)].softmax(-1).topk(3)
        best = {f"{name}.best": scores.indices, f"{name}.best_scores": scores.values}
        return {**found, name: model(tokens).tokens, **best}
    return {**found, name: model(tokens, tokens), f"{name}.written": written_by(model, tokens, reader)}


def written_by(model, tokens: torch.Tensor, tokenizer) -> torch.Tensor:
    """Eight new tokens, none of which ends the text."""
    ((written,),) = generate(model, tokens.tolist(), Decoding(8), tokenizer=tokenizer, ends=[])
    return torch.tensor(written.tokens)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_pipelines_answer_as_ours_do(untrained, tmp_path):
    expected = {}
    for name, overrides in RUNS.items():
        text = [] if name.startswith("vit") else [*TEXT, "length=48"]
        run = untrained(*overrides, *SMALL, *text)
        export(run, tmp_path / name)
        expected |= {each: tensor.clone() for each, tensor in expectations(name, run).items()}
    save_file(expected, tmp_path / "expected.safetensors")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HOME": str(tmp_path / "home")}
    environment |= {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == [*(f"read {name}" for name in sorted(RUNS)), "without True"]
