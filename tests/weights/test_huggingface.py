import json
import re
from functools import partial

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import nn

from variformer.layers import (
    PostNormBlock,
    PreNormBlock,
    RelativePositions,
)
from variformer.models import (
    GPT,
    Albert,
    Bert,
    SequenceClassifier,
    Tuned,
)
from variformer.models import T5 as T5Model
from variformer.weights.files import write_tensors
from variformer.weights.huggingface import config_of, fill, load, to_huggingface

SMALL = dict(vocab_size=31, width=8, depth=1, heads=2, hidden=12, max_length=9)
BERT = dict(
    vocab_size=31,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=12,
    max_position_embeddings=9,
)
ROBERTA = BERT | dict(type_vocab_size=1, pad_token_id=1)
DISTILBERT = dict(vocab_size=31, dim=8, n_layers=2, n_heads=2, hidden_dim=12, max_position_embeddings=9)
ALBERT = BERT | dict(embedding_size=5, num_hidden_groups=2)
ROFORMER = BERT | dict(max_position_embeddings=900)
MODERNBERT = BERT | dict(num_hidden_layers=4, local_attention=4, cls_token_id=1, sep_token_id=2)
MODERNBERT |= dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
GPT2 = dict(vocab_size=31, n_embd=8, n_layer=2, n_head=2, n_positions=9, bos_token_id=0, eos_token_id=0, pad_token_id=0)
T5 = dict(vocab_size=31, d_model=8, d_kv=3, d_ff=12, num_layers=2, num_heads=2, decoder_start_token_id=0)
BART = dict(vocab_size=31, d_model=8, max_position_embeddings=9) | {
    f"{half}_{name}": size
    for half in ("encoder", "decoder")
    for name, size in {"layers": 2, "attention_heads": 2, "ffn_dim": 12}.items()
}
DECODER = BERT | dict(bos_token_id=0, eos_token_id=0, pad_token_id=0)
BLOOM = dict(vocab_size=31, hidden_size=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0, pad_token_id=0)
MPT = dict(vocab_size=31, d_model=8, n_layers=2, n_heads=2, max_seq_len=9, pad_token_id=0)
SEQUENTIAL = dict(use_parallel_residual=False, tie_word_embeddings=True, attention_bias=False)
SHALLOW, DEEP = {"decoder_layers": 1}, {"decoder_layers": 3}
VIT = dict(
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=12,
    image_size=6,
    patch_size=3,
)
SIZES = {
    "Bert": BERT,
    "Roberta": ROBERTA,
    "DistilBert": DISTILBERT,
    "Albert": ALBERT,
    "RoFormer": ROFORMER,
    "ModernBert": MODERNBERT,
    "Electra": BERT | dict(embedding_size=5),
    "GPT2": GPT2,
    "T5": T5,
    "Bart": BART,
    "ViT": VIT,
    "DeiT": VIT,
    "GPTNeoX": DECODER | dict(num_attention_heads=1),
    "Llama": DECODER,
    "Mistral": DECODER | dict(num_key_value_heads=1, sliding_window=3),
    "Qwen3": DECODER | dict(num_key_value_heads=1, head_dim=6),
    "Bloom": BLOOM,
    "Mpt": MPT,
}
HEADS = [
    "PreTraining",
    "MaskedLM",
    "CausalLM",
    "ConditionalGeneration",
    "ImageClassification",
    "ImageClassificationWithTeacher",
    "SequenceClassification",
    "TokenClassification",
    "QuestionAnswering",
]


def of(family: str, head: str):
    """A model of theirs, with five classes where it has classes."""
    classes = dict(num_labels=5) if head.endswith("Classification") or head.endswith("Teacher") else {}
    return getattr(hf, f"{family}For{head}")(getattr(hf, f"{family}Config")(**SIZES[family], **classes))


def version_1_1():
    model = hf.T5ForConditionalGeneration(hf.T5Config(**T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False))
    model.lm_head.weight = nn.Parameter(torch.randn(31, 8))
    return model


