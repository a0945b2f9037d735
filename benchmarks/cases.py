"""What the training benchmark trains: four architectures in one size each, and their peers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from peers import Inputs, Peer, Translate, of_timm, of_transformers
from samples import batches_of, padded, paragraph_lengths, random_tokens, vocabulary
from torch import nn

from variformer.objectives.image_classification import ImageClassification
from variformer.objectives.masked_tokens import MaskedTokens
from variformer.objectives.next_token import NextToken
from variformer.objectives.objective import Batch, Objective
from variformer.objectives.span_corruption import SpanCorruption
from variformer.weights import huggingface


@dataclass(frozen=True)
class Size:
    """`length` counts tokens, or pixels of a side; `classes` are the vocabulary's or the images'."""

    width: int
    depth: int
    heads: int
    length: int
    batch: int
    classes: int


@dataclass(frozen=True)
class Case:
    """Our model and objective, the batches that everyone trains on, and the peers: with their defaults, and
    with the flags that their documentation recommends for speed."""

    name: str
    model: nn.Module
    objective: Objective
    batches: list[Batch]
    defaults: list[Peer]
    best: list[Peer]


def bert(size: Size, count: int, folder: Path) -> Case:
    """BERT-mini, masked language modelling; texts as long as paragraphs of the Python reference are."""
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=size.classes,
        hidden_size=size.width,
        num_hidden_layers=size.depth,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
        max_position_embeddings=size.length,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    words = vocabulary(size.classes)
    objective = MaskedTokens(words, size.length)
    lengths = paragraph_lengths(size.batch * count, most=size.length - 2)
    samples = [padded(random_tokens(words, length, key), size.length - 2) for key, length in enumerate(lengths)]

    def inputs(batch: Batch) -> Inputs:
        labels = torch.full_like(batch["tokens"], -100)
        real = batch["targets"] >= 0
        labels.view(-1)[batch["predict"][real]] = batch["targets"][real]
        mask = batch["tokens"] != objective.pad
        longest = int(mask.sum(1).max())  # how far their collator pads
        whole = {"input_ids": batch["tokens"], "attention_mask": mask.long(), "labels": labels}
        return {name: tensor[:, :longest].contiguous() for name, tensor in whole.items()}

    name = f"BERT, {size.batch} texts of up to {size.length} tokens"
    batches = batches_of(objective, samples, count)
    return against_transformers(name, objective, batches, BertForMaskedLM(config), inputs, folder)


def gpt(size: Size, count: int, folder: Path) -> Case:
    """GPT-2 in the shape that nanoGPT recommends for a CPU."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=size.classes,
        n_positions=size.length,
        n_embd=size.width,
        n_layer=size.depth,
        n_head=size.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    words = vocabulary(size.classes)
    objective = NextToken(words, size.length)
    samples = [random_tokens(words, size.length + 1, key) for key in range(size.batch * count)]

    def inputs(batch: Batch) -> Inputs:
        # They shift the labels by one themselves, unless they are given shifted ones.
        return {"input_ids": batch["tokens"], "labels": batch["targets"], "shift_labels": batch["targets"]}

    name = f"GPT, {size.batch} x {size.length} tokens"
    batches = batches_of(objective, samples, count)
    peer = GPT2LMHeadModel(config)
    return against_transformers(name, objective, batches, peer, inputs, folder, use_cache=False)


def t5(size: Size, count: int, folder: Path) -> Case:
    """T5 1.0, span corruption."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=size.classes,
        d_model=size.width,
        d_kv=size.width // size.heads,
        d_ff=4 * size.width,
        num_layers=size.depth,
        num_heads=size.heads,
        dropout_rate=0.0,
        decoder_start_token_id=0,  # type: ignore[call-arg]
    )
    words = vocabulary(size.classes)
    objective = SpanCorruption(words, size.length)
    samples = [random_tokens(words, objective.raw_length, key) for key in range(size.batch * count)]

    def inputs(batch: Batch) -> Inputs:
        return {"input_ids": batch["source"], "labels": batch["targets"]}

    name = f"T5, {size.batch} x ({size.length} + {objective.target_length}) tokens"
    batches = batches_of(objective, samples, count)
    peer = T5ForConditionalGeneration(config)
    return against_transformers(name, objective, batches, peer, inputs, folder, use_cache=False)


def vit(size: Size, count: int, folder: Path) -> Case:
    """ViT, against transformers and timm."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        image_size=size.length,
        patch_size=size.length // 8,
        hidden_size=size.width,
        num_hidden_layers=size.depth,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
        num_labels=size.classes,  # type: ignore[call-arg]
        layer_norm_eps=1e-6,
    )
    objective = ImageClassification(SimpleNamespace(classes=size.classes))
    images = torch.randn(size.batch * count, 3, size.length, size.length)
    samples = [{"image": image, "label": number % size.classes} for number, image in enumerate(images)]

    def inputs(batch: Batch) -> Inputs:
        return {"pixel_values": batch["images"], "labels": batch["labels"]}

    name = f"ViT, {size.batch} images of {size.length} x {size.length} in 8 x 8 patches"
    batches = batches_of(objective, samples, count)
    case = against_transformers(name, objective, batches, ViTForImageClassification(config), inputs, folder)
    for peers in case.defaults, case.best:
        peers.append(of_timm(case.model, config, inputs))
    return case


def against_transformers(
    name: str,
    objective: Objective,
    batches: list[Batch],
    peer: Any,
    inputs: Translate,
    folder: Path,
    **flags: Any,
) -> Case:
    """Everyone reads one checkpoint, which the peer writes: we with our own loader."""
    peer.save_pretrained(folder)
    ours = huggingface.load(folder).train()
    defaults = of_transformers(type(peer), folder, inputs)
    best = of_transformers(type(peer), folder, inputs, attn_implementation="sdpa", **flags)
    return Case(name, ours, objective, batches, [defaults], [best])


CASES: dict[str, Callable[[Size, int, Path], Case]] = {"bert": bert, "gpt": gpt, "t5": t5, "vit": vit}
SIZES = {
    "bert": Size(width=256, depth=4, heads=4, length=128, batch=16, classes=30522),
    "gpt": Size(width=128, depth=4, heads=4, length=64, batch=12, classes=65),
    "t5": Size(width=256, depth=4, heads=4, length=128, batch=8, classes=32128),
    "vit": Size(width=192, depth=6, heads=3, length=64, batch=32, classes=100),
}
TINY = {
    name: Size(width=32, depth=2, heads=2, length=32, batch=2, classes=min(size.classes, 200))
    for name, size in SIZES.items()
}
