"""Initial weights have the spread that the papers and their reference code give them."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from variformer.layers import GatedFeedForward, RelativePositions, SinusoidalPositions, Transformer
from variformer.models import (
    GPT,
    T5,
    Albert,
    Bart,
    Bert,
    DeiT,
    DistilBert,
    Electra,
    ModernBert,
    PlainDeiT,
    Roberta,
    ViT,
)
from variformer.weights.huggingface import config_of

SIZES = dict(width=96, depth=3, heads=4, hidden=160)
TOKENS = dict(vocab_size=400, max_length=64)
TRUNCATED = 0.8796  # the spread of a unit normal that is cut off at two


def assert_spread(tensor: Tensor, std: float):
    """Within five standard errors of what is expected; the mean too."""
    error = 5 / math.sqrt(2 * tensor.numel())
    assert abs(tensor.std().item() / std - 1) < error
    assert abs(tensor.mean().item()) < 5 * std / math.sqrt(tensor.numel())


@pytest.mark.parametrize(
    "model", [Bert, Roberta, DistilBert, Albert, partial(Electra, generator_divisor=4), GPT, T5, Bart, ViT, DeiT]
)
def test_biases_are_zero_and_norms_one(model):
    built = model(**SIZES) if model in (ViT, DeiT) else model(**SIZES, **TOKENS)
    for module in built.modules():
        if isinstance(getattr(module, "bias", None), Tensor):
            assert not module.bias.any()
        if isinstance(module, nn.LayerNorm | nn.RMSNorm):
            assert (module.weight == 1).all()


FAMILIES = [Bert, Roberta, DistilBert, Albert, GPT, T5, partial(T5, embedding_std=0.05), Bart, ViT, DeiT]


def stacks(family, **options) -> list[Transformer]:
    sizes = SIZES if family in (ViT, DeiT) else SIZES | TOKENS
    built = family(**sizes, **options, **({"image_size": 32, "patch_size": 2} if family in (ViT, DeiT) else {}))
    return [module for module in built.modules() if isinstance(module, Transformer)]


@pytest.mark.parametrize("family", FAMILIES)
def test_sinusoids_stand_to_new_embeddings_as_in_the_paper(family):
    """Vaswani et al., 2017, section 3.4: embeddings of variance one, and waves, whose variance is a half."""
    for stack in stacks(family, positions=partial(SinusoidalPositions, amplitude=None)):
        vision = family in (ViT, DeiT)
        inputs = torch.randn(2, 3, 32, 32) if vision else torch.randint(400, (8, 60))
        embedded = stack.embedding(inputs).detach()[:, 2 if vision else 0 :]  # without special tokens
        waves = stack.positions(60, 0, embedded.device).added
        expected = 3**-0.5 if family is DeiT else 1.0  # PyTorch's own convolutions start smaller
        assert embedded.pow(2).mean().sqrt() / (2 * waves.pow(2).mean()).sqrt() == pytest.approx(expected, rel=0.3)


@pytest.mark.parametrize("family", FAMILIES)
def test_relative_scores_start_as_t5s_in_every_family(family):
    for stack in stacks(family, positions=RelativePositions):
        width = stack.embedding.tokens.embedding_dim if hasattr(stack.embedding, "tokens") else 96
        assert_spread(stack.positions.scores.weight, width**-0.5)


def test_bert():
    model = Bert(**SIZES, **TOKENS)
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and p.numel() > 2000]
    assert len(matrices) == 2 + 3 * 6 + 2  # tokens and positions, the blocks, the heads' transform and pooler
    for matrix in matrices:
        assert_spread(matrix, 0.02 * TRUNCATED)
        assert 0.039 < matrix.abs().max() <= 0.04


def test_albert():
    """As BERT; the one block, the matrix that widens the embeddings and the one that narrows states again."""
    model = Albert(**SIZES, **TOKENS, embedding_width=48)
    matrices = [p for p in model.parameters() if p.dim() == 2 and p.numel() > 2000]
    assert len(matrices) == 2 + 1 + 6 + 2  # tokens and positions, widening, the block, the heads' transform and pooler
    for matrix in matrices:
        assert_spread(matrix, 0.02 * TRUNCATED)
        assert 0.039 < matrix.abs().max() <= 0.04


def test_modern_bert():
    """Their code: as BERT; smaller in what writes to the residual stream and in the transform below the heads."""
    model = ModernBert(**SIZES, **TOKENS)
    smaller = 0.02 / math.sqrt(2 * 3)
    assert_spread(model.encoder.embedding.tokens.weight, 0.02 * TRUNCATED)
    assert_spread(model.transform[0].weight, smaller * TRUNCATED)
    for block in model.encoder.blocks:
        attention, feed_forward = block.self_attention, block.feed_forward
        for reader in attention.query, attention.key, attention.value, feed_forward.widen, feed_forward.gate:
            assert_spread(reader.weight, 0.02 * TRUNCATED)
        for writer in attention.output, feed_forward.narrow:
            assert_spread(writer.weight, smaller * TRUNCATED)
            assert writer.weight.abs().max() <= 2 * smaller


def test_bart():
    model = Bart(**SIZES, **TOKENS)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    assert len(matrices) == 1 + 2 + 3 * (6 + 10)  # tokens, positions of both halves, the blocks
    for matrix in matrices:
        assert_spread(matrix, 0.02)
        assert matrix.abs().max() > 0.05  # not cut off


def test_gpt2():
    model = GPT(**SIZES, **TOKENS)
    assert_spread(model.decoder.embedding.tokens.weight, 0.02)
    assert_spread(model.decoder.positions.table.weight, 0.02)
    for block in model.decoder.blocks:
        attention, feed_forward = block.self_attention, block.feed_forward
        for reader in attention.query, attention.key, attention.value, feed_forward.widen:
            assert_spread(reader.weight, 0.02)
        for writer in attention.output, feed_forward.narrow:
            assert_spread(writer.weight, 0.02 / math.sqrt(2 * 3))


@pytest.mark.parametrize("version", [{}, {"tied_head": False, "feed_forward": GatedFeedForward}])
def test_t5(version):
    """The factors of the reference code (mesh-tensorflow): D model width, W head width, F hidden."""
    model = T5(**SIZES, **TOKENS, head_width=20, **version)
    width, inner, head_width, hidden = 96, 80, 20, 160
    assert_spread(model.encoder.embedding.tokens.weight, 1.0)
    assert_spread(model.head.scores.weight, width**-0.5 if version else 1.0)
    for half in model.encoder, model.decoder:
        assert_spread(half.positions.scores.weight, width**-0.5)
        for block in half.blocks:
            for attention in filter(None, [block.self_attention, block.cross_attention]):
                assert_spread(attention.query.weight, (width * head_width) ** -0.5)
                assert_spread(attention.key.weight, width**-0.5)
                assert_spread(attention.value.weight, width**-0.5)
                assert_spread(attention.output.weight, inner**-0.5)
            assert_spread(block.feed_forward.widen.weight, width**-0.5)
            assert_spread(block.feed_forward.narrow.weight, hidden**-0.5)
            if version:
                assert_spread(block.feed_forward.gate.weight, width**-0.5)


@torch.no_grad()
@pytest.mark.parametrize("tied_head", [True, False])
def test_t5_with_small_embeddings_starts_at_a_guess(tied_head):
    model = T5(**SIZES, **TOKENS, head_width=20, tied_head=tied_head, embedding_std=0.05).eval()
    scores = model(torch.randint(400, (8, 30)), torch.randint(400, (8, 20)))
    assert expected_loss(scores) == pytest.approx(math.log(400), rel=0.01)


@torch.no_grad()
def test_t5_starts_as_the_same_function_under_any_scale():
    """The scale of the products is made up for by the queries."""
    tokens, scores = torch.arange(12).reshape(2, 6), []
    for scale in 1.0, 0.25:
        torch.manual_seed(0)
        scores.append(T5(**SIZES, **TOKENS, head_width=20, attention_scale=scale).eval()(tokens, tokens))
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-4, atol=1e-4)


def test_vit():
    model = ViT(**SIZES, patch_size=16, image_size=224)
    assert not model.head.weight.any() and not model.encoder.embedding.specials.any()
    assert_spread(model.encoder.positions.table.weight, 0.02)
    assert_spread(model.encoder.embedding.patches.weight, (3 * 16 * 16) ** -0.5)
    for block in model.encoder.blocks:
        for matrix in (m.weight for m in block.modules() if isinstance(m, nn.Linear)):
            bound = math.sqrt(6 / sum(matrix.shape))  # Glorot and Bengio, 2010: uniform
            assert 0.99 * bound < matrix.abs().max() <= bound
            assert_spread(matrix, bound / math.sqrt(3))


def test_a_plain_deit_is_a_vit_with_deits_weights():
    model = PlainDeiT(**SIZES, patch_size=16, image_size=32)
    assert model.encoder.embedding.specials.shape == (1, 96)
    for tensor in model.head.weight, model.encoder.blocks[0].feed_forward.widen.weight:
        assert_spread(tensor, 0.02 * TRUNCATED)
    assert config_of(model)["architectures"] == ["ViTForImageClassification"]


def test_deit():
    model = DeiT(**SIZES, patch_size=16, image_size=224)
    for tensor in model.encoder.positions.table.weight, model.encoder.embedding.specials, model.teacher_head.weight:
        assert_spread(tensor, 0.02 * TRUNCATED)
        assert tensor.abs().max() <= 0.04
    assert not model.head.bias.any()
    patches = model.encoder.embedding.patches.weight  # their code leaves it as PyTorch draws it
    assert_spread(patches, (3 * 3 * 16 * 16) ** -0.5)
    assert patches.abs().max() <= (3 * 16 * 16) ** -0.5


def expected_loss(scores: Tensor) -> float:
    """The mean cross-entropy over all targets, each as likely as any other."""
    return (scores.logsumexp(-1) - scores.mean(-1)).mean().item()


@torch.no_grad()
@pytest.mark.parametrize("depth", [2, 12])
def test_the_first_loss_is_that_of_a_guess(depth):
    sizes = dict(vocab_size=2000, width=128, depth=depth, heads=4, hidden=512)
    tokens = torch.randint(2000, (2, 64))
    encoders = [model(**sizes)(tokens).tokens for model in (Bert, Roberta, DistilBert, Albert, ModernBert)]
    for scores in GPT(**sizes)(tokens), Bart(**sizes)(tokens, tokens), *encoders:
        assert expected_loss(scores) == pytest.approx(math.log(2000), rel=0.05)
    assert expected_loss(Bert(**sizes)(tokens).pair) == pytest.approx(math.log(2), rel=0.05)
    images = torch.randn(2, 3, 224, 224)
    assert expected_loss(ViT(width=32, depth=depth, heads=2, hidden=64)(images)) == pytest.approx(math.log(1000))
    for scores in DeiT(width=32, depth=depth, heads=2, hidden=64)(images):  # its heads do not start at zero
        assert expected_loss(scores) == pytest.approx(math.log(1000), rel=0.05)


VERSION_1_1 = dict(depth=8, heads=6, hidden=1024, tied_head=False, feed_forward=GatedFeedForward)


@torch.no_grad()
@pytest.mark.parametrize("version", [{}, VERSION_1_1])
def test_the_first_loss_of_t5_small(version):
    """The reference's scores have a variance of one, which costs half a nat: log E[exp(s)] = 1/2.

    That is 4.8% of ln(vocabulary). A tied head also prefers the token it has just read, for 0 to 0.3% more.
    """
    model = T5(**version).eval()
    scores = model(torch.randint(32128, (4, 20)), torch.randint(32128, (4, 16)))
    assert scores.std() == pytest.approx(1.0, abs=0.02)
    assert expected_loss(scores) == pytest.approx(math.log(32128) + 0.5, rel=0.005)
    if version:
        assert expected_loss(scores) == pytest.approx(math.log(32128), rel=0.05)
