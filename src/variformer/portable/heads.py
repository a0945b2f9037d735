"""Which classes of `remote/`, and so of transformers, a model needs."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from ..models import Tuned


class Head(NamedTuple):
    """Classes of `remote/` for one kind of model."""

    module: str
    classes: Mapping[str, str]  # by the class of transformers that looks for them; the first is the architecture
    states: str = "VariformerModel"

    @property
    def entries(self) -> list[str]:
        """The files whose classes config.json names."""
        return ["modeling_variformer", self.module]

    @property
    def needs(self) -> list[str]:
        """The files of `remote/` that go along."""
        decodes = self.module in ("causal_language_modeling", "sequence_to_sequence")
        return ["configuration_variformer", *self.entries, *(["decoding"] if decodes else [])]


CAUSAL = Head("causal_language_modeling", {"AutoModelForCausalLM": "VariformerForCausalLM"})
MASKED = Head("masked_language_modeling", {"AutoModelForMaskedLM": "VariformerForMaskedLM"})
PAIRED = Head(MASKED.module, {"AutoModelForPreTraining": "VariformerForPreTraining", **MASKED.classes})
DETECTING = Head("replaced_token_detection", {"AutoModelForPreTraining": "VariformerForReplacedTokenDetection"})
WRITING = Head("sequence_to_sequence", {"AutoModelForSeq2SeqLM": "VariformerForConditionalGeneration"})
SEEING = Head(
    "classification",
    {"AutoModelForImageClassification": "VariformerForImageClassification"},
    states="VariformerImageModel",
)
KINDS = {  # by `kind` of a model's class
    "causal decoder": CAUSAL,
    "encoder with a token head": MASKED,
    "encoder-decoder": WRITING,
    "generator with a discriminator": DETECTING,
    "image classifier": SEEING,
}


def head_of(model: nn.Module) -> Head:
    """The classes of transformers that a model needs. Raises ValueError for a model of another kind."""
    if isinstance(model, Tuned) and (task := getattr(model, "task", None)):
        return Head("classification", {f"AutoModelFor{task}": f"VariformerFor{task}"})
    head = KINDS.get(getattr(model, "kind", ""))
    if head is None:
        known = ", ".join(KINDS)
        raise ValueError(
            f"model: transformers has no class for {type(model).__name__}, only for these: {known} (its class variable "
            "`kind`), and for heads with a class variable `task`"
        )
    return PAIRED if head is MASKED and getattr(model, "pair_head", None) is not None else head
