"""The text of a row while it is written: what can be shown already, and whether a stop string has come."""

from collections.abc import Callable, Sequence

from ..ranges import Whole
from ..samples import TextCodec

UNFINISHED = "\ufffd"  # what a decoder shows for half a character


class Following:
    """Tokens in, pieces of text out. The pieces joined are `text`.

    Text that the next tokens may still change is held back: half a character, and what may become a stop string.
    `before` are the tokens in front: whether the first written token begins with a space depends on them.
    """

    def __init__(
        self,
        tokenizer: TextCodec,
        before: Sequence[Whole] = (),
        stop: Sequence[str] = (),
        show: Callable[[str], None] | None = None,
    ):
        self.tokenizer, self.stop, self.show = tokenizer, stop, show
        self.context = last_ordinary(tokenizer, before)
        self.hidden = len(tokenizer.decode(self.context))
        self.shown = 0

    def text(self, tokens: Sequence[int]) -> str:
        """The text of written tokens without special ones, up to the first stop string."""
        text = self.whole(tokens)
        return text[: self.stopped_at(text)]

    def whole(self, tokens: Sequence[int]) -> str:
        return self.tokenizer.decode([*self.context, *tokens])[self.hidden :]

    def stopped_at(self, text: str) -> int | None:
        """Where the first stop string begins, which may be within a token; None where there is none."""
        return min((place for each in self.stop if (place := text.find(each)) >= 0), default=None)

    def is_stopped(self, tokens: Sequence[int]) -> bool:
        return bool(self.stop) and self.stopped_at(self.whole(tokens)) is not None

    def follow(self, tokens: Sequence[int]) -> None:
        """Show what is new in the text of all tokens written so far, and cannot change any more."""
        if self.show is None:
            return
        certain = len(tokens)
        while certain and is_byte(self.tokenizer, tokens[certain - 1]):
            certain -= 1
        text = self.whole(tokens[:certain]).rstrip(UNFINISHED)
        self.show_to(text, len(text) - longest_beginning(text, self.stop))

    def finish(self, tokens: Sequence[int]) -> str:
        """The whole text. Shows what was held back."""
        text = self.text(tokens)
        self.show_to(text, len(text))
        return text

    def show_to(self, text: str, end: int) -> None:
        if self.show is not None and end > self.shown:
            self.show(text[self.shown : end])
            self.shown = end


def is_byte(tokenizer: TextCodec, token: int) -> bool:
    """Whether a token is one byte of a character. A model may know more tokens than its tokenizer."""
    return token < tokenizer.size and bool(tokenizer.byte_tokens[token])


def last_ordinary(tokenizer: TextCodec, tokens: Sequence[int]) -> list[int]:
    """The last token that stands for whole characters."""
    for token in reversed(tokens):
        is_known = token < tokenizer.size and not tokenizer.special[token]
        if is_known and not is_byte(tokenizer, token) and UNFINISHED not in tokenizer.decode([int(token)]):
            return [int(token)]
    return []


def longest_beginning(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of a text may become a stop string."""
    lengths = (length for stop in stops for length in range(1, len(stop)) if text.endswith(stop[:length]))
    return max(lengths, default=0)
