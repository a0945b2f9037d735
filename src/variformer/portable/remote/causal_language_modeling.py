"""A decoder that predicts the next token."""

import torch.nn.functional as F
from torch import Tensor
from transformers import GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils import can_return_tuple

from .decoding import StepCache, cache_of
from .modeling_variformer import VariformerPreTrainedModel, real_tokens

# Shapes: B batch, T tokens, K tokens with those in the cache, V vocabulary.


class VariformerForCausalLM(VariformerPreTrainedModel, GenerationMixin):
    """Scores of the next token. Batches of texts of several lengths are padded on the left to generate."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # `forward` makes its own

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: StepCache | None = None,
        use_cache: bool = False,
        labels: Tensor | None = None,
    ) -> CausalLMOutputWithPast:
        """(B, T) tokens, (B, K) ones where they are real -> (B, T, V).

        `labels` are the same tokens, -100 where they do not count: each is predicted from those before it.
        """
        past = cache_of(self.model.decoder, past_key_values, use_cache)
        scores = self.model(input_ids, mask=real_tokens(attention_mask), cache=past and past.cache)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(scores[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return CausalLMOutputWithPast(loss=loss, logits=scores, past_key_values=past)
