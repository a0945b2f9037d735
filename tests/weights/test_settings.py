"""What a config.json may hold: other spellings, null, lists, texts. It is read right, or refused by name."""

import json
import re

import pytest
import torch
import transformers as hf

from variformer.weights.huggingface import build, config_of, load
from variformer.weights.settings import SPELLINGS, Settings
from variformer.weights.tables import FAMILIES

TEXT = dict(vocab_size=31, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12)
ENCODER = TEXT | dict(max_position_embeddings=9)
IMAGE = dict(
    hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12, image_size=6, patch_size=3
)
BART = dict(vocab_size=31, d_model=8, max_position_embeddings=9) | {
    f"{half}_{name}": size
    for half in ("encoder", "decoder")
    for name, size in {"layers": 1, "attention_heads": 2, "ffn_dim": 12}.items()
}
CONFIGS = {
    "albert": hf.AlbertConfig(**ENCODER, embedding_size=4),
    "bart": hf.BartConfig(**BART),
    "bert": hf.BertConfig(**ENCODER),
    "deit": hf.DeiTConfig(**IMAGE),
    "distilbert": hf.DistilBertConfig(vocab_size=31, dim=8, n_layers=1, n_heads=2, hidden_dim=12),
    "electra": hf.ElectraConfig(**ENCODER, embedding_size=4),
    "gpt2": hf.GPT2Config(vocab_size=31, n_embd=8, n_layer=1, n_head=2, n_positions=9, n_inner=12),
    "modernbert": hf.ModernBertConfig(**ENCODER),
    "roberta": hf.RobertaConfig(**ENCODER, pad_token_id=1),
    "roformer": hf.RoFormerConfig(**ENCODER),
    "t5": hf.T5Config(vocab_size=31, d_model=8, d_kv=4, d_ff=12, num_layers=1, num_heads=2),
    "vit": hf.ViTConfig(**IMAGE),
    "gpt_neox": hf.GPTNeoXConfig(**ENCODER | dict(num_attention_heads=1)),
    "llama": hf.LlamaConfig(**ENCODER),
    "mistral": hf.MistralConfig(**ENCODER, num_key_value_heads=1),
    "qwen3": hf.Qwen3Config(**ENCODER, num_key_value_heads=1, head_dim=6),
    "bloom": hf.BloomConfig(vocab_size=31, hidden_size=8, n_layer=1, n_head=2),
    "mpt": hf.MptConfig(vocab_size=31, d_model=8, n_layers=1, n_heads=2),
}
HEADS = {
    "bart": "Bart",
    "t5": "T5",
    "distilbert": "DistilBert",
    "modernbert": "ModernBert",
    "roformer": "RoFormer",
}  # whose head for a task reads more of the config


MEAN = {"classifier_pooling": "mean", "architectures": ["ModernBertForSequenceClassification"]}


def built(name: str, values: dict, tensors=()):
    with torch.device("meta"):
        return build(FAMILIES[name], Settings(values), dict(tensors))


class Watched(Settings):
    """Notes which values are asked for."""

    def __init__(self, values: dict):
        super().__init__(values)
        self.asked: set[str] = set()

    def find(self, name: str):
        self.asked.add(name)
        return super().find(name)


def read_of(name: str, values: dict) -> set[str]:
    """The values of a config.json that a model of ours is built from."""
    settings = Watched(values)
    with torch.device("meta"):
        build(FAMILIES[name], settings, {})
    return settings.asked & values.keys()


def sizes(model) -> list[tuple]:
    return [(name, tuple(tensor.shape)) for name, tensor in model.state_dict().items()]


def classified(name: str) -> dict:
    head = {"architectures": [f"{HEADS[name]}ForSequenceClassification"]} if name in HEADS else {}
    return CONFIGS[name].to_dict() | {"architectures": None} | head


@pytest.mark.parametrize("odd", [None, [4, 8], "12", True, -1, float("nan")], ids=str)
@pytest.mark.parametrize("name", CONFIGS)
def test_an_odd_value_is_read_or_refused_by_name(name, odd):
    values = classified(name)
    for key in read_of(name, values):
        try:
            built(name, values | {key: odd})
        except ValueError as error:
            assert key in str(error), (key, odd)
            assert "\n" not in str(error)


