"""ViT and DeiT, as transformers and as timm have them."""

import pytest
import torch
import torch.nn.functional as F
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from transformers import (
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    ViTConfig,
    ViTForImageClassification,
)

from variformer.models import DeiT, SingleHeadDeiT, ViT

SIZES = dict(hidden_size=15, num_hidden_layers=3, num_attention_heads=3, intermediate_size=22)
IMAGES = [
    dict(image_size=28, patch_size=7, num_channels=1, num_labels=11),
    dict(image_size=12, patch_size=12, num_channels=3, num_labels=2),
    dict(image_size=15, patch_size=3, num_channels=2, num_labels=5, layer_norm_eps=1e-3, hidden_act="relu"),
]
MODELS = {
    "vit": lambda changes: ViTForImageClassification(ViTConfig(**SIZES, **changes)),
    "deit": lambda changes: DeiTForImageClassification(DeiTConfig(**SIZES, **changes)),
    "deit, taught": lambda changes: DeiTForImageClassificationWithTeacher(DeiTConfig(**SIZES, **changes)),
}


def images_for(changes):
    return torch.randn(3, changes["num_channels"], changes["image_size"], changes["image_size"])


def heads(ours, theirs):
    """The scores of each head of ours, and of theirs."""
    if isinstance(ours, torch.Tensor):
        return [(ours, theirs.logits)]
    return [(ours.label, theirs.cls_logits), (ours.teacher, theirs.distillation_logits)]


@pytest.mark.parametrize("changes", IMAGES)
@pytest.mark.parametrize("name", MODELS)
def test_scores_and_a_step(twins, close, same_step, name, changes):
    made = twins(MODELS[name](changes))
    assert type(made.ours) is {"vit": ViT, "deit": SingleHeadDeiT, "deit, taught": DeiT}[name]
    images, labels = images_for(changes), torch.randint(changes["num_labels"], (3,))
    pairs = heads(made.ours(images), made.theirs(images))
    assert all(close(ours, theirs) for ours, theirs in pairs)
    losses = [sum(F.cross_entropy(scores, labels) for scores in side) for side in zip(*pairs, strict=True)]
    same_step(made, *losses)


def test_a_prediction_is_the_mean_of_both_heads(twins, close):
    made = twins(MODELS["deit, taught"](IMAGES[0]))
    images = images_for(IMAGES[0])
    label, teacher = made.ours(images)
    assert close((label + teacher) / 2, made.theirs(images).logits)


@pytest.mark.parametrize(("theirs", "ours"), [(VisionTransformer, ViT), (VisionTransformerDistilled, DeiT)])
def test_scores_and_a_step_of_timm(close, same_gradients, theirs, ours):
    """timm names its tensors otherwise and merges query, key and value; the numbers are the same."""
    torch.manual_seed(0)
    theirs = theirs(img_size=28, patch_size=7, num_classes=10, embed_dim=15, depth=3, num_heads=3).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, 0.2, 0.3)
    ours = ours(image_size=28, patch_size=7, classes=10, width=15, depth=3, heads=3, hidden=60).eval()
    ours.load_state_dict(from_timm(theirs.state_dict()))
    images, labels = torch.randn(2, 3, 28, 28), torch.tensor([3, 7])
    scores = ours(images)
    scores = scores if isinstance(scores, torch.Tensor) else (scores.label + scores.teacher) / 2
    assert close(scores, theirs(images))
    F.cross_entropy(scores, labels).backward()
    F.cross_entropy(theirs(images), labels).backward()
    expected = from_timm({name: parameter.grad for name, parameter in theirs.named_parameters()})
    same_gradients({name: parameter.grad for name, parameter in ours.named_parameters()}, expected)


def from_timm(theirs):
    renames = {
        "pos_embed": "encoder.positions.table.weight",
        "patch_embed.proj.": "encoder.embedding.patches.",
        "blocks.": "encoder.blocks.",
        ".norm1.": ".self_norm.",
        ".norm2.": ".feed_forward_norm.",
        ".attn.proj.": ".self_attention.output.",
        ".mlp.fc1.": ".feed_forward.widen.",
        ".mlp.fc2.": ".feed_forward.narrow.",
        "head_dist.": "teacher_head.",
    }
    specials = [theirs.pop(name).squeeze(0) for name in ("cls_token", "dist_token") if name in theirs]
    ours = {"encoder.embedding.specials": torch.cat(specials)}
    for name, tensor in theirs.items():
        for old, new in renames.items():
            name = name.replace(old, new)
        name = f"encoder.final_{name}" if name.startswith("norm.") else name
        if ".attn.qkv." in name:
            for part, chunk in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                ours[name.replace(".attn.qkv.", f".self_attention.{part}.")] = chunk
        else:
            ours[name] = tensor.squeeze(0) if name.startswith("encoder.pos") else tensor
    return ours
