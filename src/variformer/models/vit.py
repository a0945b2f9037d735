"""ViT: a bidirectional transformer over the patches of an image.

Dosovitskiy et al., 2020, https://arxiv.org/abs/2010.11929.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from ..layers import (
    Activation,
    Attention,
    Block,
    FeedForward,
    LearnedPositions,
    PatchEmbedding,
    Positions,
    PreNormBlock,
    Sizes,
    Transformer,
    initialise,
    stack,
)
from ..ranges import BelowOne, Count
from .contracts import ImageClassifier, ImageScores


class ViT(ImageClassifier):
    """The defaults are ViT-B/16 (86M). Of the `specials`, learned tokens before the patches, the first is the class.

    `stochastic_depth` is the fraction of samples that skip the last block's layers. Earlier blocks are skipped less
    often, the first never (Huang et al., 2016, section 3; DeiT).
    """

    def __init__(
        self,
        *,
        image_size: Count = 224,
        patch_size: Count = 16,
        channels: Count = 3,
        classes: Count = 1000,
        width: Count = 768,
        depth: Count = 12,
        heads: Count = 12,
        hidden: Count = 3072,
        dropout: BelowOne = 0.0,
        stochastic_depth: BelowOne = 0.0,
        specials: Count = 1,
        activation: Activation = "gelu",
        positions: Callable[[Sizes], Positions] = LearnedPositions,
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-6),
        feed_forward: Callable[..., nn.Module] = FeedForward,
        block: Callable[..., Block] = PreNormBlock,
        attention: Callable[..., Attention] = Attention,
    ):
        super().__init__()
        embedding = PatchEmbedding(image_size, patch_size, width, channels=channels, specials=specials)
        self.encoder = Transformer(
            embedding=embedding,
            positions=positions(Sizes(width, heads, width // heads, embedding.length, causal=False)),
            entry=nn.Dropout(dropout),
            blocks=stack(
                depth,
                width,
                block=block,
                self_attention=partial(attention, width, heads, dropout=dropout),
                feed_forward=partial(feed_forward, width, hidden, activation=activation, dropout=dropout),
                norm=norm,
                dropout=dropout,
                stochastic_depth=stochastic_depth,
            ),
            final_norm=norm(width),
        )
        self.head = nn.Linear(width, classes)
        initialise.vit(self)
        nn.init.zeros_(self.head.weight)

    def undecayed(self) -> list[nn.Parameter]:
        """Positions, which weight decay leaves alone here (timm's `no_weight_decay`), unlike in BERT and GPT-2."""
        return list(self.encoder.positions.parameters())

    def forward(self, images: Tensor) -> Tensor | ImageScores:
        """(B, C, H, W) images -> (B, classes) scores, read off the class token."""
        return self.head(self.encoder(images)[:, 0])
