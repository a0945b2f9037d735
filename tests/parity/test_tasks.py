"""Every family with every head for a task that transformers has."""

import pytest
import torch
import torch.nn.functional as F
import transformers as hf
from torch import Tensor

from .conftest import KEY_BIAS

VOCABULARY, CLASSES = 53, 5
ENCODER = dict(
    vocab_size=VOCABULARY,
    hidden_size=15,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=22,
    max_position_embeddings=35,
)
OWN = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
DECODER = ENCODER | OWN | dict(hidden_size=24, max_position_embeddings=33)
CONFIGS = {
    "Bert": lambda **more: hf.BertConfig(**ENCODER, **more),
    "Roberta": lambda **more: hf.RobertaConfig(**ENCODER, type_vocab_size=1, hidden_act="relu", **more),
    "DistilBert": lambda **more: hf.DistilBertConfig(
        vocab_size=VOCABULARY, dim=15, n_layers=3, n_heads=5, hidden_dim=22, max_position_embeddings=33, **more
    ),
    "Albert": lambda **more: hf.AlbertConfig(**ENCODER, embedding_size=7, **more),
    "RoFormer": lambda **more: hf.RoFormerConfig(
        **ENCODER | dict(hidden_size=12, hidden_act="relu", layer_norm_eps=1e-5), **more
    ),
    "ModernBert": lambda **more: hf.ModernBertConfig(
        **ENCODER | dict(hidden_size=18, local_attention=8, pad_token_id=0, cls_token_id=1, sep_token_id=2),
        **dict(bos_token_id=1, eos_token_id=2),
        **more,
    ),
    "Electra": lambda **more: hf.ElectraConfig(**ENCODER, embedding_size=7, **more),
    "GPT2": lambda **more: hf.GPT2Config(
        vocab_size=VOCABULARY, n_embd=15, n_layer=3, n_head=5, n_positions=33, pad_token_id=0, **more
    ),
    "T5": lambda **more: hf.T5Config(
        vocab_size=VOCABULARY,
        d_model=15,
        d_kv=4,
        d_ff=22,
        num_layers=3,
        num_heads=5,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        **more,
    ),
    "Bart": lambda **more: hf.BartConfig(
        vocab_size=VOCABULARY,
        d_model=15,
        encoder_layers=3,
        decoder_layers=3,
        encoder_attention_heads=3,
        decoder_attention_heads=3,
        encoder_ffn_dim=22,
        decoder_ffn_dim=22,
        max_position_embeddings=33,
        **more,
    ),
    "GPTNeoX": lambda **more: hf.GPTNeoXConfig(**DECODER, **more),
    "Llama": lambda **more: hf.LlamaConfig(**DECODER, **more),
    "Mistral": lambda **more: hf.MistralConfig(**DECODER, num_key_value_heads=1, sliding_window=4, **more),
    "Qwen3": lambda **more: hf.Qwen3Config(**DECODER, num_key_value_heads=3, head_dim=6, **more),
    "Bloom": lambda **more: hf.BloomConfig(vocab_size=VOCABULARY, hidden_size=24, n_layer=3, n_head=3, **OWN, **more),
    "Mpt": lambda **more: hf.MptConfig(
        vocab_size=VOCABULARY, d_model=24, n_layers=3, n_heads=3, max_seq_len=33, **OWN, **more
    ),
}
TASKS = ["SequenceClassification", "TokenClassification", "QuestionAnswering"]
CASES = [(family, task) for family in CONFIGS for task in TASKS if hasattr(hf, f"{family}For{task}")]
# Padding on the left of a causal model sees nothing: it has no defined scores, which the loss of spans would read.
CAUSAL = ("GPT2", "GPTNeoX", "Llama", "Mistral", "Qwen3", "Bloom", "Mpt")
STEPS = [(*case, side) for case in CASES for side in ("right", "left")]
STEPS = [case for case in STEPS if case[0] not in CAUSAL or case[1:] != ("QuestionAnswering", "left")]
REREAD = ("T5", "Bart")

