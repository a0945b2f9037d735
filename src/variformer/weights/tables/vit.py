"""ViT with its classifier: `ViTForImageClassification`."""

from collections.abc import Collection
from functools import partial

from torch import nn

from ...models import ViT
from ..table import UNSQUEEZED, Config, Family, Row, activation, require, rows

THEIRS = "vit.encoder.layer.{}"
OURS = "encoder.blocks.{}"
MODULES = {
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
    "head": "classifier",
}
TABLE = [
    *rows(MODULES, "weight", "bias"),
    Row(("encoder.embedding.specials",), "vit.embeddings.cls_token", UNSQUEEZED),
    Row(("encoder.positions.table.weight",), "vit.embeddings.position_embeddings", UNSQUEEZED),
]


def build(config: Config, names: Collection[str]) -> ViT:
    require(config, qkv_bias=True)
    return ViT(
        image_size=config["image_size"],
        patch_size=config["patch_size"],
        channels=config["num_channels"],
        classes=len(config.get("id2label", ("LABEL_0", "LABEL_1"))),  # they leave out their default of two
        width=config["hidden_size"],
        depth=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        dropout=config.get("hidden_dropout_prob", 0.0),
        activation=activation(config.get("hidden_act", "gelu")),
        norm=partial(nn.LayerNorm, eps=config.get("layer_norm_eps", 1e-12)),
    )


VIT = Family(
    model=ViT,
    build=build,
    table=lambda model: TABLE,
    prefix="",
)
