"""The tasks that models learn: from samples to batches, losses and metrics. One in each file."""

from .distillation import Distillation
from .full_sentences import FullSentences
from .image_classification import ImageClassification
from .image_distillation import HardDistillation, SoftDistillation
from .masked_tokens import MaskedTokens
from .masked_tokens_and_order import MaskedTokensAndOrder
from .masked_tokens_and_pairs import MaskedTokensAndPairs
from .mixture_of_denoisers import MixtureOfDenoisers
from .next_token import NextToken
from .objective import Objective, Ratio, Scores
from .replaced_tokens import ReplacedTokens
from .span_corruption import SpanCorruption
from .text_infilling import TextInfilling
from .token_distillation import TokenDistillation
from .vocabulary import Vocabulary

__all__ = [
    "Distillation",
    "FullSentences",
    "HardDistillation",
    "ImageClassification",
    "MaskedTokens",
    "MaskedTokensAndOrder",
    "MaskedTokensAndPairs",
    "MixtureOfDenoisers",
    "NextToken",
    "Objective",
    "Ratio",
    "ReplacedTokens",
    "Scores",
    "SoftDistillation",
    "SpanCorruption",
    "TextInfilling",
    "TokenDistillation",
    "Vocabulary",
]