@pytest.mark.parametrize("name", CONFIGS)
def test_an_absent_value_is_a_default_or_refused_by_name(name):
    values = classified(name)
    for key in read_of(name, values):
        try:
            built(name, {other: value for other, value in values.items() if other != key})
        except ValueError as error:
            assert f"it does not say {key!r}, which a {name} needs" in str(error)


@pytest.mark.parametrize(("key", "other"), [(key, each) for key, names in SPELLINGS.items() for each in names])
def test_another_spelling_is_read_as_the_first(key, other):
    read = 0
    for name, config in CONFIGS.items():
        values = config.to_dict()
        if key in values and other not in values:
            renamed = {other if each == key else each: value for each, value in values.items()}
            assert sizes(built(name, renamed)) == sizes(built(name, values))
            read += 1
    assert read


@pytest.mark.parametrize("name", ["vit", "deit"])
def test_sizes_as_lists_are_squares(name):
    values = CONFIGS[name].to_dict()
    lists = values | {"image_size": [6, 6], "patch_size": [3, 3]}
    assert sizes(built(name, lists)) == sizes(built(name, values))
    for key, wrong in {"image_size": [6, 9], "patch_size": [3, 1]}.items():
        with pytest.raises(ValueError, match=rf"^{key} is {re.escape(str(wrong))}, but only squares are supported"):
            built(name, lists | {key: wrong})


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("bert", {"num_attention_heads": 3}, "num_attention_heads is 3, which does not divide hidden_size=8"),
        ("vit", {"patch_size": 4}, "patch_size is 4, which does not divide image_size=6"),
        ("roberta", {"pad_token_id": None}, "pad_token_id is null, but positions are counted from it"),
        ("roberta", {"max_position_embeddings": 2}, "max_position_embeddings: its first 2, up to pad_token_id"),
        ("bart", {"normalize_before": True}, "normalize_before=True is not supported, only False"),
        ("t5", {"feed_forward_proj": "wide-relu"}, "feed_forward_proj is 'wide-relu', which is unknown here"),
        ("t5", {"num_layers": 768.0}, "num_layers is 768.0, but must be a whole number from 1 on"),
        ("roformer", {"rotary_value": True}, "rotary_value=True is not supported, only False"),
        ("roformer", {"embedding_size": 4}, "embedding_size=4 is not supported, only 8"),
        ("roformer", {"is_decoder": True}, "is_decoder=True is not supported, only False"),
        ("modernbert", {"attention_bias": True}, "attention_bias=True is not supported, only False"),
        ("modernbert", {"norm_bias": True}, "norm_bias=True is not supported, only False"),
        ("modernbert", {"local_attention": 5}, "local_attention is 5, but must be even"),
        ("modernbert", {"classifier_activation": "relu"}, "classifier_activation differs from hidden_activation"),
        ("modernbert", {"layer_types": ["sliding_attention"]}, "layer_types is ['sliding_attention'], but must have"),
        ("modernbert", {"rope_scaling": {"factor": 2}}, "rope_scaling={'factor': 2} is not supported, only None"),
        (
            "modernbert",
            {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}},
            "rope_parameters: rope_type='yarn' in full_attention is not supported, only 'default'",
        ),
        (
            "modernbert",
            {"rope_parameters": None, "local_rope_theta": -1},
            "local_rope_theta is -1, but must be positive",
        ),
        (
            "modernbert",
            MEAN,
            "classifier_pooling='mean' is not supported, only 'cls'",
        ),
        ("gpt_neox", {"rope_parameters": {"rope_type": "yarn"}}, "rope_parameters.rope_type='yarn' is not supported"),
        (
            "gpt_neox",
            {"rope_scaling": {"type": "linear"}},
            "rope_scaling.type='linear' is not supported, only 'default'",
        ),
        ("gpt_neox", {"rope_parameters": None, "rotary_pct": 0.1}, "rotary_pct: 0 numbers of each head would turn"),
        ("llama", {"rope_scaling": {"rope_type": "llama3"}}, "rope_scaling.rope_type='llama3' is not supported"),
        ("llama", {"rope_scaling": "linear"}, "rope_scaling is 'linear', but must hold settings by name"),
        ("llama", {"partial_rotary_factor": 0.5}, "partial_rotary_factor=0.5 is not supported, only 1"),
        ("llama", {"head_dim": 3}, "hidden_size / num_attention_heads (head_dim): 3 numbers of each head would turn"),
        ("llama", {"num_key_value_heads": 3}, "num_key_value_heads is 3, which does not divide num_attention_heads=2"),
        (
            "llama",
            {"head_dim": None, "num_attention_heads": 3},
            "num_attention_heads is 3, which does not divide hidden",
        ),
        ("mistral", {"attention_bias": True}, "attention_bias=True is not supported, only False"),
        ("mistral", {"layer_types": ["sliding_attention"]}, "layer_types=['sliding_attention'] is not supported"),
        ("qwen3", {"use_sliding_window": True}, "use_sliding_window=True is not supported, only False"),
        ("qwen3", {"layer_types": ["sliding_attention"]}, "layer_types=['sliding_attention'] is not supported"),
        ("qwen3", {"mlp_bias": True}, "mlp_bias=True is not supported, only False"),
        (
            "bloom",
            {"apply_residual_connection_post_layernorm": True},
            "apply_residual_connection_post_layernorm=True is",
        ),
        ("bloom", {"n_inner": 12}, "n_inner=12 is not supported, only 32"),
        ("mpt", {"no_bias": False}, "no_bias=False is not supported, only True"),
        ("mpt", {"expansion_ratio": 2}, "expansion_ratio=2 is not supported, only 4"),
        ("mpt", {"logit_scale": "inv_sqrt_d_model"}, "logit_scale='inv_sqrt_d_model' is not supported"),
        ("mpt", {"attn_config": {"alibi_bias_max": 16}}, "attn_config.alibi_bias_max=16 is not supported, only 8"),
        ("mpt", {"attn_config": {"alibi": False}}, "attn_config.alibi=False is not supported, only True"),
        ("mpt", {"attn_config": {"clip_qkv": 6.0}}, "attn_config.clip_qkv=6.0 is not supported, only None"),
        ("mpt", {"attn_config": {"softmax_scale": 1.0}}, "attn_config.softmax_scale=1.0 is not supported, only None"),
        ("mpt", {"attn_config": {"qk_ln": True}}, "attn_config.qk_ln=True is not supported, only False"),
        ("bert", {"architectures": "BertModel"}, "architectures is 'BertModel', but must be a list of classes"),
    ],
)
def test_what_does_not_do_is_named(name, change, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        built(name, CONFIGS[name].to_dict() | change)


def test_modernbert_as_its_first_files_say_it():
    """answerdotai/ModernBERT-base's config.json of 2024 has a distance and two bases, no lists."""
    values = CONFIGS["modernbert"].to_dict() | {"num_hidden_layers": 5, "global_attn_every_n_layers": 2}
    values |= {"global_rope_theta": 300.0, "local_rope_theta": 20.0, "layer_types": None, "rope_parameters": None}
    model = built("modernbert", values)
    assert [block.self_attention.window for block in model.encoder.blocks] == [None, 64, None, 64, None]
    assert (model.encoder.positions.base, model.encoder.positions.local_base) == (300.0, 20.0)
    said = config_of(model)
    assert said["local_attention"] == 128
    assert sizes(built("modernbert", said)) == sizes(model)


@pytest.mark.parametrize("dtype", [{"torch_dtype": "float16"}, {"dtype": None}, {"torch_dtype": None}])
def test_the_precision_that_a_config_says_is_not_needed(dtype):
    values = {name: value for name, value in CONFIGS["bert"].to_dict().items() if name != "dtype"}
    assert sizes(built("bert", values | dtype)) == sizes(built("bert", values))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged (Expecting value"),
        (b'{"model_type": "bert",', "is damaged (Expecting property name"),
        (b'{"model_type": "b\xe9rt"}', "is damaged ('utf-8' codec can't decode"),
        (b"[1, 2]", "holds a list, where settings by name are expected"),
        (b'{"model_type": ["bert"]}', "has the model_type ['bert']; known are albert, "),
        (b'{"model_type": null}', "has the model_type None; known are albert, "),
    ],
)
def test_a_damaged_config_names_its_file(content, message, tmp_path):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'config.json'} {message}")):
        load(tmp_path)


def test_a_refused_value_names_its_file(tmp_path):
    hf.BertForMaskedLM(CONFIGS["bert"]).save_pretrained(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text()) | {"hidden_size": "8"}
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'config.json'}: hidden_size is '8', but must be a")):
        load(tmp_path)