THEIRS = {
    f"{family}For{head}": partial(of, family, head)
    for family in SIZES
    for head in HEADS
    if hasattr(hf, f"{family}For{head}")
    and (head != "CausalLM" or SIZES[family].keys() & {"bos_token_id", "max_seq_len"})
} | {
    "GPT2LMHeadModel": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**GPT2)),
    "GPT2 with a head of its own": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**GPT2, tie_word_embeddings=False)),
    "GPTNeoX of sequential residuals": lambda: hf.GPTNeoXForCausalLM(
        hf.GPTNeoXConfig(**SIZES["GPTNeoX"], **SEQUENTIAL)
    ),
    "Llama with biases": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**DECODER, attention_bias=True, mlp_bias=True)),
    "Mpt with a head of its own": lambda: hf.MptForCausalLM(hf.MptConfig(**MPT, tie_word_embeddings=False)),
    "T5 1.1": version_1_1,
    "T5 with a shallow decoder": lambda: hf.T5ForConditionalGeneration(hf.T5Config(**T5, num_decoder_layers=1)),
    "Bart with a shallow decoder": lambda: hf.BartForConditionalGeneration(hf.BartConfig(**BART | SHALLOW)),
    "Bart with a head and a deep decoder": lambda: hf.BartForQuestionAnswering(hf.BartConfig(**BART | DEEP)),
    "T5 with gated silu": lambda: hf.T5ForConditionalGeneration(hf.T5Config(**T5, feed_forward_proj="gated-silu")),
}


def same(ours, theirs) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def write(folder, tensors, **config):
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def gpt():
    """A model of ours, and the config that describes it."""
    model = GPT(vocab_size=31, width=8, depth=2, heads=2, hidden=32, max_length=9)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model, dict(model_type="gpt2", vocab_size=31, n_embd=8, n_layer=2, n_head=2, n_positions=9)


@pytest.mark.parametrize("name", THEIRS)
def test_reading_and_writing_back_loses_no_bit(name, tmp_path):
    THEIRS[name]().save_pretrained(tmp_path)
    assert same(to_huggingface(load(tmp_path)), load_file(tmp_path / "model.safetensors"))


@torch.no_grad()
@pytest.mark.parametrize("name", THEIRS)
def test_theirs_reads_what_ours_wrote_and_computes_the_same(name, tmp_path):
    """With our config.json beside the tensors; the rows of padding are among the random ones."""
    theirs = THEIRS[name]().eval()
    for tensor_name, tensor in theirs.state_dict().items():
        if not tensor_name.endswith("embed_positions.weight"):  # RoFormer's, which are computed
            tensor.normal_()
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load(tmp_path / "theirs")
    tokens = {f"{each}_token_id": getattr(theirs.config, f"{each}_token_id", None) for each in ("pad", "bos", "eos")}
    config = config_of(ours, **tokens)
    (tmp_path / "config.json").write_text(json.dumps(config))
    write_tensors(to_huggingface(ours), tmp_path)
    again, report = type(theirs).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    assert config["architectures"] == [type(theirs).__name__]
    assert again.config.id2label == theirs.config.id2label or "id2label" not in config
    again.save_pretrained(tmp_path / "again")
    assert same(load_file(tmp_path / "again" / "model.safetensors"), to_huggingface(ours))
    if theirs.main_input_name == "pixel_values":
        inputs = dict(pixel_values=torch.randn(2, 3, 6, 6))
    else:
        text = torch.randint(4, 31, (2, 7))
        text[:, -1] = theirs.config.eos_token_id or 4
        inputs = dict(input_ids=text)
        if name.startswith(("T5", "Bart")) and "Token" not in name:
            inputs["decoder_input_ids"] = text
    expected, found = theirs(**inputs), again.eval()(**inputs)
    assert expected.keys() == found.keys()
    for key in expected.keys() - {"past_key_values"}:
        assert torch.equal(expected[key], found[key]), key


