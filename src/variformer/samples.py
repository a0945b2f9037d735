"""What data give and objectives take: the splits, their views, and the samples of these, as types."""

from typing import TYPE_CHECKING, Protocol, TypedDict, TypeVar

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

# Shapes: T tokens, V vocabulary, C channels, S side of an image.

SampleT = TypeVar("SampleT", covariant=True)


class View(Protocol[SampleT]):
    """The samples of one split, in the form that an objective collates."""

    def __len__(self) -> int: ...

    def sample(self, index: int, key: int) -> SampleT:
        """A pure function of both: all randomness comes from `key`."""
        ...


class Window(TypedDict):
    """A stretch of the whole text. Behind its end stands -1."""

    tokens: np.ndarray  # (T,)
    document: np.ndarray  # (T,), the running number of each token's document


class SentenceRow(Window):
    """Whole sentences in a row; behind the last one stands -1."""

    sentence: np.ndarray  # (T,), the running number of each token's sentence, -1 for a separator


class SegmentPair(TypedDict):
    """Two segments of text, without special tokens."""

    first: np.ndarray
    second: np.ndarray
    is_next: int  # 1 where the second follows the first in the text, else 0


class ImageSample(TypedDict):
    """An image as a model sees it, and its class."""

    image: "Tensor"  # (C, S, S)
    label: int


class TextSplit(Protocol):
    """One split of a text, and the views that objectives may ask for. Lengths leave out special tokens."""

    def windows(self, length: int, stride: int | None = None) -> View[Window]:
        """Stretches of the whole text, each `stride` tokens after the one before; None: as many as its length."""
        ...

    def whole_sentences(self, length: int) -> View[SentenceRow]:
        """Whole sentences, as many as fit."""
        ...

    def pairs(self, length: int, short_probability: float = 0.1) -> View[SegmentPair]:
        """Two segments, of which the second follows the first in half of the samples."""
        ...

    def ordered_pairs(self, length: int, short_probability: float = 0.1) -> View[SegmentPair]:
        """Two segments that follow each other, in half of the samples the later one first."""
        ...


class Vocabulary(Protocol):
    """Ids of the special tokens (None where the tokenizer has none), and facts about each token, (V,) arrays."""

    size: int
    pad: int | None
    start: int | None
    end: int | None
    mask: int | None

    @property
    def sentinels(self) -> np.ndarray:
        """Ids of <extra_id_0>, <extra_id_1>, ..."""
        ...

    @property
    def special(self) -> np.ndarray:
        """True for special tokens."""
        ...

    @property
    def continues_word(self) -> np.ndarray:
        """True for a token that continues a word."""
        ...

    @property
    def byte_lengths(self) -> np.ndarray | None:
        """Bytes of text that each token stands for; None where that is not exact."""
        ...


class TextCodec(Vocabulary, Protocol):
    """A tokenizer: it makes ids of raw text, as a model takes them, and text of ids."""

    @property
    def document_start(self) -> int | None:
        """The token in front of a text that a decoder goes on from."""
        ...

    @property
    def byte_tokens(self) -> np.ndarray:
        """(V,) True for tokens whose text depends on their neighbours: one byte of a character that has no token."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without special tokens."""
        ...

    def decode(self, ids: list[int], skip_special: bool = True) -> str:
        """The text of ids."""
        ...


class ImageTransform(Protocol):
    """What makes of a raw image, a PIL image or (C, H, W) bytes, what a model takes, (C, S, S) floats."""

    def __call__(self, image: "Image | Tensor") -> "Tensor": ...


class ImageCatalogue(Protocol):
    """What an image objective needs to know of the data."""

    classes: int


def required(vocabulary: Vocabulary, name: str, reader: object) -> int:
    """The id of a special token that `reader`, an objective or a writer of texts, cannot do without.

    Raises ValueError if the tokenizer lacks it.
    """
    token = getattr(vocabulary, name)
    if token is None:
        raise ValueError(
            f"{type(reader).__name__} needs a tokenizer with a `{name}` token; "
            "choose tokenizer=word_piece or roberta_bpe, which have all of them"
        )
    return token
