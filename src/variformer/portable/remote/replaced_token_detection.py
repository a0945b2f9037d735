"""A discriminator that tells which tokens of a text were replaced, as transformers' ElectraForPreTraining does."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor
from transformers.utils import ModelOutput, can_return_tuple

from .modeling_variformer import VariformerPreTrainedModel, real_tokens

# Shapes: B batch, T tokens.


@dataclass
class DetectionOutput(ModelOutput):
    loss: Tensor | None = None
    logits: Tensor | None = None  # (B, T): above zero where a token is rather replaced than original


class VariformerForReplacedTokenDetection(VariformerPreTrainedModel):
    """One score for each token. The generator comes along, and is not asked."""

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> DetectionOutput:
        """(B, T) -> (B, T). `labels` are 1 where a token was replaced; padding does not count."""
        real = real_tokens(attention_mask)
        scores = self.model.detect(input_ids, real, token_type_ids).replaced
        if labels is None:
            return DetectionOutput(logits=scores)
        chosen = slice(None) if real is None else real
        return DetectionOutput(F.binary_cross_entropy_with_logits(scores[chosen], labels[chosen].float()), scores)