@pytest.mark.parametrize(
    "name", ["BertForTokenClassification", "GPT2ForSequenceClassification", "T5ForQuestionAnswering"]
)
def test_tensor_names_give_the_head_where_the_config_does_not(name, tmp_path):
    THEIRS[name]().save_pretrained(tmp_path)
    expected = type(load(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    del config["architectures"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert type(load(tmp_path)) is expected and issubclass(expected, Tuned)


def test_a_pooler_without_its_scores_is_kept(tmp_path):
    """As in the hub's albert-base-v2."""
    THEIRS["AlbertForPreTraining"]().save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("sop_classifier")}
    write_tensors(kept, tmp_path)
    model = load(tmp_path)
    assert torch.equal(model.pair_head.pool.weight, tensors["albert.pooler.weight"])
    assert not model.pair_head.scores.weight.any() and not model.pair_head.scores.bias.any()
    without = Albert(**SMALL | dict(depth=2), embedding_width=5, groups=2, pair_classes=0)
    fill(without, kept | {"albert.embeddings.position_ids": torch.arange(9)[None]})  # may do without the pooler
    assert torch.equal(without.encoder.embedding.tokens.weight, model.encoder.embedding.tokens.weight)


def test_a_tuned_model_takes_over_the_pooler(tmp_path):
    theirs = THEIRS["BertForPreTraining"]()
    theirs.save_pretrained(tmp_path)
    ours = to_huggingface(SequenceClassifier(load(tmp_path), 3))
    expected = load_file(tmp_path / "model.safetensors")
    assert {name for name in expected if not name.startswith("cls.")} == ours.keys() - {
        "classifier.weight",
        "classifier.bias",
    }
    assert all(torch.equal(ours[name], expected[name]) for name in expected if not name.startswith("cls."))


def test_files_may_lack_barts_bias_and_hold_unused_poolers(tmp_path):
    """As the hub's bart-base and roberta-base do."""
    THEIRS["BartForConditionalGeneration"]().save_pretrained(tmp_path / "bart")
    tensors = load_file(tmp_path / "bart" / "model.safetensors")
    assert tensors.pop("final_logits_bias").shape == (1, 31)
    model = load(tmp_path / "bart")
    model.score_bias.fill_(1)
    fill(model, {name.removeprefix("model."): tensor for name, tensor in tensors.items()})
    assert not model.score_bias.any()
    THEIRS["RobertaForMaskedLM"]().save_pretrained(tmp_path / "roberta")
    tensors = load_file(tmp_path / "roberta" / "model.safetensors")
    pooler = {f"roberta.pooler.dense.{kind}": torch.ones(8, 8) for kind in ("weight", "bias")}
    fill(load(tmp_path / "roberta"), tensors | pooler)


@torch.no_grad()
def test_their_t5_takes_the_scale_of_attention_into_its_queries(tmp_path):
    sizes = dict(vocab_size=31, width=8, head_width=3, hidden=12, depth=2, heads=2)
    ours = T5Model(**sizes, attention_scale=0.25).eval()
    theirs = hf.T5ForConditionalGeneration(hf.T5Config(**T5)).eval()
    theirs.load_state_dict(to_huggingface(ours), strict=False)
    tokens = torch.randint(31, (2, 7))
    torch.testing.assert_close(ours(tokens, tokens), theirs(input_ids=tokens, decoder_input_ids=tokens).logits)
    again = T5Model(**sizes, attention_scale=0.25)
    fill(again, to_huggingface(ours))
    assert same(again.state_dict(), ours.state_dict())


def test_the_precision_is_the_models(gpt, tmp_path):
    model, config = gpt
    halves = {name: tensor.bfloat16() for name, tensor in to_huggingface(model).items()}
    loaded = load(write(tmp_path, halves, **config))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert torch.equal(loaded.head.scores.weight, model.head.scores.weight.bfloat16().float())


def test_a_file_as_openai_released_it(gpt, tmp_path):
    """The hub's gpt2: no prefix, the causal mask among the weights; older files hold the tied head too."""
    model, config = gpt
    tensors = {name.removeprefix("transformer."): t for name, t in to_huggingface(model).items()}
    masks = {f"h.{i}.attn.bias": torch.ones(1, 1, 9, 9).tril() for i in range(2)}
    loaded = load(write(tmp_path, tensors | masks, **config))
    assert same(loaded.state_dict(), model.state_dict())
    head = {"lm_head.weight": tensors["wte.weight"]}
    fill(loaded, {f"transformer.{name}": tensor for name, tensor in (tensors | masks).items()} | head)
    assert same(loaded.state_dict(), model.state_dict())


def test_a_file_as_google_released_it(tmp_path):
    """The hub's bert-base-uncased calls the norms' weights gamma and beta."""
    theirs = THEIRS["BertForPreTraining"]()
    theirs.save_pretrained(tmp_path)
    tensors, model = load_file(tmp_path / "model.safetensors"), load(tmp_path)
    renamed = {
        re.sub(r"LayerNorm\.bias$", "LayerNorm.beta", re.sub(r"LayerNorm\.weight$", "LayerNorm.gamma", name)): t
        for name, t in tensors.items()
    }
    assert renamed.keys() != tensors.keys()
    config = json.loads((tmp_path / "config.json").read_text())
    assert same(load(write(tmp_path, renamed, **config)).state_dict(), model.state_dict())


def test_a_tied_tensor_must_not_differ(gpt):
    model, _ = gpt
    tensors = to_huggingface(model)
    with pytest.raises(ValueError, match=r"lm_head.weight differs from transformer.wte.weight"):
        fill(model, tensors | {"lm_head.weight": tensors["transformer.wte.weight"] + 1})


def test_each_tensor_that_does_not_fit_is_named_and_none_copied(gpt):
    model, _ = gpt
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tensors = {name: tensor + 1 for name, tensor in to_huggingface(model).items()}
    del tensors["transformer.h.1.attn.c_attn.weight"]
    tensors["transformer.ln_f.bias"] = torch.zeros(7)
    tensors["transformer.h.2.ln_1.weight"] = torch.zeros(8)
    with pytest.raises(ValueError) as caught:
        fill(model, tensors)
    message = str(caught.value)
    ours = ", ".join(f"decoder.blocks.1.self_attention.{part}.weight" for part in ("query", "key", "value"))
    assert f"missing: transformer.h.1.attn.c_attn.weight (our {ours})" in message
    assert "left over: transformer.h.2.ln_1.weight" in message
    assert "transformer.ln_f.bias is (7,), our decoder.final_norm.bias asks for (8,)" in message
    assert message.count("\n") == 3
    assert same(model.state_dict(), before)


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (dict(positions=RelativePositions), "positions: RelativePositions; GPT2LMHeadModel has LearnedPositions"),
        (dict(block=PostNormBlock), "block: PostNormBlock; GPT2LMHeadModel has PreNormBlock"),
        (dict(norm=nn.RMSNorm), "norm: RMSNorm; GPT2LMHeadModel has LayerNorm"),
    ],
)
def test_swapped_parts_have_no_place_in_theirs(parts, named):
    model = GPT(vocab_size=31, width=8, depth=1, heads=2, hidden=16, max_length=9, **parts)
    with pytest.raises(ValueError, match=re.escape(named)):
        to_huggingface(model)


