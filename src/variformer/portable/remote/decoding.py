"""Step-by-step decoding: the cache of Variformer's models, as `generate` handles one."""

import inspect
from typing import Any

from torch import Tensor
from transformers import GenerationMixin


class StepCache:
    """`cache` holds the keys and values of every layer, self-attention's and cross-attention's."""

    is_compileable = False

    def __init__(self, cache: Any):
        self.cache = cache

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.cache.length

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """The rows that a beam search goes on with."""
        for block in self.cache.blocks:
            block.self_attention.keep(beam_idx)
            block.cross_attention.keep(beam_idx)


class StepwiseGenerationMixin(GenerationMixin):
    """`generate` over a cache that `forward` makes by itself."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Those that `forward` takes: versions of transformers differ in what else they prepare."""
        inputs = super().prepare_inputs_for_generation(*args, **kwargs)
        taken = inspect.signature(self.forward).parameters
        return {name: value for name, value in inputs.items() if name in taken}


def cache_of(decoder: Any, past: StepCache | None, use_cache: bool) -> StepCache | None:
    """The cache to go on with. Raises TypeError for one of another kind."""
    if past is None:
        return StepCache(decoder.new_cache()) if use_cache else None
    if not isinstance(past, StepCache):
        raise TypeError(f"past_key_values is a {type(past).__name__}, but must be what this model returned before")
    return past
