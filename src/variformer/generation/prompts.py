"""From a text to what a model reads of it."""

import re

from torch import nn

from ..samples import TextCodec, required

BLANK = "____"  # stands in a prompt where the model fills something in
BLANKS = re.compile(r"____|\[MASK\]|<mask>")


def prompt_ids(model: nn.Module, tokenizer: TextCodec, text: str) -> list[int]:
    """The tokens of a prompt, with the special tokens that the model has had around its texts.

    Raises ValueError if the tokenizer lacks one of them.
    """
    return surrounded(model, tokenizer, tokenizer.encode(text))


def surrounded(model: nn.Module, tokenizer: TextCodec, tokens: list[int]) -> list[int]:
    """The tokens with those that stand in front of a text and behind it."""
    if not hasattr(model, "encode"):
        return tokens if tokenizer.document_start is None else [tokenizer.document_start, *tokens]
    start = getattr(model, "source_token", None)
    front = [] if start is None else [required(tokenizer, start, model)]
    return [*front, *tokens, required(tokenizer, "end", model)]


def pieces(text: str) -> list[str]:
    """What stands between the blanks: ____, [MASK] or <mask>. Raises ValueError for a text without any."""
    found = BLANKS.split(text)
    if len(found) == 1:
        raise ValueError(f"{text!r} has no blank to fill: write ____ where a word is missing")
    return found


def with_masks(text: str, tokenizer: TextCodec, reader: object) -> list[int]:
    """The ids of a text between `start` and `end`, in which each blank and the space before it is one mask.

    Raises ValueError if the tokenizer has no mask, start or end.
    """
    start, mask, end = (required(tokenizer, name, reader) for name in ("start", "mask", "end"))
    first, *others = (piece.rstrip(" ") for piece in pieces(text))
    ids = [start, *tokenizer.encode(first)]
    for piece in others:
        ids += [mask, *tokenizer.encode(piece)]
    return [*ids, end]


def with_sentinels(text: str, tokenizer: TextCodec, reader: object) -> list[int]:
    """The ids of a text before `end`, in which a sentinel stands for each blank (T5).

    Raises ValueError for more blanks than the tokenizer has sentinels.
    """
    parts = pieces(text)
    if len(parts) - 1 > len(tokenizer.sentinels):
        raise ValueError(f"{len(parts) - 1} blanks, but the tokenizer has {len(tokenizer.sentinels)} sentinels")
    ids: list[int] = []
    for number, piece in enumerate(parts):
        ids += ([int(tokenizer.sentinels[number - 1])] if number else []) + tokenizer.encode(piece)
    return [*ids, required(tokenizer, "end", reader)]
