from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import ByteLevel, Corpus

BYTES = ByteLevel().train([])
# Documents as lists of the lengths of their sentences.
shapes = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=8), min_size=1, max_size=8)


def corpus_of(shape, tokenizer=BYTES):
    """A corpus whose tokens are all different, so that a token tells where it comes from."""
    documents = np.cumsum([0, *(sum(sentences) for sentences in shape)])
    sentences = np.cumsum([0, *(length for sentences in shape for length in sentences)])
    return Corpus(np.arange(1000, 1000 + documents[-1], dtype=np.uint32), documents, sentences, tokenizer)


class Endless:
    end = None


def stream_of(corpus):
    """The whole text and its documents' numbers, by the slowest means."""
    tokens, documents = [], []
    for number, (start, end) in enumerate(pairwise(corpus.documents)):
        document = ([] if corpus.tokenizer.end is None else [corpus.tokenizer.end]) + corpus.tokens[start:end].tolist()
        tokens += document
        documents += [number] * len(document)
    return tokens, documents


@given(shapes, st.integers(1, 30), st.booleans())
def test_windows_cover_every_token_once(shape, length, has_end):
    corpus = corpus_of(shape, BYTES if has_end else Endless())
    tokens, documents = stream_of(corpus)
    windows = corpus.windows(length)
    samples = [windows.sample(index, 0) for index in range(len(windows))]
    padding = len(windows) * length - len(tokens)
    assert 0 <= padding < length
    assert np.concatenate([sample["tokens"] for sample in samples]).tolist() == tokens + [-1] * padding
    assert np.concatenate([sample["document"] for sample in samples]).tolist() == documents + [-1] * padding


@given(shapes, st.integers(1, 30), st.data())
def test_windows_with_a_stride(shape, length, data):
    stride = data.draw(st.integers(1, length))
    corpus = corpus_of(shape)
    tokens, _ = stream_of(corpus)
    windows = corpus.windows(length, stride)
    for index in range(len(windows)):
        expected = tokens[index * stride : index * stride + length]
        sample = windows.sample(index, 0)["tokens"]
        assert sample.dtype == np.int64
        assert sample.tolist() == expected + [-1] * (length - len(expected))
    assert (len(windows) - 1) * stride + length >= len(tokens)  # the last one reaches the end,
    assert len(windows) == 1 or (len(windows) - 2) * stride + length < len(tokens)  # and none before it does


@given(shapes, st.integers(1, 30))
def test_overlapping_by_one_every_next_token_is_predicted_once(shape, length):
    corpus = corpus_of(shape)
    windows = corpus.windows(length + 1, stride=length)
    samples = [windows.sample(index, 0)["tokens"] for index in range(len(windows))]
    targets = np.concatenate([sample[1:] for sample in samples])
    assert targets[targets >= 0].tolist() == stream_of(corpus)[0][1:]


def test_windows_say_what_is_wrong():
    corpus = corpus_of([[3], [4]])
    for stride in (0, 5):
        with pytest.raises(ValueError, match=f"stride must be in 1..length=4, not {stride}"):
            corpus.windows(4, stride)
    with pytest.raises(IndexError, match="window 3 of 3"):
        corpus.windows(4).sample(3, 0)
