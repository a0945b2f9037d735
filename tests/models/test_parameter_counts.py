"""The published numbers of parameters of what `model=... model/size=...` composes to; on the meta device, in no memory.

The exact numbers are those of transformers' models with the published configs (timm has the same for ViT and DeiT).
"""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
import yaml
from omegaconf import OmegaConf
from systems import CAUSAL, composed

from variformer.config import instantiate
from variformer.config.checking.defaults import with_defaults
from variformer.weights.huggingface import config_of
from variformer.weights.tables import FAMILIES

CONF = Path(__file__).parents[2] / "conf"


COUNT = re.compile(r"([\w./]+) ([\d,]{7,})")


def published() -> dict[str, dict[str, int]]:
    """What the heads of conf/model/*.yaml say behind "Parameters:"; size/patch size for those that read images."""
    found: dict[str, dict[str, int]] = {}
    for file in (CONF / "model").glob("*.yaml"):
        head = "".join(re.findall(r"^# (.*\n)", file.read_text(encoding="utf-8"), re.MULTILINE))
        year = re.search(r"\b\d{4}\b", head)
        if file.stem not in ("parts", "source"):
            assert year and "Parameters:" in head, f"{file} needs a year and published counts behind `# Parameters:`"
            sizes = COUNT.findall(head.partition("Parameters:")[2])
            found[f"{year[0]} {file.stem}"] = {size: int(count.replace(",", "")) for size, count in sizes}
    return {name.partition(" ")[2]: found[name] for name in sorted(found)}


PUBLISHED = published()

IN_TABLE_2_1 = {  # of Brown et al., 2020, in millions
    **{"gpt3_small": 125, "gpt3_medium": 350, "gpt3_large": 760, "gpt3_xl": 1_300},
    **{"gpt3_2.7b": 2_700, "gpt3_6.7b": 6_700, "gpt3_13b": 13_000, "gpt3_175b": 175_000},
}


def built(model: str, size: str, **changes: Any) -> torch.nn.Module:
    size, _, patch_size = size.partition("/")
    sizes = yaml.safe_load((CONF / "model" / "size" / f"{size}.yaml").read_text())
    node: Any = OmegaConf.to_container(OmegaConf.merge(composed(model), sizes, changes))
    if patch_size:
        node["patch_size"] = int(patch_size)
    else:
        node["max_length"] = 2048 if size.startswith("gpt3") else published_length(node)
    with torch.device("meta"):
        return instantiate(node)


def published_length(node: dict[str, Any]) -> int:
    """That of the base model, which the class has by default."""
    return with_defaults({"_target_": node["_target_"]})["max_length"]


def count(model: str, size: str, **changes: Any) -> int:
    return sum(parameter.numel() for parameter in built(model, size, **changes).parameters())


@pytest.mark.parametrize(("model", "size"), [(model, size) for model, sizes in PUBLISHED.items() for size in sizes])
def test_published(model, size):
    assert count(model, size) == PUBLISHED[model][size]


DECODERS = [(model, size) for model in CAUSAL if model in FAMILIES for size in PUBLISHED[model]]


@pytest.mark.parametrize(("model", "size"), DECODERS)
def test_a_decoder_is_the_class_that_its_name_says(model, size):
    """Which has as many parameters, by the config.json that we write for it."""
    written = config_of(built(model, size))
    with torch.device("meta"):
        config = hf.AutoConfig.for_model(**written)
        theirs = hf.AutoModelForCausalLM.from_config(config)
    assert type(theirs).__name__ == written["architectures"][0] and written["model_type"] == model
    assert sum(parameter.numel() for parameter in theirs.parameters()) == PUBLISHED[model][size]


@pytest.mark.parametrize(("size", "parameters"), [("tiny", 4_416_698), ("base", 109_514_298), ("large", 335_174_458)])
def test_bert_without_the_pair_head(size, parameters):
    assert count("bert", size, pair_classes=0) == parameters


def test_roformer_is_as_large_as_transformers_own():
    """junnyu/roformer_chinese_base's config: BERT base, 50,000 words, no table of positions that learns."""
    with torch.device("meta"):
        theirs = hf.RoFormerForMaskedLM(hf.RoFormerConfig())
    parameters = sum(parameter.numel() for parameter in theirs.parameters() if parameter.requires_grad)
    rotary = dict(positions=dict(_target_="variformer.layers.RotaryPositions", _partial_=True))
    assert count("bert", "base", pair_classes=0, vocab_size=50000, **rotary) == parameters == 124_099_664


@pytest.mark.parametrize(("size", "parameters"), [("small", 13_549_057), ("base", 109_483_009), ("large", 335_142_913)])
def test_electra_is_as_large_as_their_two_models(size, parameters):
    """Theirs are apart, and each has the embeddings; the discriminator has 14, 110 and 335 million (table 6)."""
    sizes = yaml.safe_load((CONF / "model" / "size" / f"electra_{size}.yaml").read_text())
    divisor = sizes["generator_divisor"]

    def config(part: int) -> hf.ElectraConfig:
        return hf.ElectraConfig(
            embedding_size=sizes["embedding_width"],
            hidden_size=sizes["width"] // part,
            num_attention_heads=sizes["heads"] // part,
            intermediate_size=sizes["hidden"] // part,
            num_hidden_layers=sizes["depth"],
        )

    with torch.device("meta"):
        discriminator, generator = hf.ElectraForPreTraining(config(1)), hf.ElectraForMaskedLM(config(divisor))
    numbers = [sum(p.numel() for p in m.parameters()) for m in (discriminator, generator, generator.electra.embeddings)]
    assert count("electra", f"electra_{size}", generator_divisor=None) == numbers[0] == parameters
    assert PUBLISHED["electra"][f"electra_{size}"] == numbers[0] + numbers[1] - numbers[2]


TWO_DEPTHS = {  # published models, by the sizes in their config.json
    "distilbart-cnn-12-6": ("bart", "bart_large", dict(vocab_size=50264, decoder_depth=6), 305_510_400),
    "distilbart-xsum-6-6": ("bart", "bart_large", dict(vocab_size=50264, depth=6, decoder_depth=6), 229_933_056),
    "t5-efficient-small-el16-dl2": ("t5", "t5_small", dict(depth=16, decoder_depth=2), 75_190_784),
}


@pytest.mark.parametrize("name", TWO_DEPTHS)
def test_two_depths(name):
    """As many as transformers' own class has, which is how many the published file holds."""
    model, size, changes, parameters = TWO_DEPTHS[name]
    assert count(model, size, **changes) == parameters == theirs(model, **changes)


def theirs(model: str, depth: int = 12, decoder_depth: int = 6, vocab_size: int = 32128) -> int:
    with torch.device("meta"):
        if model == "bart":
            sizes = dict(vocab_size=vocab_size, encoder_layers=depth, decoder_layers=decoder_depth)
            built = hf.BartForConditionalGeneration(hf.BartConfig(**sizes))
        else:
            built = hf.T5ForConditionalGeneration(hf.T5Config(num_layers=depth, num_decoder_layers=decoder_depth))
    return sum(parameter.numel() for parameter in built.parameters())


@pytest.mark.parametrize("size", IN_TABLE_2_1)
def test_gpt3_is_as_large_as_its_paper_says(size):
    assert PUBLISHED["gpt"][size] == pytest.approx(IN_TABLE_2_1[size] * 10**6, rel=0.02)


def test_every_size_is_counted():
    counted = {size.partition("/")[0] for sizes in PUBLISHED.values() for size in sizes}
    assert {path.stem for path in (CONF / "model" / "size").glob("*.yaml")} == counted | {"nano"}  # nano is for tests
