"""An encoder that fills in masked tokens, and may judge pairs of sentences."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor
from transformers.modeling_outputs import MaskedLMOutput
from transformers.utils import ModelOutput, can_return_tuple

from .modeling_variformer import VariformerPreTrainedModel, real_tokens

# Shapes: B batch, T tokens, V vocabulary.


class VariformerForMaskedLM(VariformerPreTrainedModel):
    """Scores of the token at each position."""

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> MaskedLMOutput:
        """(B, T) -> (B, T, V). `labels` are the hidden tokens, -100 elsewhere."""
        scores = self.model(input_ids, real_tokens(attention_mask), token_type_ids).tokens
        return MaskedLMOutput(loss=None if labels is None else token_loss(scores, labels), logits=scores)


@dataclass
class PreTrainingOutput(ModelOutput):
    loss: Tensor | None = None
    prediction_logits: Tensor | None = None  # (B, T, V)
    seq_relationship_logits: Tensor | None = None  # (B, 2): class 0 for "the second sentence follows the first"


class VariformerForPreTraining(VariformerPreTrainedModel):
    """Scores of the token at each position, and of the pair of sentences."""

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        next_sentence_label: Tensor | None = None,
    ) -> PreTrainingOutput:
        """(B, T) -> (B, T, V) and (B, 2); the loss is the sum of both heads', where both have labels."""
        said = self.model(input_ids, real_tokens(attention_mask), token_type_ids)
        loss = None
        if labels is not None and next_sentence_label is not None:
            loss = token_loss(said.tokens, labels) + F.cross_entropy(said.pair.float(), next_sentence_label)
        return PreTrainingOutput(loss, said.tokens, said.pair)


def token_loss(scores: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(scores.flatten(0, 1).float(), labels.flatten())
