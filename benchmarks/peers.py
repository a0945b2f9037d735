"""Other implementations, holding the same weights as ours."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from variformer.objectives.objective import Batch
from variformer.weights.table import MERGED, UNSQUEEZED, Row, expand, rows

Inputs = dict[str, Tensor]
Translate = Callable[[Batch], Inputs]


@dataclass(frozen=True)
class Peer:
    """A model as it comes or with `flags`; `inputs` turns our batch into its arguments, `loss` calls it."""

    name: str
    flags: tuple[str, ...]
    model: nn.Module
    inputs: Translate
    loss: Callable[[nn.Module, Inputs], Tensor]


def of_transformers(kind: Any, folder: Path, inputs: Translate, **flags: Any) -> Peer:
    """A class of transformers, read from a checkpoint; its name says which attention it ended up with."""
    model = kind.from_pretrained(folder, **flags).train()
    labels = tuple(f"{name}={value}" for name, value in flags.items())
    name = f"transformers ({model.config._attn_implementation})"
    return Peer(name, labels, model, inputs, lambda m, arguments: m(**arguments).loss)


def of_timm(ours: nn.Module, config: Any, inputs: Translate) -> Peer:
    """timm's ViT in the shape that a `ViTConfig` gives, with our weights; its attention is fused by default."""
    from timm.models.vision_transformer import VisionTransformer

    model = VisionTransformer(
        img_size=config.image_size,
        patch_size=config.patch_size,
        embed_dim=config.hidden_size,
        depth=config.num_hidden_layers,
        num_heads=config.num_attention_heads,
        num_classes=config.num_labels,
    )
    model.load_state_dict(timm_weights(ours))
    return Peer("timm", (), model, inputs, timm_loss)


def timm_loss(model: nn.Module, inputs: Inputs) -> Tensor:
    return F.cross_entropy(model(inputs["pixel_values"]), inputs["labels"])


# timm's names; it keeps query, key and value in one matrix.
OURS, TIMMS = "encoder.blocks.{}", "blocks.{}"
QUERY_KEY_VALUE = [f"{OURS}.self_attention.{part}" for part in ("query", "key", "value")]
TIMM = [
    *rows(
        {
            "encoder.embedding.patches": "patch_embed.proj",
            f"{OURS}.self_norm": f"{TIMMS}.norm1",
            f"{OURS}.self_attention.output": f"{TIMMS}.attn.proj",
            f"{OURS}.feed_forward_norm": f"{TIMMS}.norm2",
            f"{OURS}.feed_forward.widen": f"{TIMMS}.mlp.fc1",
            f"{OURS}.feed_forward.narrow": f"{TIMMS}.mlp.fc2",
            "encoder.final_norm": "norm",
            "head": "head",
        },
        "weight",
        "bias",
    ),
    *(
        Row(tuple(f"{part}.{kind}" for part in QUERY_KEY_VALUE), (f"{TIMMS}.attn.qkv.{kind}",), MERGED)
        for kind in ("weight", "bias")
    ),
    Row(("encoder.embedding.specials",), ("cls_token",), UNSQUEEZED),
    Row(("encoder.positions.table.weight",), ("pos_embed",), UNSQUEEZED),
]


def timm_weights(model: nn.Module) -> dict[str, Tensor]:
    """Our `ViT`'s, ready for `VisionTransformer.load_state_dict`."""
    ours = model.state_dict()
    theirs: dict[str, Tensor] = {}
    for row in expand(TIMM, model):
        theirs |= zip(row.theirs, row.edit.write([ours[name] for name in row.ours]), strict=True)
    return theirs
