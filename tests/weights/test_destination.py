"""The class of transformers that has a model's parts, or how the model differs from the nearest one."""

from functools import partial

import pytest
import torch
from torch import nn

from variformer.layers import (
    Attention,
    FeedForward,
    GatedFeedForward,
    LinearBiasPositions,
    PreNormBlock,
    RelativePositions,
    RotaryPositions,
)
from variformer.models import (
    GPT,
    T5,
    Bart,
    Bert,
    Electra,
    FirstTokenClassifier,
    ModernBert,
    Roberta,
    SequenceClassifier,
    SpanFinder,
    TokenClassifier,
    ViT,
)
from variformer.weights.huggingface import destination

SMALL = dict(vocab_size=31, width=8, depth=2, heads=2, hidden=32, max_length=9)
IMAGES = dict(image_size=4, patch_size=2, width=8, depth=2, heads=2, hidden=32)


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        (lambda: GPT(**SMALL), "GPT2LMHeadModel"),
        (lambda: Bert(**SMALL, pair_classes=0), "BertForMaskedLM"),
        (lambda: SequenceClassifier(Bert(**SMALL), 3), "BertForSequenceClassification"),
        (lambda: Bert(**SMALL, pair_classes=0, positions=RotaryPositions), "RoFormerForMaskedLM"),
        (lambda: Roberta(**SMALL, positions=RotaryPositions, activation="relu"), "RoFormerForMaskedLM"),
        (lambda: TokenClassifier(Bert(**SMALL, positions=RotaryPositions), 3), "RoFormerForTokenClassification"),
        (lambda: ModernBert(**SMALL), "ModernBertForMaskedLM"),
        (lambda: Electra(**SMALL, embedding_width=4, generator_divisor=2), "ElectraForPreTraining"),
        (lambda: Electra(**SMALL, embedding_width=6, generator_divisor=2).generator, "ElectraForMaskedLM"),
        (lambda: Bert(**SMALL, embedding_width=4, pair_classes=0), "ElectraForMaskedLM"),
        (
            lambda: TokenClassifier(Electra(**SMALL, embedding_width=8, generator_divisor=None), 3),
            "ElectraForTokenClassification",
        ),
        (lambda: ModernBert(**SMALL, attention=Attention), "ModernBertForMaskedLM"),
        (lambda: FirstTokenClassifier(ModernBert(**SMALL), 3), "ModernBertForSequenceClassification"),
        (lambda: ViT(**IMAGES, stochastic_depth=0.1), "ViTForImageClassification"),
        (lambda: SpanFinder(ModernBert(**SMALL)), "ModernBertForQuestionAnswering"),
    ],
)
def test_a_class_is_found_without_values_of_tensors(model, architecture):
    with torch.device("meta"):
        assert destination(model()) == (architecture, "")


