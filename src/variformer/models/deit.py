"""DeiT: a ViT with a second special token, which learns from a teacher.

Touvron et al., 2020, https://arxiv.org/abs/2012.12877.
"""

from typing import Any

from torch import Tensor, nn

from ..layers import initialise
from ..ranges import Count
from .contracts import ImageScores
from .vit import ViT


class PlainDeiT(ViT):
    """DeiT without a teacher or a token for one (section 6): a ViT with DeiT's initial weights."""

    def __init__(self, **vit: Any):
        super().__init__(**vit)
        initialise.deit(self)


class SingleHeadDeiT(ViT):
    """DeiT without a teacher: it has both special tokens, and one head, on the class token."""

    def __init__(self, **vit: Any):
        super().__init__(specials=2, **vit)
        initialise.deit(self)


class DeiT(ViT):
    """The defaults are DeiT-B distilled (87M). What is not named here, initial weights apart, is as in ViT."""

    def __init__(self, *, classes: Count = 1000, width: Count = 768, **vit: Any):
        super().__init__(classes=classes, width=width, specials=2, **vit)
        self.teacher_head = nn.Linear(width, classes)
        initialise.deit(self)

    def forward(self, images: Tensor) -> ImageScores:
        """(B, C, H, W) images -> the scores of both heads.

        A prediction is their mean, as in timm and transformers; the paper adds what softmax makes of each (section 4).
        """
        states = self.encoder(images)
        return ImageScores(self.head(states[:, 0]), self.teacher_head(states[:, 1]))
