import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import ByteLevel, Corpus
from variformer.data.pairs import _cut_chunks, _fit
from variformer.data.sentences import cut_sentences
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


@given(shapes.filter(lambda shape: len(shape) > 1 and max(map(len, shape)) > 1), st.integers(2, 30), st.data())
def test_every_pair_is_as_promised(shape, length, data):
    corpus = corpus_of(shape)
    pairs = corpus.pairs(length)
    key = data.draw(st.integers(0, 2**64 - 1))
    for index in range(len(pairs)):
        sample = pairs.sample(index, key)
        first, second = sample["first"], sample["second"]
        assert len(first) > 0 and len(second) > 0
        assert len(first) + len(second) <= length
        assert first.dtype == second.dtype == np.int64
        for part in (first, second):
            assert (np.diff(part) == 1).all()
        same = document_of(corpus, first) == document_of(corpus, second)
        assert same == bool(sample["is_next"])
        if same:
            assert second[0] > first[-1]


def test_a_true_pair_is_a_chunk_cut_in_two():
    corpus = corpus_of([[4, 4, 4, 4]] * 20)
    pairs = corpus.pairs(16, short_probability=0)
    samples = [pairs.sample(index % len(pairs), sample_key(0, 0, index)) for index in range(400)]
    true = [sample for sample in samples if sample["is_next"]]
    assert all(len(sample["first"]) + len(sample["second"]) == 16 for sample in samples)
    assert all(sample["second"][0] == sample["first"][-1] + 1 for sample in true)
    assert {len(sample["first"]) for sample in true} == {4, 8, 12}


def test_pairs_are_pure_functions_of_index_and_key():
    pairs = corpus_of([[3, 4, 5, 2, 6]] * 5).pairs(20)

    def read(index, key):
        return {name: np.asarray(value).tolist() for name, value in pairs.sample(index, key).items()}

    once = [read(0, key) for key in range(50)]
    np.random.seed(1)
    assert once == [read(0, key) for key in range(50)]
    assert len({str(sample) for sample in once}) > 20


def test_half_of_the_pairs_are_true_and_a_tenth_is_short():
    pairs = corpus_of([[3] * 40] * 50).pairs(60)
    samples = [pairs.sample(0, sample_key(3, 1, number)) for number in range(4000)]
    assert abs(np.mean([sample["is_next"] for sample in samples]) - 0.5) < 0.03
    lengths = np.array([len(sample["first"]) + len(sample["second"]) for sample in samples])
    assert abs((lengths < 60).mean() - 0.1) < 0.02
    assert lengths.min() < 6  # short ones come in every length
    for part in ("first", "second"):  # neither length gives the answer away
        means = [np.mean([len(s[part]) for s in samples if s["is_next"] == is_next]) for is_next in (0, 1)]
        assert abs(means[0] - means[1]) < 2


def test_the_other_documents_are_all_used_from_all_their_sentences():
    corpus = corpus_of([[2, 2, 2, 2]] * 4)
    pairs = corpus.pairs(4, short_probability=0)
    samples = [pairs.sample(0, sample_key(0, 0, number)) for number in range(600)]
    starts = {int(sample["second"][0]) - 1000 for sample in samples if not sample["is_next"]}
    assert starts == {document * 8 + 2 * sentence for document in (1, 2, 3) for sentence in range(4)}


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


@given(st.integers(1, 50), st.integers(1, 50), st.integers(2, 60))
def test_fit_shortens_the_longer_first(first, second, budget):
    kept = _fit(first, second, budget)
    slow = [first, second]
    while sum(slow) > budget:
        slow[0 if slow[0] > slow[1] else 1] -= 1
    assert sorted(kept) == sorted(slow) or (sum(kept) == sum(slow) and abs(kept[0] - kept[1]) <= 1)
    assert kept[0] <= first and kept[1] <= second and min(kept) >= 1


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


def test_half_of_the_ordered_pairs_are_in_order_whatever_their_lengths():
    pairs = corpus_of([[3] * 40] * 50).ordered_pairs(60)
    samples = [pairs.sample(number % len(pairs), sample_key(3, 1, number)) for number in range(4000)]
    assert abs(np.mean([sample["is_next"] for sample in samples]) - 0.5) < 0.03
    lengths = np.array([len(sample["first"]) + len(sample["second"]) for sample in samples])
    assert lengths.max() == 60 and lengths.min() == 6
    assert abs((lengths < 59).mean() - 0.1) < 0.03
    for part in ("first", "second"):  # neither length gives the answer away
        means = [np.mean([len(s[part]) for s in samples if s["is_next"] == is_next]) for is_next in (0, 1)]
        assert abs(means[0] - means[1]) < 2


def test_ordered_pairs_are_pure_functions_of_index_and_key_and_need_one_document():
    pairs = corpus_of([[3, 4, 5, 2, 6]]).ordered_pairs(20)
    once, again = ([str(pairs.sample(0, key)) for key in range(50)] for _ in range(2))
    assert once == again
    assert len(set(once)) >= 8  # four cuts, two orders


def test_pairs_say_what_is_missing():
    with pytest.raises(ValueError, match="at least two documents"):
        corpus_of([[3, 3, 3]]).pairs(8)
    with pytest.raises(ValueError, match="at least two sentences"):
        corpus_of([[3], [3]]).pairs(8)
    with pytest.raises(ValueError, match="at least 2, not 1"):
        corpus_of([[3, 3], [3, 3]]).pairs(1)
