"""Variformer's models as models of transformers: building, weights, and what all heads share."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import can_return_tuple

from .configuration_variformer import VariformerConfig
from .parts import PARTS

# Shapes: B batch, T tokens, C channels, S side of an image, D model width.


def build(node: Any) -> Any:
    """What a node of the config stands for: a model or a part, or one that waits for more arguments."""
    if isinstance(node, list | tuple):
        return [build(each) for each in node]
    if not isinstance(node, dict) or "_target_" not in node:
        return node
    arguments = {name: build(value) for name, value in node.items() if not name.startswith("_")}
    part = partial(PARTS[node["_target_"]], **arguments)
    return part if node.get("_partial_", False) else part()


class VariformerPreTrainedModel(PreTrainedModel):
    """`self.model` is Variformer's own model; every tensor has its name there, behind "model."."""

    config_class = VariformerConfig
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["PreNormBlock", "PostNormBlock"]  # noqa: RUF012

    model: Any

    def __init__(self, config: VariformerConfig):
        super().__init__(config)
        self.model = build(config.model)
        self._tied_weights_keys = tied(self)
        for module in self.model.modules():
            if getattr(module, "causal", False) and hasattr(module, "positions"):
                module.positions.register_forward_hook(from_first_token)
        if not any(tensor.is_meta for tensor in self.parameters()):
            for tensor in [*self.parameters(), *self.buffers()]:
                tensor._is_hf_initialized = True  # as the model's own code draws them
        self.post_init()

    @torch.no_grad()
    def initialize_weights(self) -> None:
        """What the files did not hold starts as in a new model, buffers that no file holds included."""
        tensors = dict([*self.named_parameters(), *self.named_buffers()])
        absent = [name for name, tensor in tensors.items() if not getattr(tensor, "_is_hf_initialized", False)]
        if absent:
            new = build(self.config.model)
            initial = dict([*new.named_parameters(), *new.named_buffers()])
            for name in absent:
                tensors[name].copy_(initial[name.removeprefix("model.")])

    def get_input_embeddings(self) -> nn.Module:
        """The table of token vectors. Raises NotImplementedError for a model of images."""
        for module in self.modules():
            if isinstance(table := getattr(module, "tokens", None), nn.Embedding):
                return table
        raise NotImplementedError("this model reads no tokens")

    def _set_gradient_checkpointing(self, enable: bool = True, *_: Any, **__: Any) -> None:
        for module in self.modules():
            if hasattr(module, "checkpointing"):
                module.checkpointing = enable


class VariformerModel(VariformerPreTrainedModel):
    """The states that the heads read, without a head."""

    @can_return_tuple
    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> BaseModelOutput:
        """(B, T) -> (B, T, D)."""
        return BaseModelOutput(self.model.states(input_ids, real_tokens(attention_mask), token_type_ids))


class VariformerImageModel(VariformerPreTrainedModel):
    """The states of special tokens and patches, without a head."""

    main_input_name = "pixel_values"
    input_modalities = "image"

    @can_return_tuple
    def forward(self, pixel_values: Tensor) -> BaseModelOutput:
        """(B, C, S, S) -> (B, T, D)."""
        return BaseModelOutput(self.model.encoder(pixel_values))


def tied(model: nn.Module) -> dict[str, str]:
    """The further names of parameters that have several, and the first name of each."""
    first: dict[int, str] = {}
    named = model.named_parameters(remove_duplicate=False)
    return {name: original for name, each in named if (original := first.setdefault(id(each), name)) != name}


def real_tokens(attention_mask: Tensor | None) -> Tensor | None:
    """(B, T) ones -> True; None where all are real, which attention computes fastest."""
    return None if attention_mask is None or bool(attention_mask.all()) else attention_mask.bool()


def from_first_token(positions: nn.Module, arguments: tuple, order: Any) -> Any:
    """Positions that are added to embeddings count from the first real token of each row: padding on the left, as
    `generate` wants it, changes no score. Those that turn or bias attention depend on distances alone.
    """
    length, start, device, real = arguments
    if real is None or order.added is None or order.added.dim() == 3:  # three: the positions count by themselves
        return order
    columns = torch.arange(start, start + length, device=device)
    places = (columns - real.long().argmax(1, keepdim=True)).clamp(min=0)  # (B, T)
    return order._replace(added=positions.forward(start + length, 0, device).added[places])
