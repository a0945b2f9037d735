"""Objectives: what does a model learn, and from which samples? One task in each file.

The contract of an objective, also of one in a package of your own. It derives from `TextObjective` or `ImageObjective`,
is built with (vocabulary, length) or (data, length), and has five methods. They are called in this order:

    view     one split of the data -> its samples, by index
    collate  samples, and a key for the random numbers of each -> a batch; in worker processes, without the model
    forward  model, batch -> `Scores`: the loss that is differentiated, and ratios to report
    derive   the ratios of a whole split, as means -> further metrics (optional)
    measure  the rows of a whole split, numbers of each sample -> further metrics (optional)

A whole objective, for a causal decoder that predicts only the last token of a window:

    class LastToken(TextObjective[Window]):
        trains = "causal decoder"

        def view(self, data: TextSplit) -> View[Window]:
            return data.windows(self.length, stride=self.length)

        def collate(self, samples: list[Window], keys: np.ndarray, train: bool) -> Batch:
            tokens = torch.from_numpy(np.stack([sample["tokens"] for sample in samples]))
            return {"tokens": tokens[:, :-1].clamp(min=0), "targets": tokens[:, -1], "count": len(samples)}

        def forward(self, model: nn.Module, batch: Batch) -> Scores:
            real = batch["targets"] >= 0
            scores, targets = model(batch["tokens"])[real, -1], batch["targets"][real]
            nats, count = F.cross_entropy(scores, targets, reduction="sum"), real.sum()
            return Scores(nats / count.clamp(min=1), {"loss": Ratio(nats, count)}, count)

What a batch must have: "count", the useful tokens or images in it, an int; everything else is between `collate` and
`forward`. What the scores must have: the ratio that `monitor` names ("loss"), or `derive` or `measure` gives it. A
ratio is a total and a count, so that its mean over batches and devices is exact. Rows are gathered over all batches and
devices, for metrics that are no mean, such as F1. Random numbers are functions of the keys (`variformer.randomness`),
so that the same samples and keys give the same batch on every machine.

What more a class may say, and what that gives: `trains`, `reads`, `unfit`, `answers`, `monitor`, `mode`, `monitors`,
`unit`, and arguments with the types of `variformer.ranges`; see `Objective`. `variformer.samples` has the views that
there are, and what a sample of each holds. With conf/objective/<name>.yaml an objective can be chosen by name, and
tests/objectives/test_contract.py tests it.
"""

from ..samples import ImageSample, SegmentPair, SentenceRow, TextSplit, View, Vocabulary, Window, required
from .distillation import Distillation
from .full_sentences import FullSentences
from .image_classification import ImageClassification
from .image_distillation import HardDistillation, SoftDistillation
from .masked_tokens import MaskedTokens
from .masked_tokens_and_order import MaskedTokensAndOrder
from .masked_tokens_and_pairs import MaskedTokensAndPairs
from .mixture_of_denoisers import MixtureOfDenoisers
from .next_token import NextToken
from .objective import Batch, ExampleObjective, ImageObjective, Objective, Ratio, Scores, TextObjective
from .replaced_tokens import ReplacedTokens
from .sequence_classification import SequenceClassification
from .sequence_regression import SequenceRegression
from .span_corruption import SpanCorruption
from .text_infilling import TextInfilling
from .token_distillation import TokenDistillation

__all__ = [
    "Batch",
    "Distillation",
    "ExampleObjective",
    "FullSentences",
    "HardDistillation",
    "ImageClassification",
    "ImageObjective",
    "ImageSample",
    "MaskedTokens",
    "MaskedTokensAndOrder",
    "MaskedTokensAndPairs",
    "MixtureOfDenoisers",
    "NextToken",
    "Objective",
    "Ratio",
    "ReplacedTokens",
    "Scores",
    "SegmentPair",
    "SentenceRow",
    "SequenceClassification",
    "SequenceRegression",
    "SoftDistillation",
    "SpanCorruption",
    "TextInfilling",
    "TextObjective",
    "TextSplit",
    "TokenDistillation",
    "View",
    "Vocabulary",
    "Window",
    "required",
]
