"""Texts as tokens, with their places in characters: made once, in parallel, and kept in the cache."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers

from ..cache import build_once
from ..text.tokenizer import Tokenizer
from .ragged import Ragged, RaggedFile

VERSION = 1  # part of the fingerprint: count up whenever the same texts give other tokens
_BATCH = 1 << 20  # characters that are tokenised at once

# Shapes: N texts, T tokens of one.


class Encoded(NamedTuple):
    """Of N texts the (T,) tokens, and (T, 2) where each begins and ends in its text, in characters."""

    tokens: Ragged
    offsets: Ragged


def encoded(texts: Callable[[], Iterable[str]], tokenizer: Tokenizer, folder: Path | None) -> Encoded:
    """The tokens of texts, from the `folder` if that was written before; None: nothing is written."""
    dtype = np.uint16 if tokenizer.size <= 1 << 16 else np.uint32
    if folder is None:
        found = list(encodings(texts(), tokenizer))
        tokens = Ragged.of((np.array(each.ids) for each in found), dtype)
        return Encoded(tokens, Ragged.of((_places(each) for each in found), np.int32, (2,)))

    def write(place: Path) -> None:
        with RaggedFile(place / "tokens", dtype) as tokens, RaggedFile(place / "offsets", np.int32, (2,)) as offsets:
            for each in encodings(texts(), tokenizer):
                tokens.add(np.array(each.ids, dtype))
                offsets.add(_places(each))

    made = build_once(folder, write)
    return Encoded(Ragged.open(made / "tokens"), Ragged.open(made / "offsets"))


def encodings(texts: Iterable[str], tokenizer: Tokenizer) -> Iterator[tokenizers.Encoding]:
    """Texts -> encodings, without special tokens."""
    remaining = iter(texts)
    while batch := list(_some(remaining)):
        yield from tokenizer.encode_batch(batch)


def _some(texts: Iterator[str]) -> Iterator[str]:
    """The next texts, as many as are tokenised at once."""
    size = 0
    while size < _BATCH:
        for text in islice(texts, 1):
            size += len(text) + 1
            yield text
            break
        else:
            return


def _places(encoding: tokenizers.Encoding) -> np.ndarray:
    return np.array(encoding.offsets, np.int32).reshape(-1, 2)
