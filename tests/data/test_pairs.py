import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import ByteLevel, Corpus
from variformer.data.text.pairs import _cut_chunks
from variformer.data.text.sentences import cut_sentences
from variformer.randomness import sample_key

BYTES = ByteLevel().train([])
# Documents as lists of the lengths of their sentences.
shapes = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=8), min_size=1, max_size=8)


def corpus_of(shape, tokenizer=BYTES):
    """A corpus whose tokens are all different, so that a token tells where it comes from."""
    documents = np.cumsum([0, *(sum(sentences) for sentences in shape)])
    sentences = np.cumsum([0, *(length for sentences in shape for length in sentences)])
    return Corpus(np.arange(1000, 1000 + documents[-1], dtype=np.uint32), documents, sentences, tokenizer)


def document_of(corpus, tokens):
    """The number of the one document that all the tokens are of."""
    numbers = set(np.searchsorted(corpus.documents, np.asarray(tokens) - 1000, side="right") - 1)
    assert len(numbers) == 1
    return numbers.pop()


def two_with_pairs(shape):
    return sum(len(sentences) > 1 for sentences in shape) > 1


@given(shapes.filter(two_with_pairs), st.integers(2, 30), st.data())
def test_every_pair_is_as_promised(shape, length, data):
    corpus = corpus_of(shape)
    pairs = corpus.pairs(length)
    pieces = cut_sentences(corpus.sentences, length // 2) + 1000
    key = data.draw(st.integers(0, 2**64 - 1))
    for index in range(len(pairs)):
        sample = pairs.sample(index, key)
        first, second = sample["first"], sample["second"]
        assert len(first) > 0 and len(second) > 0
        assert len(first) + len(second) <= length
        assert first.dtype == second.dtype == np.int64
        assert {first[-1] + 1, second[0]} <= set(pieces.tolist())
        for part, edge in ((first, first[0]), (second, second[-1] + 1)):
            assert (np.diff(part) == 1).all()
            inside = ((pieces > part[0]) & (pieces <= part[-1])).any()
            assert edge in pieces or not inside  # whole pieces, or a part of one
        assert second[0] - 1000 not in corpus.documents  # no document's beginning, of either kind
        same = document_of(corpus, first) == document_of(corpus, second)
        assert same == bool(sample["is_next"])
        assert not same or second[0] == first[-1] + 1


def test_pairs_fill_their_length():
    pairs = corpus_of([[4] * 40] * 20).pairs(64, short_probability=0)
    samples = [pairs.sample(index % len(pairs), sample_key(0, 0, index)) for index in range(400)]
    totals = np.array([len(sample["first"]) + len(sample["second"]) for sample in samples])
    assert totals.max() == 64
    assert (totals >= 64 - 2 * 3).mean() > 0.8  # else a document's start or end is near


def test_pairs_are_pure_functions_of_index_and_key():
    pairs = corpus_of([[3, 4, 5, 2, 6]] * 5).pairs(20)

    def read(index, key):
        return {name: np.asarray(value).tolist() for name, value in pairs.sample(index, key).items()}

    once = [read(0, key) for key in range(50)]
    np.random.seed(1)
    assert once == [read(0, key) for key in range(50)]
    assert len({str(sample) for sample in once}) > 20


def test_half_of_the_pairs_are_true_and_a_tenth_is_short():
    pairs = corpus_of([[1] * 500] * 50).pairs(60)
    samples = [pairs.sample(number % len(pairs), sample_key(3, 1, number)) for number in range(4000)]
    assert abs(np.mean([sample["is_next"] for sample in samples]) - 0.5) < 0.03
    far_in = [sample for sample in samples if 60 <= (sample["first"][-1] - 1000) % 500 < 440]
    lengths = np.array([len(sample["first"]) + len(sample["second"]) for sample in far_in])
    assert abs((lengths < 50).mean() - 0.1 * 48 / 59) < 0.05
    assert lengths.min() < 6  # short ones come in every length


@pytest.mark.parametrize("shape", [[[2] * 8] * 4, [[2] * 8, [3] * 6, [4, 4], [5] * 9, [7], [2] * 20]])
def test_seconds_of_both_kinds_are_equally_frequent(shape):
    """At each place between sentences, where no document has more than half of the text."""
    pairs = corpus_of(shape).pairs(8, short_probability=0)
    rounds = 200
    starts = {0: [], 1: []}
    for epoch in range(rounds):
        for index in range(len(pairs)):
            sample = pairs.sample(index, sample_key(0, epoch, index))
            starts[sample["is_next"]].append(int(sample["second"][0]))
    counts = [np.bincount(starts[is_next], minlength=1200) for is_next in (0, 1)]
    assert set(np.flatnonzero(counts[0])) == set(np.flatnonzero(counts[1]))
    used = counts[0] > 0
    excess = (counts[0] - counts[1])[used] / (counts[0] + counts[1])[used] ** 0.5
    assert np.abs(excess).max() < 4


def test_one_large_document_gives_pairs_away_with_a_warning(caplog):
    pairs = corpus_of([[4] * 40, [4] * 4, [4] * 4]).pairs(16)
    assert "one document has 83% of the text that pairs are made of" in caplog.text
    for number in range(300):
        pairs.sample(number % len(pairs), number)
    caplog.clear()
    corpus_of([[4] * 8, [4] * 4, [4] * 4]).pairs(16)
    assert not caplog.text


@given(shapes, st.integers(2, 24))
def test_chunks_are_disjoint_runs_and_nearly_complete(shape, length):
    corpus = corpus_of(shape)
    pieces = cut_sentences(corpus.sentences, length // 2)
    chunks, dropped = _cut_chunks(pieces, corpus.documents, length)
    used = [piece for begin, end in chunks for piece in range(begin, end)]
    assert len(used) == len(set(used)) == len(pieces) - 1 - dropped
    for begin, end in chunks:
        assert end - begin >= 2
        assert pieces[end] - pieces[begin] <= length
        document_of(corpus, corpus.tokens[pieces[begin] : pieces[end]])
    assert dropped <= len(shape)  # only a document's last piece


def test_a_lonely_tail_takes_a_sentence_from_its_neighbour():
    pieces, documents = np.array([0, 2, 4, 6, 8]), np.array([0, 8])
    chunks, dropped = _cut_chunks(pieces, documents, 6)  # greedily 3 + 1
    assert chunks.tolist() == [[0, 2], [2, 4]] and dropped == 0
    chunks, dropped = _cut_chunks(np.array([0, 2, 4, 6]), np.array([0, 6]), 4)  # 2 + 1: nothing to take
    assert chunks.tolist() == [[0, 2]] and dropped == 1


@given(shapes.filter(lambda shape: max(map(len, shape)) > 1), st.integers(2, 30), st.data())
def test_ordered_pairs_are_two_halves_of_a_stretch(shape, length, data):
    corpus = corpus_of(shape)
    pairs = corpus.ordered_pairs(length, short_probability=0.5)
    key = data.draw(st.integers(0, 2**64 - 1))
    pieces = cut_sentences(corpus.sentences, length // 2) + 1000
    for index in range(len(pairs)):
        sample = pairs.sample(index, key)
        first, second = sample["first"], sample["second"]
        assert min(len(first), len(second)) > 0 and len(first) + len(second) <= length
        assert first.dtype == second.dtype == np.int64
        earlier, later = (first, second) if sample["is_next"] else (second, first)
        together = np.concatenate([earlier, later])
        assert (np.diff(together) == 1).all()  # in the document's order, nothing left out
        document_of(corpus, together)
        assert {earlier[0], later[0], later[-1] + 1} <= set(pieces.tolist())  # whole sentences


def test_half_of_the_ordered_pairs_are_in_order_of_any_length():
    pairs = corpus_of([[3] * 40] * 50).ordered_pairs(60)
    samples = [pairs.sample(number % len(pairs), sample_key(3, 1, number)) for number in range(4000)]
    assert abs(np.mean([sample["is_next"] for sample in samples]) - 0.5) < 0.03
    lengths = np.array([len(sample["first"]) + len(sample["second"]) for sample in samples])
    assert lengths.max() == 54 and lengths.min() == 6  # an eighth is kept for moving on
    assert abs((lengths < 51).mean() - 0.1) < 0.03
    for part in ("first", "second"):  # neither length gives the answer away
        means = [np.mean([len(s[part]) for s in samples if s["is_next"] == is_next]) for is_next in (0, 1)]
        assert abs(means[0] - means[1]) < 2


def test_ordered_pairs_start_and_end_at_like_places():
    """Where sentences differ in length: as often before, after and inside of a long one."""
    random = np.random.default_rng(0)
    corpus = corpus_of([np.where(random.random(4000) < 0.2, 16, 3).tolist()] * 2)
    pairs = corpus.ordered_pairs(128, short_probability=0)
    sizes = np.diff(corpus.sentences)
    edges = {"start": [[], []], "end": [[], []]}
    for number in range(3000):
        sample = pairs.sample(number % len(pairs), sample_key(0, 0, number))
        segments = (sample["first"], sample["second"])[:: 1 if sample["is_next"] else -1]
        for later, segment in enumerate(segments):
            edges["start"][later].append(np.searchsorted(corpus.sentences, segment[0] - 1000))
            edges["end"][later].append(np.searchsorted(corpus.sentences, segment[-1] - 999))
    for earlier, later in edges.values():
        for side in (-1, 0):  # the sentence before, the sentence behind
            means = [sizes[np.clip(np.array(edge) + side, 0, len(sizes) - 1)].mean() for edge in (earlier, later)]
            assert abs(means[0] - means[1]) < 0.7  # four standard errors


def test_ordered_pairs_are_pure_and_need_one_document():
    pairs = corpus_of([[3, 4, 5, 2, 6]]).ordered_pairs(20)
    once, again = ([str(pairs.sample(0, key)) for key in range(50)] for _ in range(2))
    assert once == again
    assert len(set(once)) >= 8  # four cuts, two orders


def test_pairs_say_what_is_missing():
    with pytest.raises(ValueError, match="at least two documents"):
        corpus_of([[3, 3, 3]]).pairs(8)
    with pytest.raises(ValueError, match="at least two sentences"):
        corpus_of([[3], [3]]).pairs(8)
    with pytest.raises(ValueError, match="two documents of at least two sentences"):
        corpus_of([[3, 3], [3]]).pairs(8)
    with pytest.raises(ValueError, match="at least 2, not 1"):
        corpus_of([[3, 3], [3, 3]]).pairs(1)
