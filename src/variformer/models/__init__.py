"""The variants. Each file shows one whole model; its arguments are the paper's numbers and the parts to swap.

The contract of a model, also of one in a package of your own. Any `nn.Module` trains, resumes, sweeps, and is evaluated
and loaded, on one device or with DDP. Its `forward` takes what the objective gives, and returns what it reads:

- `NextToken`: `model(tokens, mask=None)`, (B, T) -> (B, T, V) scores
- `MaskedTokens`: `model(tokens=, mask=, segments=, predict=)` -> an object with `.tokens`, (N, V)
- `ImageClassification`: `model(images)`, (B, C, S, S) -> (B, K) scores

`contracts` has one class for each kind of model: what the rest of Variformer needs of it, and the methods that follow.

- `MaskedLanguageModel`: `encoder`, `token_head`, `pair_head` or None (BERT, ALBERT, ...)
- `CausalLanguageModel`: `decoder`, `head`; `next_scores` and `new_cache`, with which it writes texts (GPT)
- `EncoderDecoder`: `encoder`, `decoder`, `head`; `encode`, `decode` and `new_cache` (T5, BART)
- `ImageClassifier`: `encoder` (ViT, DeiT)

The first three are `TextModel`s: their `width`, `states()` and `head_names` are all that a head for a task needs.
A model derives from one of them, or has the same attributes. What it may have, and what that gives:

- `kind`, a class variable such as "causal decoder": a config that gives it another objective is refused before it runs.
  The model is then exported as a Hugging Face folder with its own modelling code
- annotated arguments, with the types of `variformer.ranges`: values are checked before anything is imported
- arguments called vocab_size, max_length, image_size, channels or classes: they are compared with the data's
- `variformer.layers.Block`s in it: compile and trainer=fsdp
- a `variformer.layers.Transformer` in it: checkpointing, and its sizes in `variformer info`
- `undecayed()` of a part: its parameters that weight decay leaves out
- `hidden_matrices()` of a part: its matrices that Muon updates; blocks and heads of `variformer.layers` have it
- `objective`: the class in `variformer.objectives` that evaluates an imported model, that of its paper

Such a folder takes modules along that import torch, Python's own modules and variformer's layers and models alone.
"""

from .albert import Albert
from .bart import Bart
from .bert import Bert
from .contracts import (
    CausalLanguageModel,
    EncoderDecoder,
    ImageClassifier,
    ImageScores,
    MaskedLanguageModel,
    Predictions,
    TextModel,
)
from .deit import DeiT, PlainDeiT, SingleHeadDeiT
from .distilbert import DistilBert
from .electra import Detections, Electra
from .gpt import GPT
from .modern_bert import ModernBert
from .roberta import Roberta
from .t5 import T5
from .tuned import (
    EndTokenClassifier,
    FirstTokenClassifier,
    LastTokenClassifier,
    RereadSpanFinder,
    SequenceClassifier,
    SpanFinder,
    Spans,
    TokenClassifier,
    Tuned,
)
from .vit import ViT

__all__ = [
    "GPT",
    "T5",
    "Albert",
    "Bart",
    "Bert",
    "CausalLanguageModel",
    "DeiT",
    "Detections",
    "DistilBert",
    "Electra",
    "EncoderDecoder",
    "EndTokenClassifier",
    "FirstTokenClassifier",
    "ImageClassifier",
    "ImageScores",
    "LastTokenClassifier",
    "MaskedLanguageModel",
    "ModernBert",
    "PlainDeiT",
    "Predictions",
    "RereadSpanFinder",
    "Roberta",
    "SequenceClassifier",
    "SingleHeadDeiT",
    "SpanFinder",
    "Spans",
    "TextModel",
    "TokenClassifier",
    "Tuned",
    "ViT",
]
