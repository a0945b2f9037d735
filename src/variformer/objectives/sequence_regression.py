"""Numbers that are predicted of texts, or of pairs of texts."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..metrics.regression import mean_absolute_error, pearson, spearman
from ..ranges import Count
from ..samples import ExampleSplit, LabelledTexts, RatedText, SizedView
from .laid_out_texts import LaidOutTexts
from .objective import Batch, Mode, Ratio, Scores

# Shapes: B batch, N samples.


class SequenceRegression(LaidOutTexts[RatedText]):
    """Squared error of one number for each text, as BERT's code does for STS-B (Devlin et al., 2018, section 4.1).

    The model learns values with mean 0 and deviation 1; `data.scale` leads back to those of the data. A model that is
    loaded or exported gives the values themselves.
    monitor: the metric that says which model is best; None: Pearson's correlation
    """

    scaled: ClassVar = True
    monitors: ClassVar[Mapping[str, Mode]] = {
        "loss": "min",
        "pearson": "max",
        "spearman": "max",
        "mean_absolute_error": "min",
    }

    classes = 1
    monitor = "pearson"
    mode: Mode = "max"

    def __init__(self, data: LabelledTexts, length: Count, *, monitor: str | None = None):
        super().__init__(data, length)
        self.compare_by(monitor)
        self.mean, self.deviation = data.scale

    def initialise(self, model: nn.Module) -> None:
        """Raises ValueError where the head has no bias, which takes up the mean of the values when it is loaded."""
        name = getattr(model, "scores", None)
        if self.mean and name and getattr(model.get_submodule(name), "bias", None) is None:
            raise ValueError(
                f"{type(model).__name__} has no bias for the mean of the values ({self.mean:.3g}); choose "
                f"head=first_token, or set data.scale=[0.0, {self.deviation:.3g}]"
            )

    def view(self, data: ExampleSplit) -> SizedView[RatedText]:
        return data.rated_texts(self.room)

    def collate(self, samples: list[RatedText], keys: np.ndarray, train: bool) -> Batch:
        """-> as `inputs`, and values (B,), nan where there is none, which only evaluation allows."""
        values = torch.tensor([sample["value"] for sample in samples], dtype=torch.float64)
        if train and values.isnan().any():
            raise ValueError("a training row has no label; give it one, or set data.on_bad=skip")
        return self.inputs(samples) | {"values": values.float()}

    def forward(self, model: nn.Module, batch: Batch) -> Scores:
        guesses, values = self.guesses(model, batch), batch["values"]
        known = ~values.isnan()
        errors = torch.where(known, guesses - (values - self.mean) / self.deviation, 0.0).square()
        count = known.sum()
        scores = Scores(errors.sum() / count.clamp(min=1), {"loss": Ratio(errors.detach().sum(), count)}, count)
        if self.training:
            return scores
        return scores._replace(rows={"value": values, "guess": guesses * self.deviation + self.mean})

    def guesses(self, model: nn.Module, batch: Batch) -> Tensor:
        """-> (B,) standardised values."""
        found: Tensor = model(batch["tokens"], batch["mask"], batch["segments"])
        return found.float().squeeze(-1)

    def measure(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Correlations with the true values, and the mean absolute error in their unit."""
        known = ~np.isnan(rows["value"])
        values, guesses = rows["value"][known], rows["guess"][known]
        return {
            "pearson": pearson(values, guesses),
            "spearman": spearman(values, guesses),
            "mean_absolute_error": mean_absolute_error(values, guesses),
        }

    def answer(self, model: nn.Module, batch: Batch) -> list[dict[str, Any]]:
        """Of each text its value, in the unit of the data."""
        return [{"value": value} for value in (self.guesses(model, batch) * self.deviation + self.mean).tolist()]
