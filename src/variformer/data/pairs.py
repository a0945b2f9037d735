"""Two segments of text, for objectives that ask how one follows the other."""

from typing import TYPE_CHECKING, Any

import numpy as np

from variformer import randomness
from variformer.data.sentences import cut_sentences

if TYPE_CHECKING:
    from variformer.data.corpus import Corpus


class Chunks:
    """Documents cut once into chunks of consecutive sentences, at least two and at most `length` tokens in each.

    What `Pairs` and `OrderedPairs` have in common (Devlin et al., 2018, appendix A.2). A sample cuts a chunk between
    two sentences into two segments. With `short_probability` it is made shorter, by a random length, so that the
    model knows short inputs too. `length` leaves out special tokens.
    """

    def __init__(self, corpus: "Corpus", length: int, short_probability: float = 0.1) -> None:
        if length < 2:
            raise ValueError(f"a pair needs a length of at least 2, not {length}")
        self.corpus, self.length, self.short_probability = corpus, length, short_probability
        self._pieces = cut_sentences(np.asarray(corpus.sentences), length // 2)
        self._chunks, self.dropped = _cut_chunks(self._pieces, np.asarray(corpus.documents), length)
        if len(self._chunks) == 0:
            raise ValueError("pairs need documents of at least two sentences or lines; there is none")

    def __len__(self) -> int:
        return len(self._chunks)

    def cut(self, begin: int, end: int, place: float) -> tuple[int, int, int]:
        """Where the first segment of some pieces starts, where the second does, and where that ends, in tokens."""
        boundary = begin + 1 + int(place * (end - begin - 1))
        return int(self._pieces[begin]), int(self._pieces[boundary]), int(self._pieces[end])


class Pairs(Chunks):
    """Two stretches of text, of which the second truly follows the first in half of the samples.

    Devlin et al., 2018, section 3.1. With probability 1/2 the second segment is replaced by as long a stretch of
    another document. A sample is {"first": ids, "second": ids, "is_next": 0 or 1}; both have at least one token.
    """

    def __init__(self, corpus: "Corpus", length: int, short_probability: float = 0.1) -> None:
        if len(corpus.documents) < 3:
            raise ValueError("pairs need at least two documents; for one long text, set a document_separator")
        super().__init__(corpus, length, short_probability)

    def sample(self, index: int, key: int) -> dict[str, Any]:
        follows, short, size, cut, document, place = randomness.uniform(np.array([key], dtype=np.uint64), 6)[0]
        first_piece, last_piece = self._chunks[index]
        begin, boundary, end = self.cut(first_piece, last_piece, cut)
        first, second = self.corpus.tokens[begin:boundary], self.corpus.tokens[boundary:end]
        is_next = int(follows < 0.5)
        if not is_next:
            second = self._from_another_document(boundary, len(second), document, place)
        budget = self.length if short >= self.short_probability else 2 + int(size * (self.length - 1))
        keep_first, keep_second = _fit(len(first), len(second), budget)
        return {
            "first": first[:keep_first].astype(np.int64),
            "second": second[:keep_second].astype(np.int64),
            "is_next": is_next,
        }

    def _from_another_document(self, position: int, length: int, document: float, place: float) -> np.ndarray:
        """At most `length` tokens from a random sentence on, of a document other than the one at `position`.

        The sentence leaves room for all of `length` where the document is long enough: else short seconds
        would give away that they are not the next.
        """
        documents, sentences = self.corpus.documents, self.corpus.sentences
        own = int(np.searchsorted(documents, position, side="right")) - 1
        other = int(document * (len(documents) - 2))
        other += other >= own
        start, end = int(documents[other]), int(documents[other + 1])
        low, high = np.searchsorted(sentences, [start, max(end - length, start)], side="right") - 1
        begin = int(sentences[low + int(place * (high - low + 1))])
        return self.corpus.tokens[begin : min(begin + length, end)]


class OrderedPairs(Chunks):
    """Two segments that follow each other in one document, in half of the samples the later one first.

    Lan et al., 2019, section 3.1 (sentence order). A sample is {"first": ids, "second": ids, "is_next": 1 where they
    stand in the document's order, else 0}. A short one has fewer sentences, all of them whole: a segment that starts
    or ends in the midst of one would give the order away.
    """

    def sample(self, index: int, key: int) -> dict[str, Any]:
        swap, short, size, place = randomness.uniform(np.array([key], dtype=np.uint64), 4)[0]
        first_piece, last_piece = self._chunks[index]
        if short < self.short_probability:
            room = int(self._pieces[first_piece] + size * self.length)
            fitting = int(np.searchsorted(self._pieces, room, side="right")) - 1
            last_piece = min(last_piece, max(fitting, first_piece + 2))
        begin, boundary, end = self.cut(first_piece, last_piece, place)
        earlier, later = (self.corpus.tokens[a:b].astype(np.int64) for a, b in ((begin, boundary), (boundary, end)))
        is_next = int(swap >= 0.5)
        first, second = (earlier, later) if is_next else (later, earlier)
        return {"first": first, "second": second, "is_next": is_next}


def _fit(first: int, second: int, budget: int) -> tuple[int, int]:
    """Lengths of two stretches cut to `budget` together, the longer one first."""
    if first + second <= budget:
        return first, second
    half = budget // 2
    if second <= half:
        return budget - second, second
    return (first, budget - first) if first <= half else (budget - half, half)


def _cut_chunks(pieces: np.ndarray, documents: np.ndarray, length: int) -> tuple[np.ndarray, int]:
    """Greedy runs of pieces of one document -> (chunks, 2) boundaries, and how many pieces were dropped.

    Pieces have at most length / 2 tokens, so that any two neighbours fit; only the last chunk of a document
    can have one piece alone. It takes another from a neighbour that has three, or is dropped.
    """
    ends = np.searchsorted(pieces, documents)[1:]  # the boundary at each document's end
    document_end = np.repeat(ends, np.diff(ends, prepend=0))  # for each piece
    furthest = np.searchsorted(pieces, pieces[:-1] + length, side="right") - 1
    following = np.minimum(furthest, document_end).tolist()
    starts, begin = [], 0
    while begin < len(following):
        starts.append(begin)
        begin = following[begin]
    cuts = np.array([*starts, len(following)])
    alone = np.diff(cuts) == 1
    roomy = np.append(False, np.diff(cuts)[:-1] >= 3)
    same = np.append(False, document_end[cuts[:-2]] == document_end[cuts[1:-1]])
    begins = cuts[:-1] - (alone & roomy & same)
    stops = np.append(begins[1:], cuts[-1])
    kept = stops - begins >= 2
    return np.stack([begins, stops], axis=1)[kept], int((~kept).sum())
