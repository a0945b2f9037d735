"""What a folder with its own modelling code holds: config.json, tensors and files of code."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..config.checking.defaults import with_defaults
from .code import Node, code_of
from .heads import WRITING, Head, head_of
from .sources import collect, targets
from .spelling import MODEL_TYPE, tensors_of

NAMES = {  # of sizes, as most configs of transformers call them
    "vocab_size": "vocab_size",
    "width": "hidden_size",
    "depth": "num_hidden_layers",
    "heads": "num_attention_heads",
    "hidden": "intermediate_size",
    "max_length": "max_position_embeddings",
    "image_size": "image_size",
    "patch_size": "patch_size",
    "channels": "num_channels",
}


class Contents(NamedTuple):
    settings: dict[str, Any]  # config.json
    tensors: dict[str, Tensor]
    code: dict[str, str]  # by name of the file


def obstacle(model: nn.Module, node: Node) -> str | None:
    """Why the code of a model cannot go along, in one line; None where it can."""
    try:
        head_of(model)
        collect(dict.fromkeys(targets(node)))
    except ValueError as error:
        return str(error)
    return None


def contents(model: nn.Module, node: Node, stamp: str, token_ids: Mapping[str, int] | None = None) -> Contents:
    """All that a folder holds of a model that was built from `node`; `stamp` says of which version the code is.

    `token_ids` are named as theirs: pad_token_id, decoder_start_token_id, ...
    Raises ValueError where the code of a part cannot go along, and for a model of no kind that transformers reads.
    """
    head = head_of(model)
    return Contents(settings_of(model, node, head, token_ids or {}), tensors_of(model), code_of(node, head, stamp))


def settings_of(model: nn.Module, node: Node, head: Head, token_ids: Mapping[str, int]) -> dict[str, Any]:
    described = with_defaults(node)
    body = described.get("body", described)  # of a model for a task
    architecture = next(iter(head.classes.values()))
    labels = {number: f"LABEL_{number}" for number in range(described.get("classes") or 0)}
    return {
        "architectures": [architecture],
        "model_type": MODEL_TYPE,
        "auto_map": {
            "AutoConfig": "configuration_variformer.VariformerConfig",
            "AutoModel": f"modeling_variformer.{head.states}",
            **{auto: f"{head.module}.{name}" for auto, name in head.classes.items()},
        },
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "is_encoder_decoder": head is WRITING,
        "tie_word_embeddings": True,  # what the model ties at all, such as the embeddings of encoder and decoder
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
        **token_ids,
        **{theirs: body[ours] for ours, theirs in NAMES.items() if ours in body},
        **({"id2label": labels, "label2id": {name: number for number, name in labels.items()}} if labels else {}),
        "model": node,
    }