@pytest.mark.parametrize(
    ("model", "because"),
    [
        (
            lambda: Bert(**SMALL, positions=RelativePositions, norm=nn.RMSNorm, feed_forward=GatedFeedForward),
            "positions: RelativePositions, norm: RMSNorm, feed_forward: GatedFeedForward; "
            "BertForPreTraining has LearnedPositions, LayerNorm, FeedForward",
        ),
        (
            lambda: Bert(**SMALL, attention=partial(Attention, window=2, scale=1.0, bias=False)),
            "attention: window=2, attention: scale=1.0, attention: bias=False; "
            "BertForPreTraining has no window, no scale, bias=True",
        ),
        (
            lambda: Bert(
                **SMALL, feed_forward=partial(FeedForward, bias=False), norm=partial(nn.LayerNorm, bias=False)
            ),
            "norm: bias=False, feed_forward: bias=False; BertForPreTraining has bias=True, bias=True",
        ),
        (
            lambda: T5(**SMALL, head_width=4, positions=partial(RelativePositions), block=Reversed),
            "block: Reversed; T5ForConditionalGeneration has PreNormBlock",
        ),
        (
            lambda: Bert(**SMALL, pair_classes=0, positions=partial(RotaryPositions, base=5.0)),
            "positions: RotaryPositions; BertForMaskedLM has LearnedPositions",
        ),
        (
            lambda: Bert(**SMALL, positions=RotaryPositions),
            "pair_classes: 2; RoFormerForMaskedLM has none",
        ),
        (
            lambda: Roberta(**SMALL, positions=RotaryPositions, block=PreNormBlock),
            "block: PreNormBlock; RoFormerForMaskedLM has PostNormBlock",
        ),
        (
            lambda: ModernBert(**SMALL, positions=RotaryPositions, norm=nn.RMSNorm),
            "positions: RotaryPositions, norm: RMSNorm; ModernBertForMaskedLM has LocalRotaryPositions, LayerNorm",
        ),
        (
            lambda: ModernBert(**SMALL, norm=nn.LayerNorm, attention=partial(Attention, query_key_norm=nn.RMSNorm)),
            "norm: bias=True, attention: query_key_norm=RMSNorm; ModernBertForMaskedLM has bias=False, no query_key_",
        ),
        (
            lambda: ModernBert(**SMALL, attention=partial(Attention, window=0)),
            "attention: windows of [0] positions; ModernBertForMaskedLM has one of at least 1",
        ),
        (
            lambda: Bart(**SMALL, block=PreNormBlock),
            "block: PreNormBlock; BartForConditionalGeneration has PostNormBlock",
        ),
        (lambda: Bert(**SMALL, feed_forward=Own), "feed_forward: Own; BertForPreTraining has FeedForward"),
        (lambda: nn.Linear(2, 2), "transformers has no class for Linear, only for Albert"),
        (lambda: TokenClassifier(T5(**SMALL, head_width=4, norm=nn.LayerNorm), 3), "norm: LayerNorm; T5ForTokenClass"),
    ],
)
def test_all_differences_are_named_in_one_line(model, because):
    found = destination(model())
    assert found.architecture is None
    assert found.because.startswith(because) and "\n" not in found.because


class Own(nn.Linear):
    """A feed-forward layer without the layers that another has."""

    def __init__(self, width, hidden, *, activation):
        super().__init__(width, width)


class Reversed(PreNormBlock):
    """An own block, of which nothing is known but that it is another."""


def test_blocks_that_differ_are_no_class_of_theirs():
    model = GPT(**SMALL)
    model.decoder.blocks[1].self_attention.window = 3
    assert destination(model).because == "attention: window=3; GPT2LMHeadModel has no window"
    model = GPT(**SMALL)
    model.decoder.blocks[1].feed_forward.activation = nn.ReLU()
    assert destination(model).because.startswith("blocks: blocks with other numbers than the first")


def test_a_model_without_the_usual_parts_is_no_class_of_theirs():
    class Bare(GPT):
        def __init__(self):
            nn.Module.__init__(self)

    assert destination(Bare()).because.startswith("model: Bare ('Bare' object has no attribute 'decoder'); GPT2LMHeadM")


def test_a_model_that_computes_otherwise_is_no_class_of_theirs():
    class Doubled(GPT):
        def forward(self, *inputs, **more):
            return 2 * super().forward(*inputs, **more)

    class Renamed(GPT):
        pass

    assert destination(Renamed(**SMALL)).architecture == "GPT2LMHeadModel"
    assert destination(Doubled(**SMALL)).because == "forward: Doubled's own; GPT2LMHeadModel has GPT's"


class OwnAttention(nn.Module):
    """Attention of a user's own, of which nothing is known."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.mix = nn.Linear(width, width)


class OwnBlock(nn.Module):
    ends_normalised = False

    def __init__(self, width: int, **parts: object):
        super().__init__()


@pytest.mark.parametrize("positions", [RotaryPositions, LinearBiasPositions])
@pytest.mark.parametrize(
    "parts",
    [
        dict(attention=OwnAttention),
        dict(feed_forward=Own),
        dict(block=OwnBlock),
        dict(attention=OwnAttention, norm=nn.RMSNorm, feed_forward=GatedFeedForward),
    ],
)
def test_parts_of_ones_own_are_no_class_of_theirs(parts, positions):
    found = destination(GPT(**SMALL, positions=positions, **parts))
    assert found.architecture is None and "Own" in found.because
