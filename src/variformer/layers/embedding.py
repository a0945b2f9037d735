"""What turns raw input into a sequence of vectors."""

import torch
from torch import Tensor, nn

from ..ranges import Count, Whole

# Shapes: B batch, T tokens, C channels, N patches, S special tokens, E embedding width.


class TokenEmbedding(nn.Module):
    """Token ids, and segment ids for models that tell sentence A from sentence B."""

    def __init__(self, vocab_size: Count, width: Count, *, segments: Whole = 0):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, width)
        self.segments = nn.Embedding(segments, width) if segments else None

    def forward(self, tokens: Tensor, segments: Tensor | None = None) -> Tensor:
        """(B, T) ids -> (B, T, E). Without segment ids everything belongs to the first segment."""
        x = self.tokens(tokens)
        if self.segments is not None:
            x = x + self.segments(torch.zeros_like(tokens) if segments is None else segments)
        return x


class PatchEmbedding(nn.Module):
    """Square patches of an image, behind `specials` learned tokens (ViT: class; DeiT: class and distillation)."""

    def __init__(self, image_size: Count, patch_size: Count, width: Count, *, channels: Count = 3, specials: Count = 1):
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"patches of {patch_size} pixels do not divide images of {image_size} (model.patch_size)")
        self.image_size = image_size
        self.length = (image_size // patch_size) ** 2 + specials
        self.patches = nn.Conv2d(channels, width, patch_size, stride=patch_size)
        self.specials = nn.Parameter(torch.zeros(specials, width))

    def undecayed(self) -> list[nn.Parameter]:
        """The special tokens, which weight decay leaves alone (timm's `no_weight_decay`)."""
        return [self.specials]

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, size, size) -> (B, S + N, E). Raises ValueError where images have another size or channels."""
        expected = (self.patches.in_channels, self.image_size, self.image_size)
        if tuple(images.shape[1:]) != expected:
            raise ValueError(f"images are {tuple(images.shape[1:])}, but the model reads {expected}")
        patches = self.patches(images).flatten(2).mT  # (B, E, rows, columns) -> (B, N, E)
        return torch.cat([self.specials.expand(len(images), -1, -1).to(patches.dtype), patches], 1)
