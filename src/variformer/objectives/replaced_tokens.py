"""Replaced-token detection (ELECTRA): a generator fills in hidden tokens, a discriminator tells which of them are new.

Clark et al., 2020, section 3.1.
"""

from typing import ClassVar, Unpack

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import randomness
from ..ranges import Count, NotNegative, Probability
from ..samples import Vocabulary, Window
from .masked_tokens import MaskedTokens, MaskingArguments, mean, token_ratios
from .objective import Batch, Ratio, Scores

# Shapes: B batch, T tokens, N predicted positions in the batch, V vocabulary.


class ReplacedTokens(MaskedTokens):
    """The generator learns masked tokens, and samples one for each of them; a sample that is right counts as original.

    The loss is the generator's, and `replaced_weight` times that of the discriminator, a mean over all real tokens.
    What is sampled depends on a sample's key and the generator's scores alone.
    """

    trains: ClassVar = "generator with a discriminator"

    def __init__(
        self,
        vocabulary: Vocabulary,
        length: Count,
        *,
        masked: Probability = 1.0,
        replaced_weight: NotNegative = 50.0,
        **masking: Unpack[MaskingArguments],
    ):
        super().__init__(vocabulary, length, masked=masked, replaced=0.0, **masking)
        self.replaced_weight = replaced_weight

    def initialise(self, model: nn.Module) -> None:
        """Raises ValueError where the model has no generator, as a published discriminator has none."""
        if getattr(model, "generator", None) is None:
            raise ValueError(f"this {type(model).__name__} has no generator to train: set model.generator_divisor=4")

    def collate(self, samples: list[Window], keys: np.ndarray, train: bool) -> Batch:
        """As masked tokens, and "draws", (N,) numbers in [0, 1), which decide what is sampled at each position."""
        batch = super().collate(samples, keys, train)
        draws = randomness.uniform(keys, self.length, stream=6).ravel()[batch["predict"]]
        return {**batch, "draws": torch.from_numpy(draws.astype(np.float32))}

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        is_new = torch.zeros_like(batch["tokens"], dtype=torch.bool)

        def replace(scores: Tensor) -> Tensor:
            places, targets, tokens = batch["predict"], batch["targets"], batch["tokens"].flatten()
            asked = targets >= 0  # what is no target points at its row's start, which stays as it is
            sampled = torch.where(asked, sample(scores, batch["draws"]), tokens[places])
            is_new.view(-1)[places] = asked & (sampled != targets)
            return tokens.index_put((places,), sampled).view_as(batch["tokens"])

        self.initialise(model)
        found = model(**self.inputs(batch), replace=replace)
        real = torch.ones_like(is_new) if batch["mask"] is None else batch["mask"]
        ratios = token_ratios(found.tokens, batch["targets"]) | detected(found.replaced, is_new, real)
        return Scores(mean(ratios["masked_loss"]) + self.replaced_weight * mean(ratios["replaced_loss"]), ratios)

    def derive(self, means: dict[str, float]) -> dict[str, float]:
        return {"loss": means["masked_loss"] + self.replaced_weight * means["replaced_loss"]}


def sample(scores: Tensor, draws: Tensor) -> Tensor:
    """(N, V) scores, (N,) uniform numbers -> (N,) tokens, each with its probability; nothing is differentiated."""
    reached = scores.detach().float().softmax(-1).cumsum(-1)
    return (reached <= draws[:, None] * reached[:, -1:]).sum(-1).clamp(max=scores.size(-1) - 1)


def detected(scores: Tensor, is_new: Tensor, real: Tensor) -> dict[str, Ratio]:
    """Nats and hits of (B, T) scores over real tokens, the share of new ones, and the share of these that is found."""
    nats = F.binary_cross_entropy_with_logits(scores.float(), is_new.float(), reduction="none")
    says_new, new, count = scores > 0, is_new & real, real.sum()
    return {
        "replaced_loss": Ratio((nats * real).sum(), count),
        "replaced_accuracy": Ratio(((says_new == is_new) & real).sum(), count),
        "replaced_share": Ratio(new.sum(), count),
        "replaced_recall": Ratio((says_new & new).sum(), new.sum()),
    }
