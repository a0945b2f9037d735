"""Rows of whole sentences. Tokens of `corpus_of` are all different, so that one tells where it comes from."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import ByteLevel, Corpus
from variformer.data.text.sentences import cut_sentences

BYTES = ByteLevel().train([])
shapes = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=8), min_size=1, max_size=8)


class Endless:
    end = None


def corpus_of(shape, tokenizer=BYTES):
    documents = np.cumsum([0, *(sum(sentences) for sentences in shape)])
    sentences = np.cumsum([0, *(length for sentences in shape for length in sentences)])
    return Corpus(np.arange(1000, 1000 + documents[-1], dtype=np.uint32), documents, sentences, tokenizer)


def rows_of(corpus, length):
    view = corpus.whole_sentences(length)
    return [view.sample(index) for index in range(len(view))]


@given(shapes, st.integers(1, 40), st.booleans())
def test_every_token_is_in_one_row_and_documents_are_kept_apart(shape, length, has_end):
    corpus = corpus_of(shape, BYTES if has_end else Endless())
    seen = []
    for row in rows_of(corpus, length):
        assert all(column.shape == (length,) and column.dtype == np.int64 for column in row.values())
        real = row["tokens"] >= 0
        assert real[0] and not np.diff(real.astype(int)).clip(min=0).any()  # nothing behind the padding
        assert (row["document"][~real] == -1).all() and (row["sentence"][~real] == -1).all()
        tokens, document, sentence = (row[name][real] for name in ("tokens", "document", "sentence"))
        text = tokens >= 1000
        owner = np.searchsorted(corpus.documents, tokens[text] - 1000, side="right") - 1
        np.testing.assert_array_equal(document[text], owner)
        # One `end` before the first token of each further document, which it belongs to, and none elsewhere.
        assert text[0] and text[-1]
        new = np.flatnonzero(np.diff(document)) + 1
        assert np.flatnonzero(~text).tolist() == (new.tolist() if has_end else [])
        assert (tokens[~text] == BYTES.end).all() and (sentence[~text] == -1).all()
        assert (np.diff(sentence[text]) >= 0).all()
        seen += tokens[text].tolist()
    assert seen == corpus.tokens.tolist()


@given(shapes, st.integers(12, 40))
def test_sentences_are_whole_and_no_other_would_have_fitted(shape, length):
    corpus = corpus_of(shape)
    rows = [row["tokens"][row["tokens"] >= 0] for row in rows_of(corpus, length)]
    starts = [int(row[0]) - 1000 for row in rows]
    assert set(starts) <= set(corpus.sentences.tolist())
    for row, start in zip(rows, starts[1:], strict=False):
        following = corpus.sentences[np.searchsorted(corpus.sentences, start) + 1] - start
        assert len(row) + following + (start in corpus.documents) > length


@given(shapes, st.integers(1, 40))
def test_sentences_are_told_apart(shape, length):
    """Each number stands for one stretch of the text, within one sentence."""
    corpus = corpus_of(shape)
    for row in rows_of(corpus, length):
        for number in set(row["sentence"].tolist()) - {-1}:
            tokens = row["tokens"][row["sentence"] == number]
            assert (np.diff(tokens) == 1).all()
            assert len(set(np.searchsorted(corpus.sentences, tokens - 1000, side="right"))) == 1
            assert length < 12 or len(tokens) in np.diff(corpus.sentences)


def test_a_row_by_hand():
    rows = [row["tokens"].tolist() for row in rows_of(corpus_of([[2, 3], [2, 9], [1]]), 8)]
    end = BYTES.end
    assert rows == [
        [1000, 1001, 1002, 1003, 1004, end, 1005, 1006],
        [1007, 1008, 1009, 1010, -1, -1, -1, -1],  # a sentence of 9 tokens is cut into 4 and 5
        [1011, 1012, 1013, 1014, 1015, end, 1016, -1],
    ]


def test_it_says_what_is_wrong_and_survives_a_worker():
    view = corpus_of([[3], [4]]).whole_sentences(4)
    with pytest.raises(IndexError, match="row 2 of 2"):
        view.sample(2)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        corpus_of([[3]]).whole_sentences(0)
    copy = pickle.loads(pickle.dumps(view))
    np.testing.assert_array_equal(copy.sample(1)["tokens"], view.sample(1)["tokens"])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=10), st.integers(1, 10))
def test_long_sentences_are_cut_evenly(lengths, most):
    sentences = np.cumsum([0, *lengths])
    pieces = cut_sentences(sentences, most)
    sizes = np.diff(pieces)
    assert set(sentences) <= set(pieces)
    assert sizes.min() >= 1 and sizes.max() <= most
    assert len(sizes) == sum(-(-length // most) for length in lengths)
