"""Classes of images, texts and tokens, and the answers to questions."""

import torch.nn.functional as F
from torch import Tensor
from transformers.modeling_outputs import (
    ImageClassifierOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from transformers.utils import can_return_tuple

from .modeling_variformer import VariformerPreTrainedModel, real_tokens

# Shapes: B batch, T tokens, C channels, S side of an image, K classes.


class VariformerForImageClassification(VariformerPreTrainedModel):
    """A class for each image; of two heads (DeiT) the mean is taken, as in timm and transformers."""

    main_input_name = "pixel_values"
    input_modalities = "image"

    @can_return_tuple
    def forward(self, pixel_values: Tensor, labels: Tensor | None = None) -> ImageClassifierOutput:
        """(B, C, S, S) -> (B, K)."""
        said = self.model(pixel_values)
        scores = said if isinstance(said, Tensor) else (said[0] + said[1]) / 2
        return ImageClassifierOutput(loss=loss_of(scores, labels), logits=scores)


class VariformerForSequenceClassification(VariformerPreTrainedModel):
    """A class for each text."""

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> SequenceClassifierOutput:
        """(B, T) -> (B, K). `labels` are the classes, (B,)."""
        scores = self.model(input_ids, real_tokens(attention_mask), token_type_ids)
        return SequenceClassifierOutput(loss=loss_of(scores, labels), logits=scores)


class VariformerForTokenClassification(VariformerPreTrainedModel):
    """A class for each token."""

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> TokenClassifierOutput:
        """(B, T) -> (B, T, K). `labels` are the classes, (B, T), -100 where none counts."""
        scores = self.model(input_ids, real_tokens(attention_mask), token_type_ids)
        return TokenClassifierOutput(loss=loss_of(scores, labels), logits=scores)


class VariformerForQuestionAnswering(VariformerPreTrainedModel):
    """Where an answer starts and ends."""

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
    ) -> QuestionAnsweringModelOutput:
        """(B, T) -> (B, T) twice; the loss is the mean of both, over the positions within the text."""
        start, end = self.model(input_ids, real_tokens(attention_mask), token_type_ids)
        loss = None
        if start_positions is not None and end_positions is not None:
            outside = start.size(1)
            first, last = (
                F.cross_entropy(scores.float(), places.clamp(0, outside), ignore_index=outside)
                for scores, places in ((start, start_positions), (end, end_positions))
            )
            loss = (first + last) / 2
        return QuestionAnsweringModelOutput(loss=loss, start_logits=start, end_logits=end)


def loss_of(scores: Tensor, labels: Tensor | None) -> Tensor | None:
    """Mean cross entropy of (..., K) scores over the labels that are not -100."""
    return None if labels is None else F.cross_entropy(scores.flatten(0, -2).float(), labels.flatten())
