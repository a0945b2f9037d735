"""As what each experiment is exported, said in its head, and which parts become which class, in the README's table.

`python tests/test_exports.py` writes both anew.
"""

import json
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from variformer import portable
from variformer.config import instantiate, register_resolvers
from variformer.exchange.readers import reader_of
from variformer.weights.destination import destination
from variformer.weights.files import write_tensors
from variformer.weights.huggingface import config_of, to_huggingface

ROOT = Path(__file__).parents[1]
README, CONF = ROOT / "README.md", ROOT / "conf"
EXPERIMENTS = CONF / "experiment"
NAMES = sorted(
    path.relative_to(EXPERIMENTS).with_suffix("").as_posix()
    for path in EXPERIMENTS.rglob("*.yaml")
    if "override /model: source" not in path.read_text()  # those export as the model that they begin with
)
WIDTH = 120
SAID = re.compile(r"^# Exports .*?\.\n", re.MULTILINE | re.DOTALL)  # a sentence, in one or more lines
BEGIN, END = "<!-- parts: written by tests/test_exports.py -->", "<!-- parts: end -->"
REFRESH = "`python tests/test_exports.py` writes it anew"

TINY = [f"model.{name}" for name in ("width=16", "depth=3", "heads=4", "hidden=64", "vocab_size=31", "max_length=24")]
PARTS = [
    "experiment=gpt",
    "experiment=gpt model/block=parallel",
    "experiment=gpt model/positions=learned",
    "experiment=gpt model/positions=linear_bias model.embedding_norm=true",
    "experiment=gpt model/positions=linear_bias model/norm=layer +model.norm.bias=false model/feed_forward=plain "
    "+model.feed_forward.bias=false model/attention=plain +model.attention.bias=false model.activation=gelu",
    "experiment=variants/gpt_llama",
    "experiment=variants/gpt_llama +model.attention.window=16",
    "experiment=variants/gpt_llama model/attention=query_key_norm model.norm.eps=1e-6",
    "experiment=gpt model/norm=rms",
    "experiment=gpt model/positions=linear_bias",
    "experiment=bert model/positions=learned model/block=post_norm",
    "experiment=bert model/positions=learned model/block=post_norm objective=masked_tokens +model.pair_classes=0",
    "experiment=bert model/block=post_norm objective=masked_tokens +model.pair_classes=0",
    "experiment=roberta model/block=post_norm",
    "experiment=modern_bert",
    "experiment=electra model/positions=learned model/block=post_norm",
    "experiment=electra",
    "experiment=modern_bert model/norm=rms",
    "experiment=bert",
]


@cache
def model_node(*overrides: str) -> dict[str, Any]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", list(overrides))
    node: Any = OmegaConf.to_container(config.model, resolve=True)
    return node


def on_meta(node: dict[str, Any]) -> nn.Module:
    with torch.device("meta"):
        return instantiate(node)


def sentence(name: str) -> str:
    return f"Exports {destination(on_meta(model_node(f'experiment={name}')))}."


def with_sentence(name: str, text: str) -> str:
    """The text of an experiment's file that says as what it is exported, before what it costs."""
    lines = textwrap.wrap(sentence(name), WIDTH - 2, break_on_hyphens=False)
    said, text = "".join(f"# {line}\n" for line in lines), SAID.sub("", text)
    if cost := re.search(r"^# (Cost: |Not measured)", text, re.MULTILINE):
        return text[: cost.start()] + said + text[cost.start() :]
    command = re.search(rf"^# python train\.py experiment={name}\b.*\n", text, re.MULTILINE)
    assert command, f"the head of {name} has no command"
    return text[: command.end()] + said + text[command.end() :]


@pytest.mark.parametrize("name", NAMES)
def test_the_head_says_as_what_an_experiment_is_exported(name):
    text = (EXPERIMENTS / f"{name}.yaml").read_text(encoding="utf-8")
    assert text == with_sentence(name, text), REFRESH


@cache
def chosen(parts: str) -> str:
    """The class in the README's table."""
    return destination(on_meta(model_node(*parts.split()))).architecture or "its own code"


def table() -> str:
    rows = [f"| `python train.py {parts}` | {in_code(chosen(parts))} |" for parts in PARTS]
    return "\n".join(["| parts | class of transformers |", "|---|---|", *rows])


def in_code(architecture: str) -> str:
    return architecture if " " in architecture else f"`{architecture}`"


def test_the_table_of_parts_is_current():
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1, f"README.md needs {BEGIN} and {END} once each"
    assert text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip() == table(), REFRESH


@torch.no_grad()
@pytest.mark.parametrize("parts", PARTS)
def test_the_class_in_the_table_gives_the_same_scores(parts, tmp_path):
    import transformers as hf

    node = model_node(*parts.split(), *TINY)
    model = random_model(node)
    folder = tmp_path / "model"
    architecture = write(model, node, folder)
    assert (architecture == chosen(parts)) != (chosen(parts) == "its own code")
    causal = type(model).__name__ == "GPT"
    reader = getattr(hf, reader_of(architecture))
    theirs, report = reader.from_pretrained(folder, trust_remote_code=True, output_loading_info=True)
    assert not any(report.values()), report
    tokens = torch.randint(31, (2, 23))  # more than a window of 16
    said, found = theirs.eval()(input_ids=tokens), model(tokens)
    expected = said.logits if "logits" in said else said.prediction_logits
    scores = found if causal else getattr(found, "replaced", found.tokens)
    assert (scores - expected).abs().max() <= 1e-5 * expected.abs().max()


def random_model(node: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    model = instantiate(node).eval()
    for parameter in model.parameters():
        parameter.normal_(0.1, 0.3)
    return model


def write(model: nn.Module, node: dict[str, Any], folder: Path) -> str:
    """A folder for transformers; the class that reads it."""
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    if destination(model).architecture:
        settings, tensors, code = config_of(model, **tokens), to_huggingface(model), {}
    else:
        made = portable.contents(model, node, "0", tokens)
        settings, tensors, code = made.settings, made.tensors, made.code
    write_tensors(tensors, folder)
    for name, text in {**code, "config.json": json.dumps(settings)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return str(settings["architectures"][0])


if __name__ == "__main__":
    for name in NAMES:
        path = EXPERIMENTS / f"{name}.yaml"
        path.write_text(with_sentence(name, path.read_text(encoding="utf-8")), encoding="utf-8")
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
