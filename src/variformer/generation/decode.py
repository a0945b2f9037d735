"""Token by token over the cache: a decoder, or an encoder-decoder."""

import torch
from torch import Tensor

from ..models.contracts import CausalLanguageModel, EncoderDecoder
from .sampling import Sampling

# Shapes: B batch, S source tokens, T tokens.


@torch.inference_mode()
def continue_tokens(
    model: CausalLanguageModel,
    tokens: Tensor,
    count: int,
    *,
    sampling: Sampling,
    generator: torch.Generator,
    longest: int,
) -> Tensor:
    """(B, T) -> (B, T + count). Where `longest` positions are full, the model goes on from the newer half of them."""
    cache, unread = model.decoder.new_cache(), tokens
    for _ in range(count):
        if cache.length + unread.size(1) > longest:
            cache, unread = model.decoder.new_cache(), tokens[:, -(longest // 2) :]
        scores = model(unread, cache=cache)[:, -1]
        unread = sampling(scores, generator)[:, None]
        tokens = torch.cat([tokens, unread], 1)
    return tokens


@torch.inference_mode()
def write_target(
    model: EncoderDecoder,
    source: Tensor,
    count: int,
    *,
    start: int,
    end: int,
    sampling: Sampling,
    generator: torch.Generator,
) -> Tensor:
    """(B, S) -> (B, up to count). Behind its `end`, a row repeats it until all rows are finished."""
    memory = model.encode(source)
    cache = model.decoder.new_cache()
    token = torch.full((len(source), 1), start, device=source.device)
    written: list[Tensor] = []
    finished = torch.zeros(len(source), 1, dtype=torch.bool, device=source.device)
    for _ in range(count):
        token = sampling(model.decode(token, memory, cache=cache)[:, -1], generator)[:, None]
        token = token.masked_fill(finished, end)
        written.append(token)
        finished |= token == end
        if finished.all():
            break
    return torch.cat(written, 1)
