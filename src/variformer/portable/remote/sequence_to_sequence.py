"""An encoder that reads one text, and a decoder that writes another."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from transformers import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput
from transformers.utils import can_return_tuple

from .decoding import StepCache, cache_of
from .modeling_variformer import VariformerPreTrainedModel, real_tokens

# Shapes: B batch, S source tokens, T target tokens, D model width, V vocabulary.


class Encoder:
    """The encoder, called as `generate` calls one."""

    main_input_name = "input_ids"

    def __init__(self, model: Any):
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any) -> BaseModelOutput:
        """(B, S) -> (B, S, D)."""
        return BaseModelOutput(self.model.encode(input_ids, real_tokens(attention_mask)))

    __call__ = forward


class VariformerForConditionalGeneration(VariformerPreTrainedModel, GenerationMixin):
    """Scores of the next token of the target."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # `forward` makes its own

    def get_encoder(self, modality: str | None = None) -> Encoder:
        return Encoder(self.model)

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        past_key_values: StepCache | None = None,
        use_cache: bool = False,
        labels: Tensor | None = None,
    ) -> Seq2SeqLMOutput:
        """(B, S) source, (B, T) target so far -> (B, T, V).

        `labels` are the target, -100 where it does not count; without a target so far it is the labels, shifted right.
        """
        if decoder_input_ids is None:
            if labels is None:
                raise ValueError("the decoder needs decoder_input_ids or labels")
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        if encoder_outputs is None:
            if input_ids is None:
                raise ValueError("the encoder needs input_ids")
            encoder_outputs = self.get_encoder()(input_ids, attention_mask)
        past = cache_of(self.model.decoder, past_key_values, use_cache)
        memory, memory_mask = encoder_outputs[0], real_tokens(attention_mask)
        mask = real_tokens(decoder_attention_mask)
        scores = self.model.decode(decoder_input_ids, memory, memory_mask, mask, past and past.cache)
        loss = None if labels is None else F.cross_entropy(scores.flatten(0, 1).float(), labels.flatten())
        return Seq2SeqLMOutput(
            loss=loss, logits=scores, past_key_values=past, encoder_last_hidden_state=encoder_outputs[0]
        )

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """(B, T) -> (B, T): behind the token that a target starts with; -100 becomes padding."""
        shifted = labels.roll(1, 1)
        shifted[:, 0] = self.config.decoder_start_token_id
        return shifted.masked_fill(shifted == -100, self.config.pad_token_id)
