"""Two segments of text, for objectives that ask how one follows the other.

Only the content of the segments may give the answer: neither their lengths, nor where they start or end.
"""

import logging

import numpy as np

from ... import randomness
from ...ranges import Count, Probability
from ...samples import SegmentPair
from .sentences import cut_sentences
from .tokenised import TokenisedText

log = logging.getLogger(__name__)

_LEAST = 1 / 8  # of the room of a pair goes to each segment at least: most sentences are shorter than that


class Chunks:
    """Documents cut once into chunks of consecutive pieces, at least two and at most `length` tokens in each.

    A piece is a sentence, or part of one that has more than length / 2 tokens. What `Pairs` and `OrderedPairs` have in
    common (Devlin et al., 2018, appendix A.2): there are as many samples as chunks, and each is taken from the text
    around its chunk. With `short_probability` it is made shorter, by a random length, so that the model knows short
    inputs too. `length` leaves out special tokens.
    """

    def __init__(self, corpus: TokenisedText, length: Count, short_probability: Probability = 0.1) -> None:
        if length < 2:
            raise ValueError(f"a pair needs a length of at least 2, not {length}")
        self.corpus, self.length, self.short_probability = corpus, length, short_probability
        self._pieces = cut_sentences(np.asarray(corpus.sentences), length // 2)
        self._chunks, self.dropped = _cut_chunks(self._pieces, np.asarray(corpus.documents), length)
        if len(self._chunks) == 0:
            raise ValueError("pairs need documents of at least two sentences or lines; there is none")
        self._edges = np.searchsorted(self._pieces, corpus.documents)  # of documents, in pieces
        document = np.searchsorted(self._edges, self._chunks[:, 0], side="right") - 1
        self._document_chunks = np.searchsorted(document, np.arange(len(self._edges)))

    def __len__(self) -> int:
        return len(self._chunks)

    def document_of(self, piece: int) -> tuple[int, int, int]:
        """The number of the document that a piece is of, its first piece, and the first piece behind it."""
        number = int(np.searchsorted(self._edges, piece, side="right")) - 1
        return number, int(self._edges[number]), int(self._edges[number + 1])

    def room(self, short: float, size: float, longest: int) -> int:
        """How many tokens a sample may have, from two random numbers in [0, 1)."""
        return longest if short >= self.short_probability else 2 + int(size * (longest - 1))

    def segment(self, begin: int, end: int) -> np.ndarray:
        return self.corpus.tokens[begin:end].astype(np.int64)


class Pairs(Chunks):
    """Two stretches of text, of which the second truly follows the first in half of the samples.

    Devlin et al., 2018, section 3.1. A sample is {"first": ids, "second": ids, "is_next": 0 or 1}; both have at least
    one token. A sample has two random places between sentences, in two documents, and random lengths of its segments.
    The first segment ends at one place; the second starts there or, with probability 1/2, at the other. A segment
    takes the complete pieces that fit into its length, or a part of one piece if none fits. Both places have the same
    distribution, and so have second segments of both kinds. Raises ValueError if only one document has pairs.
    """

    def __init__(self, corpus: TokenisedText, length: Count, short_probability: Probability = 0.1) -> None:
        if len(corpus.documents) < 3:
            raise ValueError("pairs need at least two documents; for one long text, set a document_separator")
        super().__init__(corpus, length, short_probability)
        self._most = int(np.diff(self._document_chunks).max())  # chunks in one document
        if self._most == len(self):
            raise ValueError("pairs need at least two documents of at least two sentences or lines; there is one")
        if 2 * self._most > len(self):
            log.warning(
                f"one document has {self._most / len(self):.0%} of the text that pairs are made of, so that a second "
                "segment from it is mostly the true one: cut it into documents by a document_separator"
            )

    def sample(self, index: int, key: int) -> SegmentPair:
        random = randomness.uniform(np.array([key], dtype=np.uint64), 7)[0]
        follows, short, size, own_place, other, other_place, fraction = random
        own, foreign = self._between(index, own_place), self._between(self._elsewhere(index, other), other_place)
        is_next = int(follows < 0.5)
        room = self.room(short, size, self.length)
        # Where one of both documents ends soon, seconds of both kinds become shorter.
        second_room = min(_part(room, fraction), self._behind(own), self._behind(foreign))
        return {
            "first": self._before(own, room - second_room),
            "second": self._from(own if is_next else foreign, second_room),
            "is_next": is_next,
        }

    def _between(self, chunk: int, place: float) -> int:
        """A piece of a chunk that another is before."""
        begin, end = self._chunks[chunk]
        return int(begin) + 1 + int(place * (end - begin - 1))

    def _elsewhere(self, chunk: int, place: float) -> int:
        """A chunk of another document.

        It lies a random number of chunks further on (after the last chunk comes the first), at least as many as the
        largest document has. So each chunk is chosen as often as any other, as the true second segments are. If one
        document has more than half of the chunks, this is impossible: then all chunks of the others are equally likely.
        """
        count, most = len(self), self._most
        if 2 * most <= count:
            return (chunk + most + int(place * (count - 2 * most + 1))) % count
        number, _, _ = self.document_of(self._chunks[chunk, 0])
        begin, end = (int(edge) for edge in self._document_chunks[number : number + 2])
        return (end + int(place * (count - (end - begin)))) % count

    def _behind(self, piece: int) -> int:
        """Tokens from the start of a piece to the end of its document."""
        return int(self._pieces[self.document_of(piece)[2]] - self._pieces[piece])

    def _before(self, piece: int, room: int) -> np.ndarray:
        """The pieces before one that fit into `room`, else the last tokens before it."""
        place = int(self._pieces[piece])
        begin = max(int(np.searchsorted(self._pieces, place - room)), self.document_of(piece)[1])
        return self.segment(int(self._pieces[begin]) if begin < piece else place - room, place)

    def _from(self, piece: int, room: int) -> np.ndarray:
        """The pieces from one on that fit into `room`, else its first tokens."""
        place = int(self._pieces[piece])
        end = min(int(np.searchsorted(self._pieces, place + room, side="right")) - 1, self.document_of(piece)[2])
        return self.segment(place, int(self._pieces[end]) if end > piece else place + room)


class OrderedPairs(Chunks):
    """Two segments that follow each other in one document, in half of the samples the later one first.

    Lan et al., 2019, section 3.1 (sentence order). A sample is {"first": ids, "second": ids, "is_next": 1 where they
    stand in the document's order, else 0}. Three random tokens are each moved on to the next start of a piece:
    there the earlier segment starts, the later one starts, and the later one ends. So both have the same distribution.
    If each segment took as much as fits, they would differ: a long sentence would often stand before the earlier one.
    """

    def sample(self, index: int, key: int) -> SegmentPair:
        swap, short, size, where, fraction = randomness.uniform(np.array([key], dtype=np.uint64), 5)[0]
        number, first, last = self.document_of(self._chunks[index, 0])
        chunk, chunks_end = self._document_chunks[number : number + 2]
        start, end = int(self._pieces[first]), int(self._pieces[last])
        # Moving on mostly adds less than an eighth of the length.
        span = min(self.room(short, size, max(2, self.length - self.length // 8)), end - start)
        begin = start + int((index - chunk + where) / (chunks_end - chunk) * (end - start - span + 1))
        places = np.searchsorted(self._pieces, [begin, begin + _part(span, fraction), begin + span])
        begin, boundary, end = (int(self._pieces[piece]) for piece in self._fitting(places, last))
        earlier, later = self.segment(begin, boundary), self.segment(boundary, end)
        is_next = int(swap >= 0.5)
        first_segment, second_segment = (earlier, later) if is_next else (later, earlier)
        return {"first": first_segment, "second": second_segment, "is_next": is_next}

    def _fitting(self, places: np.ndarray, last: int) -> tuple[int, int, int]:
        """Three places of a document, in pieces, moved so that each segment has a piece and both fit together."""
        begin = min(int(places[0]), last - 2)
        boundary = min(max(int(places[1]), begin + 1), last - 1)
        end = min(max(int(places[2]), boundary + 1), last)
        most = int(np.searchsorted(self._pieces, self._pieces[begin] + self.length, side="right")) - 1
        end = min(end, most)  # at least two pieces
        return begin, min(boundary, end - 1), end


def _part(room: int, fraction: float) -> int:
    """Tokens for one of two segments, at least one for each, from a random number in [0, 1)."""
    return min(max(1, round(room * (_LEAST + (1 - 2 * _LEAST) * fraction))), room - 1)


def _cut_chunks(pieces: np.ndarray, documents: np.ndarray, length: int) -> tuple[np.ndarray, int]:
    """Greedy runs of pieces of one document -> (chunks, 2) boundaries, and how many pieces were dropped.

    Pieces have at most length / 2 tokens, so that any two neighbours fit; only the last chunk of a document
    can have a single piece. It takes another piece from the chunk before if that has three, or is dropped.
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
    single = np.diff(cuts) == 1
    roomy = np.append(False, np.diff(cuts)[:-1] >= 3)
    same = np.append(False, document_end[cuts[:-2]] == document_end[cuts[1:-1]])
    begins = cuts[:-1] - (single & roomy & same)
    stops = np.append(begins[1:], cuts[-1])
    kept = stops - begins >= 2
    return np.stack([begins, stops], axis=1)[kept], int((~kept).sum())
