"""The published numbers of parameters of what `model=... model/size=...` composes to; on the meta device, in no memory.

The exact numbers are those of transformers' models with the published configs (timm has the same for ViT and DeiT).
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from variformer.config import instantiate, register_resolvers
from variformer.weights.huggingface import config_of

CONF = Path(__file__).parents[2] / "conf"

IMAGES = ["model.image_size=224", "model.channels=3", "model.classes=1000"]
LENGTHS = {"gpt": 1024, "bart": 1024}  # all others: 512

PUBLISHED: dict[str, dict[str, int]] = {
    "bert": {
        "tiny": 4_433_468,
        "mini": 11_267_900,
        "small": 29_058_876,
        "medium": 41_668_412,
        "base": 110_106_428,
        "large": 336_226_108,
    },
    "roberta": {
        "base": 124_697_433,
        "large": 355_412_057,
    },
    "distilbert": {
        "distilbert_base": 66_985_530,
    },
    "albert": {
        "albert_base": 11_813_810,
        "albert_large": 17_847_474,
        "albert_xlarge": 59_021_490,
        "albert_xxlarge": 223_158_450,
    },
    "modern_bert": {
        "modern_bert_base": 149_655_232,
        "modern_bert_large": 395_881_664,
    },
    "electra": {  # the generator and the discriminator, with the embeddings that both have
        "electra_small": 14_196_219,
        "electra_base": 119_386_427,
        "electra_large": 354_655_291,
    },
    "gpt": {
        "gpt2_small": 124_439_808,
        "gpt2_medium": 354_823_168,
        "gpt2_large": 774_030_080,
        "gpt2_xl": 1_557_611_200,
        "gpt3_small": 125_226_240,
        "gpt3_medium": 355_871_744,
        "gpt3_large": 760_300_032,
        "gpt3_xl": 1_315_723_264,
        "gpt3_2.7b": 2_651_553_280,
        "gpt3_6.7b": 6_658_404_352,
        "gpt3_13b": 12_853_386_240,
        "gpt3_175b": 174_604_259_328,
    },
    "gpt_neox": {
        "pythia_160m": 162_322_944,
        "pythia_1b": 1_011_781_632,
    },
    "llama": {
        "llama2_7b": 6_738_415_616,
        "llama3_8b": 8_030_261_248,
    },
    "mistral": {
        "mistral_7b": 7_241_732_096,
    },
    "qwen3": {
        "qwen3_0.6b": 596_049_920,
        "qwen3_8b": 8_190_735_360,
    },
    "bloom": {
        "bloom_560m": 559_214_592,
    },
    "mpt": {
        "mpt_7b": 6_649_286_656,
    },
    "t5": {
        "t5_small": 60_506_624,
        "t5_base": 222_903_552,
        "t5_large": 737_668_096,
        "t5_3b": 2_851_598_336,
        "t5_11b": 11_307_321_344,
    },
    "t5_v1_1": {
        "t5_v1_1_small": 76_961_152,
        "t5_v1_1_base": 247_577_856,
        "t5_v1_1_large": 783_150_080,
        "t5_v1_1_xl": 2_849_757_184,
        "t5_v1_1_xxl": 11_135_332_352,
    },
    "bart": {
        "bart_base": 139_420_416,
        "bart_large": 406_291_456,
    },
    "vit": {
        "vit_tiny/16": 5_717_416,
        "vit_tiny/32": 6_131_560,
        "vit_tiny/14": 5_694_376,
        "vit_small/16": 22_050_664,
        "vit_small/32": 22_878_952,
        "vit_small/14": 22_004_584,
        "base/16": 86_567_656,
        "base/32": 88_224_232,
        "base/14": 86_475_496,
        "large/16": 304_326_632,
        "large/32": 306_535_400,
        "large/14": 304_203_752,
        "vit_huge/16": 632_199_400,
        "vit_huge/32": 634_960_360,
        "vit_huge/14": 632_045_800,
    },
    "deit": {
        "vit_tiny/16": 5_910_800,
        "vit_small/16": 22_436_432,
        "base/16": 87_338_192,
    },
}  # size/patch size for those that read images

IN_TABLE_2_1 = {  # of Brown et al., 2020, in millions
    **{"gpt3_small": 125, "gpt3_medium": 350, "gpt3_large": 760, "gpt3_xl": 1_300},
    **{"gpt3_2.7b": 2_700, "gpt3_6.7b": 6_700, "gpt3_13b": 13_000, "gpt3_175b": 175_000},
}


@cache
def node_of(model: str) -> dict[str, Any]:
    """What `model=...` composes to, in its first size."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["~experiment", f"model={model}", *(IMAGES if model in ("vit", "deit") else [])])
    return OmegaConf.to_container(config.model, resolve=True)  # type: ignore[return-value]


def built(model: str, size: str, **changes: Any) -> torch.nn.Module:
    size, _, patch_size = size.partition("/")
    sizes = yaml.safe_load((CONF / "model" / "size" / f"{size}.yaml").read_text())
    node: Any = OmegaConf.to_container(OmegaConf.merge(node_of(model), sizes, changes))
    if patch_size:
        node["patch_size"] = int(patch_size)
    else:
        node["max_length"] = 2048 if size.startswith("gpt3") else LENGTHS.get(model, 512)
    with torch.device("meta"):
        return instantiate(node)


def count(model: str, size: str, **changes: Any) -> int:
    return sum(parameter.numel() for parameter in built(model, size, **changes).parameters())


@pytest.mark.parametrize(("model", "size"), [(model, size) for model, sizes in PUBLISHED.items() for size in sizes])
def test_published(model, size):
    assert count(model, size) == PUBLISHED[model][size]


DECODERS = [
    (model, size) for model in ("gpt_neox", "llama", "mistral", "qwen3", "bloom", "mpt") for size in PUBLISHED[model]
]


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
