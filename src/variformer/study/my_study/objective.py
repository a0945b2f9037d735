"""An objective of our own: Variformer's next token, with another loss in training."""

import torch.nn.functional as F
from torch import nn

from variformer.objectives.next_token import NextToken
from variformer.objectives.objective import Batch, Ratio, Scores
from variformer.ranges import Count, Probability
from variformer.samples import Vocabulary


class SmoothedNextToken(NextToken):
    """`smoothing` of each target is spread over all tokens (Szegedy et al., 2015, section 7), in training alone."""

    def __init__(self, vocabulary: Vocabulary, length: Count, *, smoothing: Probability = 0.1):
        super().__init__(vocabulary, length)
        self.smoothing = smoothing

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        """What is differentiated may be smoothed; what is reported, as a total and a count, never is."""
        scores, targets = model(batch["tokens"]).flatten(0, 1).float(), batch["targets"].flatten()
        smoothing = self.smoothing if self.training else 0.0
        loss = F.cross_entropy(scores, targets, label_smoothing=smoothing)
        nats, count = F.cross_entropy(scores.detach(), targets, reduction="sum"), (targets >= 0).sum()
        return Scores(loss, {"loss": Ratio(nats, count)}, count)
