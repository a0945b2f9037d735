"""ViT with its classifier: `ViTForImageClassification`.

The norms' eps is the checkpoint's; their default is 1e-12, the paper's code has 1e-6.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn

from ...layers import FeedForward, LearnedPositions, PreNormBlock
from ...models import ViT
from ..describe import Parts, facts_of, positions_from
from ..settings import Settings
from ..table import ACTIVATIONS, UNSQUEEZED, Config, Difference, Family, Row, Tensors, count_classes, rows

THEIRS = "vit.encoder.layer.{}"
OURS = "encoder.blocks.{}"
BODY = {
    "encoder.embedding.patches": "vit.embeddings.patch_embeddings.projection",
    f"{OURS}.self_norm": f"{THEIRS}.layernorm_before",
    f"{OURS}.self_attention.query": f"{THEIRS}.attention.attention.query",
    f"{OURS}.self_attention.key": f"{THEIRS}.attention.attention.key",
    f"{OURS}.self_attention.value": f"{THEIRS}.attention.attention.value",
    f"{OURS}.self_attention.output": f"{THEIRS}.attention.output.dense",
    f"{OURS}.feed_forward_norm": f"{THEIRS}.layernorm_after",
    f"{OURS}.feed_forward.widen": f"{THEIRS}.intermediate.dense",
    f"{OURS}.feed_forward.narrow": f"{THEIRS}.output.dense",
    "encoder.final_norm": "vit.layernorm",
}
POSITIONS = Row(("encoder.positions.table.weight",), ("vit.embeddings.position_embeddings",), UNSQUEEZED)
TABLE = [
    *rows(BODY | {"head": "classifier"}, "weight", "bias"),
    Row(("encoder.embedding.specials",), ("vit.embeddings.cls_token",), UNSQUEEZED),
    POSITIONS,
]


def numbers(config: Settings, tensors: Tensors, scores: str) -> dict[str, Any]:
    """The arguments of our model, whose classes are the rows of their tensor `scores`."""
    config.require(qkv_bias=True)
    image, patch = config.side("image_size"), config.side("patch_size")
    if image % patch:
        raise ValueError(f"patch_size is {patch}, which does not divide image_size={image}")
    return dict(
        image_size=image,
        patch_size=patch,
        channels=config.size("num_channels"),
        classes=count_classes(tensors, scores, config),
        width=config.size("hidden_size"),
        depth=config.size("num_hidden_layers"),
        heads=config.heads("num_attention_heads", "hidden_size"),
        hidden=config.size("intermediate_size"),
        dropout=config.fraction("hidden_dropout_prob", 0.0),
        activation=config.choice("hidden_act", ACTIVATIONS, "gelu"),
        norm=partial(nn.LayerNorm, eps=config.positive("layer_norm_eps", 1e-12)),
    )


PARTS = Parts(positions=LearnedPositions, norm=nn.LayerNorm, block=(PreNormBlock,), feed_forward=(FeedForward,))


def differences(model: ViT) -> Iterator[Difference]:
    yield from PARTS.differences(model.encoder)
    yield from positions_from(model.encoder.positions, 0)


def config(model: ViT) -> Config:
    facts = facts_of(model.encoder)
    return {
        "image_size": facts.embedding.image_size,
        "patch_size": facts.embedding.patches.kernel_size[0],
        "num_channels": facts.embedding.patches.in_channels,
        "hidden_size": facts.width,
        "num_hidden_layers": facts.depth,
        "num_attention_heads": facts.heads,
        "intermediate_size": facts.hidden,
        "hidden_act": facts.activation,
        "hidden_dropout_prob": facts.dropout,
        "attention_probs_dropout_prob": facts.dropout,
        "layer_norm_eps": facts.eps,
        "qkv_bias": True,
    }


VIT = Family(
    model_type="vit",
    year=2020,
    models=(ViT,),
    build=lambda config, tensors: ViT(**numbers(config, tensors, "classifier.weight")),
    table=lambda model: TABLE,
    differences=differences,
    config=config,
    architecture=lambda model: "ViTForImageClassification",
    prefix="vit.",
    our_scores="head.weight",
    unused=r"vit\.(pooler\.dense\.(weight|bias)|embeddings\.mask_token)",  # which classification does not read
    heads=("head",),
)
