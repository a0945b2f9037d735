"""Step-by-step decoding: the cache of Variformer's models, as `generate` handles one."""

from typing import Any

from torch import Tensor


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
            for each in (block.self_attention, block.cross_attention):
                if each.keys is not None:
                    each.keys, each.values = each.keys.index_select(0, beam_idx), each.values.index_select(0, beam_idx)


def cache_of(decoder: Any, past: StepCache | None, use_cache: bool) -> StepCache | None:
    """The cache to go on with. Raises TypeError for one of another kind."""
    if past is None:
        return StepCache(decoder.new_cache()) if use_cache else None
    if not isinstance(past, StepCache):
        raise TypeError(f"past_key_values is a {type(past).__name__}, but must be what this model returned before")
    return past
