"""What a text objective needs to know of a tokenizer."""

from typing import Protocol

import numpy as np


class Vocabulary(Protocol):
    """Ids of the special tokens (None where the tokenizer has none), and facts about each token, (V,) arrays."""

    size: int
    pad: int | None
    start: int | None
    end: int | None
    mask: int | None
    sentinels: np.ndarray  # ids of <extra_id_0>, <extra_id_1>, ...
    special: np.ndarray  # bool
    continues_word: np.ndarray  # bool
    byte_lengths: np.ndarray | None  # bytes of text that each token stands for, where that is exact


def required(vocabulary: Vocabulary, name: str, objective: object) -> int:
    """The id of a special token that an objective cannot do without.

    Raises ValueError where the tokenizer lacks it.
    """
    token = getattr(vocabulary, name)
    if token is None:
        raise ValueError(
            f"{type(objective).__name__} needs a tokenizer with a `{name}` token; "
            "choose another with tokenizer=word_piece, roberta_bpe or unigram"
        )
    return token
