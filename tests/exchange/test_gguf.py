"""An exported Llama is a folder that llama.cpp's convert_hf_to_gguf.py takes: its tensors, shapes, settings, tokenizer.

The names are those of llama.cpp's gguf-py/gguf/tensor_mapping.py that are marked `llama-hf`, the settings what its
conversion/base.py (`TextModel.set_gguf_parameters`) and conversion/llama.py (`LlamaModel`) read.
"""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from variformer.exchange.exporting import export
from variformer.runs.train import train

TENSORS = {  # of MODEL_ARCH.LLAMA -> the name in a folder of transformers
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "blk.{}.attn_norm": "model.layers.{}.input_layernorm",
    "blk.{}.attn_q": "model.layers.{}.self_attn.q_proj",
    "blk.{}.attn_k": "model.layers.{}.self_attn.k_proj",
    "blk.{}.attn_v": "model.layers.{}.self_attn.v_proj",
    "blk.{}.attn_output": "model.layers.{}.self_attn.o_proj",
    "blk.{}.ffn_norm": "model.layers.{}.post_attention_layernorm",
    "blk.{}.ffn_gate": "model.layers.{}.mlp.gate_proj",
    "blk.{}.ffn_down": "model.layers.{}.mlp.down_proj",
    "blk.{}.ffn_up": "model.layers.{}.mlp.up_proj",
}
SETTINGS = {
    "num_hidden_layers": 2,
    "max_position_embeddings": 48,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 600,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
}


@pytest.fixture(scope="module")
def folder(composed, tmp_path_factory) -> Path:
    sizes = ["model.width=32", "model.hidden=64", "model.vocab_size=600", "tokenizer.vocab_size=600", "length=48"]
    config = composed("experiment=variants/gpt_llama", "debug=fast", "max_steps=2", "samples=none", *sizes)
    train(config)
    return export(config["run_dir"], tmp_path_factory.mktemp("llama") / "model")


def test_each_tensor_has_its_name_and_shape(folder):
    width, keys, hidden, vocabulary = 32, 16, 64, 600
    shapes = {
        "attn_q": (width, width),
        "attn_k": (keys, width),
        "attn_v": (keys, width),
        "attn_output": (width, width),
        "ffn_gate": (hidden, width),
        "ffn_up": (hidden, width),
        "ffn_down": (width, hidden),
        "token_embd": (vocabulary, width),
        "output": (vocabulary, width),
    }
    expected = {
        f"{theirs.format(block)}.weight": shapes.get(name.rpartition(".")[2], (width,))
        for name, theirs in TENSORS.items()
        for block in range(2)
    }
    assert {name: tuple(tensor.shape) for name, tensor in load_file(folder / "model.safetensors").items()} == expected


def test_the_converter_finds_its_settings(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"] and config["model_type"] == "llama"
    assert {name: config[name] for name in SETTINGS} == SETTINGS
    assert "rope_scaling" not in config and config["attention_bias"] is False and config["mlp_bias"] is False


def test_the_tokenizer_is_the_kind_of_gpt2(folder):
    """Merges of byte pairs, which `_set_vocab_gpt2` reads; no tokenizer.model, which would be read before them."""
    core = json.loads((folder / "tokenizer.json").read_text())
    assert core["model"]["type"] == "BPE" and core["model"]["merges"] and not core["model"].get("byte_fallback")
    assert len(core["model"]["vocab"]) <= 600 and core["pre_tokenizer"]["type"] in ("ByteLevel", "Sequence")
    assert not (folder / "tokenizer.model").exists()
    config = json.loads((folder / "config.json").read_text())
    assert config["eos_token_id"] == core["model"]["vocab"].get("<|endoftext|>", core["added_tokens"][0]["id"])
