"""What stands for the blanks of a text: words of a masked language model, spans of T5, a whole text of BART."""

from typing import Any, NamedTuple

import torch
from torch import nn

from ..samples import TextCodec, required
from .generate import Decoding, generate, plain_evaluation
from .prompts import pieces, with_masks, with_sentinels


class Candidate(NamedTuple):
    """What may stand in a blank. A span that was written as a whole has no probability of its own."""

    text: str
    probability: float | None


class Filled(NamedTuple):
    """`text` has the best candidate in each blank. BART writes it anew, and has no `blanks`."""

    text: str
    blanks: list[list[Candidate]]


def fill(
    model: nn.Module, tokenizer: TextCodec, text: str, choices: int = 3, decoding: Decoding | None = None
) -> Filled:
    """Fill each ____, [MASK] or <mask> of a text: with one token, or of T5 and BART with as many as they write.

    `choices` is how many candidates a masked language model gives, `decoding` how the others write; None: the best.
    Raises ValueError for a text without blanks, and for a model that fills none.
    """
    if hasattr(model, "encode"):
        fill_in = spans if len(tokenizer.sentinels) else restored
        return fill_in(model, tokenizer, text, decoding or Decoding())
    if getattr(model, "token_head", None) is None:
        raise ValueError(f"{type(model).__name__} fills no blanks: a masked language model does, or T5, or BART")
    return words(model, tokenizer, text, choices)


@torch.inference_mode()
def words(model: Any, tokenizer: TextCodec, text: str, choices: int) -> Filled:
    """The likeliest tokens for each blank, all of which are blank to the model."""
    tokens = with_masks(text, tokenizer, model)
    with plain_evaluation(model) as device:
        read = torch.tensor([tokens], device=device)
        places = (read[0] == required(tokenizer, "mask", model)).nonzero().squeeze(1)
        best = model(read, predict=places).tokens.float().softmax(-1).topk(min(choices, tokenizer.size))
    blanks = [
        [Candidate(tokenizer.decode([token]).strip(), share) for token, share in zip(*row, strict=True)]
        for row in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    return Filled(put_in(text, [each[0].text for each in blanks]), blanks)


def spans(model: nn.Module, tokenizer: TextCodec, text: str, decoding: Decoding) -> Filled:
    """What T5 writes behind each sentinel."""
    source = with_sentinels(text, tokenizer, model)
    ((written, *_),) = generate(model, [source], decoding, tokenizer=tokenizer)
    count, sentinels = len(pieces(text)) - 1, tokenizer.sentinels.tolist()
    found: list[list[int]] = [[] for _ in range(count)]
    blank: list[int] = []  # what stands before the first sentinel fills nothing
    for token in written.tokens:
        if token in sentinels:
            number = sentinels.index(token)
            blank = found[number] if number < count else []
        else:
            blank.append(token)
    texts = [tokenizer.decode(each).strip() for each in found]
    return Filled(put_in(text, texts), [[Candidate(each, None)] for each in texts])


def restored(model: nn.Module, tokenizer: TextCodec, text: str, decoding: Decoding) -> Filled:
    """The text as BART writes it, with any number of tokens in place of each mask."""
    source = with_masks(text, tokenizer, model)
    ((written, *_),) = generate(model, [source], decoding, tokenizer=tokenizer)
    return Filled(written.text, [])


def put_in(text: str, fillings: list[str]) -> str:
    """The text with something in place of each blank."""
    first, *others = pieces(text)
    return first + "".join(filling + piece for filling, piece in zip(fillings, others, strict=True))
