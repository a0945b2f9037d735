import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.models import GPT
from variformer.objectives.next_token import NextToken

KEYS = np.zeros(2, dtype=np.uint64)


class Uniform(torch.nn.Module):
    def forward(self, tokens, mask=None):
        return torch.zeros(*tokens.shape, 1000)


def samples(tokens, document=None):
    tokens = np.asarray(tokens)
    document = np.zeros_like(tokens) if document is None else np.asarray(document)
    return [{"tokens": t, "document": d} for t, d in zip(tokens, document, strict=True)]


def test_targets_are_the_next_tokens(vocabulary):
    batch = NextToken(vocabulary, 4).collate(samples([[1, 10, 11, 12, 13], [14, 15, -1, -1, -1]]), KEYS, True)
    assert batch["tokens"].tolist() == [[1, 10, 11, 12], [14, 15, 1, 1]]
    assert batch["targets"].tolist() == [[10, 11, 12, 13], [15, -100, -100, -100]]
    assert batch["count"] == 5


@given(st.integers(1, 30), st.integers(0, 10**6))
def test_perplexity_and_bits_per_byte_of_a_uniform_model(vocabulary, real, seed):
    objective = NextToken(vocabulary, 16)
    tokens = np.random.default_rng(seed).integers(5, 900, (2, 17))
    tokens.ravel()[1 + real :] = -1
    batch = objective.collate(samples(tokens), KEYS, True)
    ratios = objective(Uniform(), batch).ratios
    targets = tokens[:, 1:][tokens[:, 1:] >= 0]
    bits = len(targets) * math.log2(1000) / vocabulary.byte_lengths[targets].sum()
    assert (ratios["bits_per_byte"].total / ratios["bits_per_byte"].count).item() == pytest.approx(bits, rel=1e-5)
    mean = (ratios["loss"].total / ratios["loss"].count).item()
    assert objective.derive({"loss": mean})["perplexity"] == pytest.approx(1000, rel=1e-4)


def test_no_bits_per_byte_where_the_tokenizer_cannot_tell(vocabulary):
    vague = SimpleNamespace(**{**vars(vocabulary), "byte_lengths": None})
    objective = NextToken(vague, 4)
    assert set(objective(Uniform(), objective.collate(samples([[5, 6, 7, 8, 9]]), KEYS, True)).ratios) == {"loss"}


def test_isolated_documents_do_not_see_each_other(vocabulary):
    torch.manual_seed(0)
    model = GPT(vocab_size=1000, width=16, depth=2, heads=2, hidden=32, max_length=8, dropout=0.0).eval()
    objective = NextToken(vocabulary, 8, isolate_documents=True)
    document = [[0, 0, 0, 0, 1, 1, 1, 1, 1]]
    one = objective.collate(samples([[1, 10, 11, 12, 1, 20, 21, 22, 23]], document), KEYS, True)
    two = objective.collate(samples([[1, 90, 91, 92, 1, 20, 21, 22, 23]], document), KEYS, True)
    scores_one, scores_two = (model(b["tokens"], mask=b["mask"]) for b in (one, two))
    torch.testing.assert_close(scores_one[:, 4:], scores_two[:, 4:])
    assert not torch.allclose(scores_one[:, 1:4], scores_two[:, 1:4])
