import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from transformers import ViTConfig, ViTForImageClassification

from variformer.models import ViT

SIZES = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=40)


@pytest.mark.parametrize(
    "changes",
    [
        dict(image_size=28, patch_size=7, num_channels=1, num_labels=11),
        dict(image_size=12, patch_size=12, num_channels=3, num_labels=2),
        dict(image_size=15, patch_size=3, num_channels=2, num_labels=5, layer_norm_eps=1e-3, hidden_act="relu"),
    ],
)
def test_scores(twins, close, changes):
    theirs, ours, _ = twins(ViTForImageClassification(ViTConfig(**SIZES, **changes)))
    images = torch.randn(3, changes["num_channels"], changes["image_size"], changes["image_size"])
    assert close(ours(images), theirs(images).logits)


def test_scores_of_timm(close):
    """timm names its tensors otherwise and merges query, key and value; the numbers are the same."""
    torch.manual_seed(0)
    theirs = VisionTransformer(img_size=28, patch_size=7, num_classes=10, embed_dim=24, depth=3, num_heads=3).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, 0.2, 0.3)
    ours = ViT(image_size=28, patch_size=7, classes=10, width=24, depth=3, heads=3, hidden=96).eval()
    ours.load_state_dict(from_timm(theirs.state_dict()))
    images = torch.randn(2, 3, 28, 28)
    assert close(ours(images), theirs(images))


def from_timm(theirs):
    renames = {
        "cls_token": "encoder.embedding.specials",
        "pos_embed": "encoder.positions.table.weight",
        "patch_embed.proj.": "encoder.embedding.patches.",
        "blocks.": "encoder.blocks.",
        ".norm1.": ".self_norm.",
        ".norm2.": ".feed_forward_norm.",
        ".attn.proj.": ".self_attention.output.",
        ".mlp.fc1.": ".feed_forward.widen.",
        ".mlp.fc2.": ".feed_forward.narrow.",
    }
    ours = {}
    for name, tensor in theirs.items():
        for old, new in renames.items():
            name = name.replace(old, new)
        name = f"encoder.final_{name}" if name.startswith("norm.") else name
        if ".attn.qkv." in name:
            for part, chunk in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                ours[name.replace(".attn.qkv.", f".self_attention.{part}.")] = chunk
        else:
            ours[name] = tensor.squeeze(0) if name.startswith(("encoder.embedding.spec", "encoder.pos")) else tensor
    return ours
