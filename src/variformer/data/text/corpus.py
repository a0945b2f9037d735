"""One split of a tokenised text data set, memory-mapped."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import tokenizers

from .pairs import OrderedPairs, Pairs
from .sentences import Sentences
from .tokenised import TokenisedText
from .tokenizer import Tokenizer
from .windows import Windows

VERSION = 1  # part of the cache's key: count up whenever the files below change
_BATCH = 1 << 20  # characters that are tokenised at once
# A line's first character that is not blank; a capital after the end of a sentence; what follows "。".
_SENTENCE_START = re.compile(
    r"""(?:^|\n)\s*(?=\S)"""
    r"""|[.!?]["')\]\u201d\u2019»]*[ \t]+(?=["'(\[\u201c\u2018«]?[A-ZÀ-ÖØ-ÞΑ-ΩА-Я])"""
    r"""|[。\uff01\uff1f](?=\S)"""
)


class Corpus(TokenisedText):
    """The tokens of one split (uint16 or uint32), and the ways to read them: the views of text objectives."""

    def __init__(
        self,
        tokens: np.ndarray,
        documents: np.ndarray,
        sentences: np.ndarray,
        tokenizer: Tokenizer,
        folder: Path | None = None,
    ) -> None:
        super().__init__(tokens, documents, sentences, tokenizer)
        self._folder = folder

    @classmethod
    def open(cls, folder: Path, tokenizer: Tokenizer) -> "Corpus":
        """Open what `write_corpus` wrote; ValueError if the files are damaged."""
        meta = json.loads((folder / "meta.json").read_text())
        dtype = np.dtype(meta["dtype"])
        if (folder / "tokens.bin").stat().st_size != meta["tokens"] * dtype.itemsize:
            raise ValueError(f"{folder}/tokens.bin is damaged: its size is wrong. Delete {folder.parent}")
        tokens = np.memmap(folder / "tokens.bin", dtype=dtype, mode="r")
        offsets = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("documents", "sentences")]
        return cls(tokens, offsets[0], offsets[1], tokenizer, folder)

    def windows(self, length: int, stride: int | None = None) -> Windows:
        """Stretches of the whole text; see `Windows`."""
        return Windows(self, length, stride)

    def pairs(self, length: int, short_probability: float = 0.1) -> Pairs:
        """Two stretches that follow each other or do not; see `Pairs`."""
        return Pairs(self, length, short_probability)

    def ordered_pairs(self, length: int, short_probability: float = 0.1) -> OrderedPairs:
        """Two segments that follow each other, or change places; see `OrderedPairs`."""
        return OrderedPairs(self, length, short_probability)

    def whole_sentences(self, length: int) -> Sentences:
        """Whole sentences, as many as fit; see `Sentences`."""
        return Sentences(self, length)

    def __reduce__(self) -> tuple:
        # A worker process opens the files again; pickling the arrays would copy all of the text.
        if self._folder is not None:
            return Corpus.open, (self._folder, self.tokenizer)
        return Corpus, (self.tokens, self.documents, self.sentences, self.tokenizer)


def write_corpus(
    folder: Path,
    texts: Iterable[str],
    tokenizer: Tokenizer,
    advance: Callable[[int], None] = lambda documents: None,
) -> None:
    """Tokenise texts, in parallel, into an empty folder; `advance` is called with the number of texts that were added.

    A text without tokens (only accents, for a tokenizer that strips them) is left out, and counted.
    """
    dtype = np.dtype(np.uint16 if tokenizer.size <= 1 << 16 else np.uint32)
    documents, sentences = [np.zeros(1, dtype=np.int64)], []
    total = bytes_ = empty = 0
    with open(folder / "tokens.bin", "wb") as file:
        for batch in _batches(texts):
            for text, encoding in zip(batch, tokenizer.encode_batch(batch), strict=True):
                ids = np.array(encoding.ids, dtype=np.int64)
                if len(ids) == 0:
                    empty += 1
                    continue
                if ids.max() >= tokenizer.size:
                    raise ValueError(f"the tokenizer gave the id {ids.max()}, beyond its size of {tokenizer.size}")
                file.write(ids.astype(dtype).tobytes())
                sentences.append(total + sentence_starts(text, encoding))
                total += len(ids)
                bytes_ += len(text.encode())
                documents.append(np.array([total]))
            advance(len(batch))
    offsets = np.concatenate(documents)
    np.save(folder / "documents.npy", offsets)
    np.save(folder / "sentences.npy", np.concatenate([*sentences, offsets[-1:]]))
    counts = {"documents": len(offsets) - 1, "tokens": total, "bytes": bytes_, "without_tokens": empty}
    (folder / "meta.json").write_text(json.dumps({"dtype": dtype.name, **counts}, indent=2))


def sentence_starts(text: str, encoding: tokenizers.Encoding) -> np.ndarray:
    """Indices of the tokens at which the sentences (and lines) of a text start; 0 is always among them.

    Where a token straddles the start of a sentence (" The"), the sentence starts with that token.
    """
    characters = np.array([match.end() for match in _SENTENCE_START.finditer(text)], dtype=np.int64)
    ends = np.maximum.accumulate(np.array(encoding.offsets, dtype=np.int64)[:, 1])
    tokens = np.searchsorted(ends, characters, side="right")
    # The first match is the first character that is not blank; blanks before it are not a sentence.
    return np.unique(np.append(tokens[1:][tokens[1:] < len(ends)], 0))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
