"""Token by token over the cache: a decoder alone, or one that reads an encoder."""

import torch
from torch import Tensor, nn

from .sampling import Sampling

# Shapes: B batch, S source tokens, T tokens.


@torch.inference_mode()
def continue_tokens(
    model: nn.Module,
    tokens: Tensor,
    count: int,
    *,
    sampling: Sampling,
    generator: torch.Generator,
    longest: int,
) -> Tensor:
    """(B, T) -> (B, T + count) from a causal model; past `longest` positions it reads on from the newer half."""
    cache, unread = model.decoder.new_cache(), tokens  # type: ignore[union-attr, operator]
    for _ in range(count):
        if cache.length + unread.size(1) > longest:
            cache, unread = model.decoder.new_cache(), tokens[:, -(longest // 2) :]  # type: ignore[union-attr, operator]
        scores = model(unread, cache=cache)[:, -1]
        unread = sampling(scores, generator)[:, None]
        tokens = torch.cat([tokens, unread], 1)
    return tokens


@torch.inference_mode()
def write_target(
    model: nn.Module,
    source: Tensor,
    count: int,
    *,
    start: int,
    end: int,
    sampling: Sampling,
    generator: torch.Generator,
) -> Tensor:
    """(B, S) -> (B, up to count): what an encoder-decoder writes, `end` repeated once a row is finished."""
    memory = model.encode(source)  # type: ignore[operator]
    cache = model.decoder.new_cache()  # type: ignore[union-attr, operator]
    token = torch.full((len(source), 1), start, device=source.device)
    written: list[Tensor] = []
    finished = torch.zeros(len(source), 1, dtype=torch.bool, device=source.device)
    for _ in range(count):
        token = sampling(model.decode(token, memory, cache=cache)[:, -1], generator)[:, None]  # type: ignore[operator]
        token = token.masked_fill(finished, end)
        written.append(token)
        finished |= token == end
        if finished.all():
            break
    return torch.cat(written, 1)