def test_parts_that_theirs_lacks_are_named():
    model = Bert(vocab_size=31, width=8, depth=1, heads=2, hidden=16, max_length=9, block=PreNormBlock)
    with pytest.raises(ValueError, match=r"^block: PreNormBlock; BertForPreTraining has PostNormBlock$"):
        to_huggingface(model)


def test_models_without_a_table():
    with pytest.raises(ValueError, match="transformers has no class for Linear, only for Albert, Bart, Bert, DeiT"):
        to_huggingface(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            dict(model_type="mamba"),
            "model_type 'mamba'; known are albert, bart, bert, bloom, deit, ",
        ),
        (
            dict(scale_attn_by_inverse_layer_idx=True),
            "config.json: scale_attn_by_inverse_layer_idx=True is not supported, only False",
        ),
        (
            dict(activation_function="mish"),
            "config.json: activation_function is 'mish', which is unknown here; known: relu,",
        ),
        (dict(n_layer=3), "missing: transformer.h.2.ln_1.weight"),
        (
            dict(n_embd=10),
            "transformer.wte.weight is (31, 8), our decoder.embedding.tokens.weight asks for (31, 10)",
        ),
    ],
)
def test_configs_that_do_not_fit(gpt, tmp_path, change, message):
    model, config = gpt
    write(tmp_path, to_huggingface(model), **(config | change))
    with pytest.raises(ValueError, match=re.escape(message)):
        load(tmp_path)


def test_folders_that_lack_something(gpt, tmp_path):
    model, config = gpt
    with pytest.raises(FileNotFoundError, match=r"has no config.json"):
        load(tmp_path)
    del config["n_head"]
    write(tmp_path, to_huggingface(model), **config)
    with pytest.raises(ValueError, match="does not say 'n_head'"):
        load(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "weights.safetensors")
    with pytest.raises(FileNotFoundError, match=r"it has none of model.safetensors, model.safetensors.index.json, pyt"):
        load(tmp_path)
