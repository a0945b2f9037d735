"""What a folder with its own modelling code holds: config.json, tensors and files of code."""

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..config.check import with_defaults
from ..config.targets import OWN
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

Node = dict[str, Any]  # of a config: `_target_` and arguments
REMOTE = files(__package__) / "remote"
MARK = "when this model was exported"  # in the first lines of every file of code
CONFIGURATION = "configuration_variformer.py"
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


def contents(model: nn.Module, node: Node, stamp: str, token_ids: Mapping[str, int] | None = None) -> Contents:
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


def code_of(node: Node, head: Head, stamp: str) -> dict[str, str]:
    """The files of code, by name: our own and their parts', which import each other and nothing else but torch."""
    modules = collect(dict.fromkeys(targets(node)))
    names = file_names(modules, taken=[PARTS, *(file.name.removesuffix(".py") for file in REMOTE.iterdir())])
    code = {f"{name}.py": (REMOTE / f"{name}.py").read_text(encoding="utf-8") for name in head.needs}
    heads = {file: f"{__package__}.remote.{file.removesuffix('.py')}" for file in code}
    code |= {f"{names[module]}.py": flattened(module, names) for module in modules}
    origins = heads | {f"{name}.py": module for module, name in names.items()}
    code = {file: f"{header(origins[file], stamp)}\n{text}" for file, text in code.items()}
    code[f"{PARTS}.py"] = parts_of(node, modules, names)
    return code | {CONFIGURATION: marked(code)}


def marked(code: Mapping[str, str]) -> str:
    """The file of the config's class with a sum of all files: transformers keeps classes of models by that class, and
    would take those of another folder of the same name whose file is the same.
    """
    total = sha256("".join(code[file] for file in sorted(code)).encode()).hexdigest()
    return f"# The code of this folder: {total}\n{code[CONFIGURATION]}"


def header(module: str, stamp: str) -> str:
    """The first lines of a file: what it is and where it came from."""
    if top(module) != OWN:
        return f"# {module}, but for imports as it was {MARK} with Variformer {stamp}.\n"
    changed = "imports and types" if module == RANGES else "imports"
    return (
        f"# {module} of Variformer {stamp}.\n"
        "# Licence: Apache-2.0, https://www.apache.org/licenses/LICENSE-2.0\n"
        f"# Only {changed} were changed {MARK}.\n"
    )


def remove_code(folder: Path) -> None:
    """The files of code that an earlier export has written there."""
    for file in folder.glob("*.py"):
        if any(MARK in line for line in file.read_text(encoding="utf-8", errors="replace").splitlines()[:4]):
            file.unlink()


def parts_of(node: Node, modules: list[str], names: Mapping[str, str]) -> str:
    """The file that says which class each `_target_` of the config names."""
    classes = {target: class_of(target) for target in dict.fromkeys(targets(node)) if not is_installed(target)}
    often = Counter(place.name for place in set(classes.values()))
    lines, called = [], {target: target for target in dict.fromkeys(targets(node))}
    for target, place in classes.items():
        file = names[place.module]
        called[target] = place.name if often[place.name] == 1 else f"{file}_{place.name}"
        lines.append(f"from .{file} import {place.name}" + (f" as {called[target]}" if often[place.name] > 1 else ""))
    text = [f"# Written {MARK}.", '"""The classes that the node in config.json names."""']
    text += ["import torch"] if any(is_installed(target) for target in called) else []
    text.append("\n".join(sorted(set(lines))))
    if whole := whole_modules(modules):
        why = "# transformers copies the files that such lines name, but not that of `from . import x`."
        lines = [f"from .{names[module]} import __name__ as _  # noqa: F401" for module in whole]
        text.append("\n".join([why, *lines]))
    rows = [f'    "{target}": {name},' for target, name in called.items()]
    return "\n\n".join([*text, "\n".join(["PARTS = {", *rows, "}"])]) + "\n"
