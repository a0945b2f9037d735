import numpy as np
import pytest
import torch
from torch import nn

from variformer.models import Electra
from variformer.models.electra import Detections
from variformer.objectives.replaced_tokens import ReplacedTokens, sample
from variformer.randomness import sample_key

LENGTH, VOCABULARY = 32, 1000


def keys(count, seed=0):
    return np.array([sample_key(seed, 0, index) for index in range(count)], dtype=np.uint64)


def windows(count, real=LENGTH - 2):
    tokens = np.random.default_rng(0).integers(5, 900, (count, LENGTH - 2))
    tokens[:, real:] = -1
    return [{"tokens": row} for row in tokens]


class Fixed(nn.Module):
    """A generator with the same scores everywhere, and a discriminator with the same answer; what it read is kept."""

    generator = "the scores"

    def __init__(self, scores, answer=-2.0):
        super().__init__()
        self.scores, self.answer = scores, answer
        self.generator = nn.Identity()  # its scores are `scores`

    def forward(self, tokens, mask, segments, predict, replace):
        scores = self.scores.expand(len(predict), -1)
        self.before, self.read = tokens, replace(scores)
        return Detections(scores, torch.full(tokens.shape, self.answer), torch.zeros(0))


def tiny(**sizes):
    torch.manual_seed(0)
    sizes = dict(width=16, embedding_width=8, depth=2, heads=4, hidden=32, generator_divisor=4) | sizes
    return Electra(vocab_size=VOCABULARY, max_length=LENGTH, dropout=0.0, **sizes)


def test_every_chosen_token_is_masked_for_the_generator(vocabulary):
    objective = ReplacedTokens(vocabulary, LENGTH)
    batch = objective.collate(windows(200), keys(200), True)
    hidden = batch["tokens"] == vocabulary.mask
    assert hidden.float().mean().item() == pytest.approx(0.15 * (LENGTH - 2) / LENGTH, abs=0.02)
    assert hidden.sum() == (batch["targets"] >= 0).sum()


def test_only_chosen_tokens_are_replaced_and_all_of_them(vocabulary):
    objective = ReplacedTokens(vocabulary, LENGTH)
    samples = windows(50, real=20)
    original, batch = objective.assemble(samples)["tokens"], objective.collate(samples, keys(50), True)
    model = Fixed(torch.full((VOCABULARY,), -1e9).index_fill(0, torch.tensor(7), 0.0))
    objective(model, batch)
    hidden = batch["tokens"] == vocabulary.mask
    assert (model.read[hidden] == 7).all() and not (model.read == vocabulary.mask).any()
    assert torch.equal(model.read[~hidden], torch.from_numpy(original)[~hidden])
    assert torch.equal(model.before, batch["tokens"])  # the batch itself stays as it was


def test_a_sample_that_is_right_counts_as_original(vocabulary):
    objective = ReplacedTokens(vocabulary, LENGTH)
    samples = windows(20)
    for row in samples:
        row["tokens"][:] = 7
    batch = objective.collate(samples, keys(20), True)
    sure = torch.full((VOCABULARY,), -1e9).index_fill(0, torch.tensor(7), 0.0)
    ratios = objective(Fixed(sure), batch).ratios
    assert ratios["replaced_share"].total == 0 and ratios["replaced_recall"].count == 0
    assert ratios["replaced_accuracy"].total == ratios["replaced_accuracy"].count == 20 * LENGTH
    other = torch.full((VOCABULARY,), -1e9).index_fill(0, torch.tensor(8), 0.0)
    wrong = objective(Fixed(other), batch).ratios
    assert wrong["replaced_share"].total == (batch["targets"] >= 0).sum()
    found = objective(Fixed(other, answer=2.0), batch).ratios["replaced_recall"]
    assert found.total == found.count == (batch["targets"] >= 0).sum()


def test_padding_is_not_judged(vocabulary):
    objective = ReplacedTokens(vocabulary, LENGTH)
    batch = objective.collate(windows(4, real=10), keys(4), True)
    ratios = objective(Fixed(torch.zeros(VOCABULARY)), batch).ratios
    assert ratios["replaced_loss"].count == 4 * 12 == ratios["replaced_share"].count


def test_samples_have_the_probabilities_of_the_scores():
    scores = torch.tensor([0.5, 0.2, 0.0, 0.3]).log()
    draws = torch.from_numpy((np.arange(10_000) + 0.5) / 10_000).float()
    counts = sample(scores.expand(10_000, -1), draws).bincount(minlength=4) / 10_000
    torch.testing.assert_close(counts, scores.exp(), rtol=0, atol=1e-3)
    assert sample(torch.zeros(1, 3), torch.tensor([1 - 2**-24])).item() == 2


def test_the_same_key_samples_the_same_whatever_the_batch(vocabulary):
    objective, model = ReplacedTokens(vocabulary, LENGTH), Fixed(torch.zeros(VOCABULARY))
    samples = windows(6)
    objective(model, objective.collate(samples, keys(6), True))
    together = model.read
    objective(model, objective.collate(samples[2:4], keys(6)[2:4], True))
    assert torch.equal(model.read, together[2:4])
    objective(model, objective.collate(samples, keys(6, seed=1), True))
    assert not torch.equal(model.read, together)


def test_the_loss_is_the_sum_with_the_papers_weight(vocabulary):
    objective, model = ReplacedTokens(vocabulary, LENGTH), tiny()
    scores = objective(model, objective.collate(windows(8), keys(8), True))
    means = {name: (ratio.total / ratio.count).item() for name, ratio in scores.ratios.items() if "_loss" in name}
    assert scores.loss.item() == pytest.approx(means["masked_loss"] + 50 * means["replaced_loss"], rel=1e-5)
    assert objective.derive(means)["loss"] == pytest.approx(scores.loss.item(), rel=1e-5)


def test_the_discriminators_loss_trains_no_generator(vocabulary):
    """Embeddings excepted, which are shared: sampling is not differentiated (section 3.1)."""
    model = tiny()
    objective = ReplacedTokens(vocabulary, LENGTH, replaced_weight=1.0)
    scores = objective(model, objective.collate(windows(4), keys(4), True))
    loss = scores.ratios["replaced_loss"]
    (loss.total / loss.count).backward()
    shared = {id(parameter) for parameter in model.encoder.parameters()}
    own = {name: each for name, each in model.generator.named_parameters() if id(each) not in shared}
    assert own and all(each.grad is None or not each.grad.any() for each in own.values())
    assert all(each.grad is not None for name, each in model.named_parameters() if name.startswith("encoder."))


def test_embeddings_are_shared_and_the_generator_is_smaller():
    model = tiny()
    ours, theirs = model.encoder, model.generator.encoder
    assert ours.embedding is theirs.embedding and ours.positions is theirs.positions
    assert model.generator.token_head.scores.weight is ours.embedding.tokens.weight
    attention = theirs.blocks[0].self_attention
    assert (attention.query.in_features, attention.heads, len(theirs.blocks)) == (4, 1, 2)


def test_a_model_without_a_generator_is_refused(vocabulary):
    with pytest.raises(ValueError, match=r"this Electra has no generator .* model\.generator_divisor=4"):
        ReplacedTokens(vocabulary, LENGTH).initialise(tiny(generator_divisor=None))
    with pytest.raises(ValueError, match=r"3 does not divide all of .*'width': 16"):
        tiny(generator_divisor=3)
