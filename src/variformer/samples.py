"""What data give and objectives take: the splits, their views, and the samples of these, as types."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict, TypeVar

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

# Shapes: T tokens, V vocabulary, C channels, S side of an image; N samples, W words, A answers.

SampleT = TypeVar("SampleT", covariant=True)


class View(Protocol[SampleT]):
    """The samples of one split, in the form that an objective collates."""

    def __len__(self) -> int: ...

    def sample(self, index: int, key: int) -> SampleT:
        """A pure function of both: all randomness comes from `key`."""
        ...


class SizedView(View[SampleT], Protocol[SampleT]):
    """A view whose samples differ in length, so that samples of like length may share a batch."""

    @property
    def lengths(self) -> np.ndarray:
        """(N,) tokens of each sample, without special tokens."""
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


class TextExample(TypedDict):
    """A text, or two, and their class. Tokens come without special tokens, in all of these."""

    text: np.ndarray  # (T,)
    pair: np.ndarray | None  # (T,), the second text, where the data have one
    label: int  # its place among the names of the classes, -1 where the row has none


class RatedText(TypedDict):
    """A text, or two, and a number that is to be predicted."""

    text: np.ndarray  # (T,)
    pair: np.ndarray | None  # (T,)
    value: float  # as the row has it; nan where it has none


class TaggedWords(TypedDict):
    """The words of a sentence, and a tag for each. Every word has a token."""

    tokens: np.ndarray  # (T,) of all words
    starts: np.ndarray  # (W,) the place of each word's first token
    offsets: np.ndarray  # (W, 2) where each word begins and ends in `sentence`, in characters
    tags: np.ndarray  # (W,) places among the names of the classes, -1 where the row has no tags
    sentence: str  # words that were given are joined by spaces


class QuestionExample(TypedDict):
    """A question, the text that may hold the answer, and the answers that are right."""

    question: np.ndarray  # (T,)
    context: np.ndarray  # (T,)
    offsets: np.ndarray  # (T, 2) where each token of the context begins and ends in `passage`, in characters
    answers: list[str]  # empty where the passage holds no answer
    spans: np.ndarray  # (A, 2) the first and the last token of each answer in the context
    passage: str
    id: str


class SourceAndTarget(TypedDict):
    """A text, and the text that is to be made of it."""

    source: np.ndarray  # (T,)
    target: np.ndarray  # (T,), empty where the row has none
    reference: str  # the target as it was given


class ExampleSplit(Protocol):
    """One split of labelled examples, and the views that objectives may ask for.

    Where texts are cut to a length, the data count them, or raise ValueError with on_long=error.
    """

    fields: Set[str]  # that the examples have, such as "text" and "label"

    def texts(self, length: int) -> SizedView[TextExample]:
        """Texts with a class, cut to `length` tokens; of two texts, the longer one is cut first."""
        ...

    def rated_texts(self, length: int) -> SizedView[RatedText]:
        """Texts with a number, cut likewise."""
        ...

    def words(self) -> SizedView[TaggedWords]:
        """Whole sentences: `tokens` that are given, or else the words of `text`."""
        ...

    def questions(self) -> SizedView[QuestionExample]:
        """Questions with whole contexts."""
        ...

    def text_pairs(self, source_length: int, target_length: int, prefix: str = "") -> SizedView[SourceAndTarget]:
        """Sources behind the `prefix`, and targets, each cut to its length."""
        ...


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


class Layout(NamedTuple):
    """The special tokens around a text, or around two. `between` is empty where there is one text."""

    before: list[int]
    between: list[int]
    after: list[int]
    segment: int  # of the second text and of what follows it; the first is segment 0


class TextCodec(Vocabulary, Protocol):
    """A tokenizer: it makes ids of raw text, as a model takes them, and text of ids."""

    def layout(self, pair: bool) -> Layout:
        """The special tokens that a model reads around one text, or around a pair."""
        ...

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


class LabelledTexts(Protocol):
    """What an objective needs to know of labelled examples."""

    @property
    def tokenizer(self) -> TextCodec: ...

    @property
    def fields(self) -> Set[str]:
        """The fields that the examples have."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, or of the tags, in their order: those of the config, else of the training split.

        Raises ValueError where there are none, or fewer than two.
        """
        ...

    @property
    def label_counts(self) -> Mapping[str, int]:
        """How many training rows have each label."""
        ...

    @property
    def scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the values, where labels are numbers: of the config, or of the training split.

        Raises ValueError where a label is no number.
        """
        ...

    def require(self, *fields: str, reader: object) -> None:
        """Raises ValueError if the examples lack a field that `reader`, an objective, needs."""
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