NOTHING = r"(?!)"
KEYS = {"RoFormer": NOTHING}  # where keys turn, the gradient of their bias is one
# What is added to all positions alike changes no probability of a span.
SAME_FOR_ALL = r"|qa_outputs\.bias|layer\.2\.(output\.LayerNorm|output_layer_norm)\.bias|ln_f\.bias"
SAME_FOR_ALL += r"|(decoder\.layers\.2|gpt_neox)\.final_layer_norm\.bias"


@pytest.fixture
def pair(twins, padded):
    def make(family: str, task: str):
        more = {} if task == "QuestionAnswering" else dict(num_labels=CLASSES)
        made = twins(getattr(hf, f"{family}For{task}")(CONFIGS[family](**more)))
        config = made.theirs.config

        def batch(rows: int, length: int, side: str):
            data = padded(rows, length, pad=config.pad_token_id, vocabulary=VOCABULARY, side=side)
            if family in REREAD:  # the last real token is the end
                ends = (torch.arange(length) * data.mask).argmax(1)
                data.tokens[torch.arange(rows), ends] = config.eos_token_id
            inputs = dict(input_ids=data.tokens, attention_mask=data.mask.long())
            if family == "GPT2":  # theirs count from the first real token only where they are given, as in `generate`
                first = data.mask.long().argmax(1, keepdim=True)
                inputs["position_ids"] = (torch.arange(length) - first).clamp(min=0)
            if getattr(config, "type_vocab_size", 0) == 2:
                inputs["token_type_ids"] = data.segments
            else:
                data = data._replace(segments=None)
            return data, inputs

        return made, batch

    return make


def scores(found) -> list[Tensor]:
    """Of ours, or of theirs."""
    if isinstance(found, Tensor):
        return [found]
    if isinstance(found, tuple) and not hasattr(found, "keys"):
        return list(found)
    return [found.logits] if "logits" in found else [found.start_logits, found.end_logits]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("family", "task"), CASES)
def test_scores(pair, close, family, task, side):
    made, batch = pair(family, task)
    for rows, length in (1, 1), (3, 7), (2, 33):
        data, inputs = batch(rows, length, side)
        where = slice(None) if task == "SequenceClassification" else data.mask
        for ours, theirs in zip(scores(made.ours(*data)), scores(made.theirs(**inputs)), strict=True):
            assert close(ours[where], theirs[where])


@pytest.mark.parametrize(("family", "task", "side"), STEPS)
def test_a_step(pair, same_step, family, task, side):
    made, batch = pair(family, task)
    data, inputs = batch(3, 9, side)
    zero = KEYS.get(family, KEY_BIAS)
    if task == "SequenceClassification":
        labels = dict(labels=torch.tensor([0, 4, 2]))
        ours = F.cross_entropy(made.ours(*data), labels["labels"])
    elif task == "TokenClassification":
        labels = dict(labels=torch.randint(CLASSES, (3, 9)).masked_fill(~data.mask, -100))
        ours = F.cross_entropy(made.ours(*data).flatten(0, 1), labels["labels"].flatten())
    else:
        labels = dict(start_positions=torch.tensor([2, 3, 4]), end_positions=torch.tensor([6, 5, 4]))
        start, end = made.ours(*data)
        ours = (F.cross_entropy(start, labels["start_positions"]) + F.cross_entropy(end, labels["end_positions"])) / 2
        zero += SAME_FOR_ALL + (r"|classifier\.bias" if family == "ModernBert" else "")
    reads_padding = task == "QuestionAnswering" or side == "left"
    same_step(made, ours, made.theirs(**inputs, **labels).loss, zero, padding=not reads_padding)


def test_gpt2s_classifier_there_reads_ids_and_ours_the_mask(pair, close):
    made, batch = pair("GPT2", "SequenceClassification")
    data, inputs = batch(3, 9, "right")
    assert close(made.ours(data.tokens[:1]), made.theirs(inputs["input_ids"][:1]).logits)
    everything = made.ours(data.tokens)  # without a mask the last column is read
    assert close(everything[0], made.ours(*data)[0]) and not close(everything[2], made.ours(*data)[2])
