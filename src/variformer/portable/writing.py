"""What a folder with its own modelling code holds: config.json, tensors and files of code."""

from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..config.check import with_defaults
from ..models import (
    EndTokenClassifier,
    LastTokenClassifier,
    RereadSpanFinder,
    SequenceClassifier,
    SpanFinder,
    TokenClassifier,
    Tuned,
)
from .flattening import file_names, flattened
from .sources import RANGES, class_of, collect, is_installed, targets, top, whole_modules
from .spelling import MODEL_TYPE, tensors_of

REMOTE = files(__package__) / "remote"
PARTS = "parts"  # the file that says which class each `_target_` names


class Head(NamedTuple):
    """Classes of `remote/` for one kind of model."""

    module: str
    classes: Mapping[str, str]  # by the class of transformers that looks for them; the first is the architecture
    states: str = "VariformerModel"

    @property
    def needs(self) -> list[str]:
        """The files of `remote/` that go along."""
        decodes = self.module in ("causal_language_modeling", "sequence_to_sequence")
        return ["configuration_variformer", "modeling_variformer", self.module, *(["decoding"] if decodes else [])]


CAUSAL = Head("causal_language_modeling", {"AutoModelForCausalLM": "VariformerForCausalLM"})
MASKED = Head("masked_language_modeling", {"AutoModelForMaskedLM": "VariformerForMaskedLM"})
JUDGING = Head(MASKED.module, {"AutoModelForPreTraining": "VariformerForPreTraining", **MASKED.classes})
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
    "image classifier": SEEING,
}
TASKS: dict[type[nn.Module], str] = {
    SequenceClassifier: "SequenceClassification",
    LastTokenClassifier: "SequenceClassification",
    EndTokenClassifier: "SequenceClassification",
    TokenClassifier: "TokenClassification",
    SpanFinder: "QuestionAnswering",
    RereadSpanFinder: "QuestionAnswering",
}
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


def contents(model: nn.Module, node: dict[str, Any], stamp: str, token_ids: Mapping[str, int] | None = None) -> Contents:
    """All that a folder holds of a model that was built from `node`; `stamp` says of which version the code is.

    `token_ids` are named as theirs: pad_token_id, decoder_start_token_id, ...
    Raises ValueError where the code of a part cannot go along, and for a model of no kind that transformers reads.
    """
    head = head_of(model)
    return Contents(settings_of(model, node, head, token_ids or {}), tensors_of(model), code_of(node, head, stamp))


def head_of(model: nn.Module) -> Head:
    """The classes of transformers that a model needs. Raises ValueError for a model of another kind."""
    if isinstance(model, Tuned):
        task = next((TASKS[kind] for kind in type(model).__mro__ if kind in TASKS), None)
        known = ", ".join(kind.__name__ for kind in TASKS)
        head = task and Head("classification", {f"AutoModelFor{task}": f"VariformerFor{task}"})
    else:
        head, known = KINDS.get(getattr(model, "kind", "")), f"{', '.join(KINDS)} (its class variable `kind`)"
        head = JUDGING if head is MASKED and getattr(model, "pair_head", None) is not None else head
    if not head:
        raise ValueError(f"model: transformers has no class for a {type(model).__name__}, only for these: {known}")
    return head


def settings_of(model: nn.Module, node: dict[str, Any], head: Head, token_ids: Mapping[str, int]) -> dict[str, Any]:
    described = with_defaults(node)
    body = described.get("body", described)  # of a model for a task
    architecture = next(iter(head.classes.values()))
    classes = described.get("classes")
    labels = [f"LABEL_{number}" for number in range(classes or 0)]
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
        **({"id2label": dict(enumerate(labels)), "label2id": {each: n for n, each in enumerate(labels)}} if labels else {}),
        "model": node,
    }


def code_of(node: dict[str, Any], head: Head, stamp: str) -> dict[str, str]:
    """The files of code, by name: our own and their parts', which import each other and nothing else but torch."""
    modules = collect(dict.fromkeys(targets(node)))
    names = file_names(modules, taken=[PARTS, *(file.name.removesuffix(".py") for file in REMOTE.iterdir())])
    code = {f"{name}.py": (REMOTE / f"{name}.py").read_text(encoding="utf-8") for name in head.needs}
    heads = {file: f"{__package__}.remote.{file.removesuffix('.py')}" for file in code}
    code |= {f"{names[module]}.py": flattened(module, names) for module in modules}
    origins = heads | {f"{name}.py": module for module, name in names.items()}
    code = {file: f"{header(origins[file], stamp)}\n{text}" for file, text in code.items()}
    return code | {f"{PARTS}.py": parts_of(node, modules, names)}


def header(module: str, stamp: str) -> str:
    """The first lines of a file: what it is and where it came from."""
    if top(module) != top(__package__):
        return f"# {module}, as it was when this model was exported with Variformer {stamp}.\n"
    changed = "; ranges became plain types" if module == RANGES else ""
    return (
        f"# {module} of Variformer {stamp}, licence Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0).\n"
        f"# Only its imports were changed when this model was exported{changed}.\n"
    )


def parts_of(node: dict[str, Any], modules: list[str], names: Mapping[str, str]) -> str:
    """The file that says which class each `_target_` of the config names."""
    classes = {target: class_of(target) for target in dict.fromkeys(targets(node)) if not is_installed(target)}
    often = Counter(place.name for place in set(classes.values()))
    lines, called = [], {target: target for target in dict.fromkeys(targets(node))}
    for target, place in classes.items():
        file = names[place.module]
        called[target] = place.name if often[place.name] == 1 else f"{file}_{place.name}"
        lines.append(f"from .{file} import {place.name}" + (f" as {called[target]}" if often[place.name] > 1 else ""))
    text = ['"""The classes that the node in config.json names. Written by `variformer export`."""']
    text += ["import torch"] if any(is_installed(target) for target in called) else []
    text.append("\n".join(sorted(set(lines))))
    if whole := whole_modules(modules):
        copied = [f"from .{names[module]} import __name__ as _  # noqa: F401" for module in whole]
        text.append("\n".join(["# transformers copies the files that such lines name, but not `from . import x`.", *copied]))
    return "\n\n".join([*text, "\n".join(["PARTS = {", *(f'    "{t}": {c},' for t, c in called.items()), "}"])]) + "\n"
