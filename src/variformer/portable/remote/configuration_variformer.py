"""The settings of a model of Variformer's."""

from transformers import PreTrainedConfig


class VariformerConfig(PreTrainedConfig):
    """`model` is the node from which Variformer builds the model: `_target_` names a class, the rest its arguments."""

    model_type = "variformer"
