"""Training that starts from the weights of an earlier model: `init_from=PATH_OR_NAME`."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..config import ConfigError
from ..config.checking.compatibility import target_of
from ..config.checking.defaults import with_defaults
from ..config.folders import config_folders
from ..data import Tokenizer
from ..exchange.loading import labels_of, read_model, tokenizer_of
from ..exchange.nodes import node_of, recorded
from ..hub import locate
from ..models import Tuned
from ..weights.transfer import Misfit, belongs, initialise_from, offset_of
from .teacher import digest

log = logging.getLogger(__name__)

FITTED = (
    "max_length",
    "image_size",
    "patch_size",
    "classes",
    "pair_classes",
)  # sizes that may differ from those of the source


def start_from(
    source: str,
    model: nn.Module,
    tokenizer: Tokenizer | None,
    node: Any = None,
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Copy what fits from `source` into `model`, and log the rest. Returns what run.json keeps of it.

    `node` is the model's config, without its head; `labels` are the classes that the head tells apart.
    Raises ConfigError that says what to set, where tokenizers or weights do not fit each other.
    Raises FileNotFoundError where there is no source.
    """
    folder = locate(source)
    try:
        theirs = tokenizer_of(folder)
        if tokenizer is not None and theirs is not None:
            require_same_tokens(tokenizer, theirs, folder)
        with recorded() as made:
            origin, anew = read_model(folder)
        tensors = {name: tensor for name, tensor in origin.state_dict().items() if not belongs(name, anew)}
        tensors = fitted_head(tensors, origin, model, folder, labels)
        report = initialise_from(model, tensors, offset_of(origin))
    except Misfit as error:
        raise ConfigError([explained(error, source, node, node_of(origin, made))]) from error
    except ValueError as error:
        raise ConfigError([f"init_from={source}: {error}"]) from error
    for line in report.lines():
        log.info("init_from=%s: %s", source, line)
    changed = {"resized": report.resized, "shortened": report.shortened, "new": report.new}
    return {"source": source, "folder": str(folder.resolve()), "sha256": digest(tensors)} | changed


def fitted_head(
    tensors: dict[str, Tensor],
    origin: nn.Module,
    model: nn.Module,
    folder: Path,
    ours: Sequence[str] | None,
) -> dict[str, Tensor]:
    """The tensors of `origin`, which lies in `folder`, with its head's classes in our order.

    Where the classes differ, their rows are left out: equal numbers mean nothing. A line says what becomes of the head.
    """
    layer = getattr(origin, "scores", None) if isinstance(origin, Tuned) else None
    if not isinstance(model, Tuned) or layer is None:
        return tensors
    theirs = labels_of(folder)
    if ours and theirs and origin.kind == model.kind and sorted(ours) == sorted(theirs):
        order = [theirs.index(name) for name in ours]
        if order != sorted(order):
            log.info("head: its classes are put into the order of this run, %s", named(ours))
        return {name: each[order] if belongs(name, [layer]) else each for name, each in tensors.items()}
    log.info("head: new (init_from tells %s apart; this run %s)", named(theirs), named(ours))
    return {name: each for name, each in tensors.items() if not belongs(name, [layer])}


def named(labels: Sequence[str] | None, most: int = 10) -> str:
    """The names of classes, in words."""
    if not labels:
        return "none by name"
    return ", ".join(labels[:most]) + (f" and {len(labels) - most} more" if len(labels) > most else "")


def explained(error: Misfit, source: str, ours: Any, theirs: Any) -> str:
    """In one line, what to set so that the model has the sizes and parts of its source; else the first tensor that does
    not fit.
    """
    first = error.problems[0]
    more = f" and {len(error.problems) - 1} more" if len(error.problems) > 1 else ""
    if isinstance(ours, dict):
        named = " ".join(error.problems)
        changes = list(differences(with_defaults(ours), with_defaults(theirs.get("body", theirs)), named))
        if changes:
            return f"init_from={source}: the model differs from its source; set {' '.join(changes)} ({first}{more})"
    return f"init_from={source}: the weights do not fit: {first}{more}"


def differences(ours: dict[str, Any], theirs: dict[str, Any], misfits: str) -> Iterator[str]:
    """What to set for each class, size or part in which `ours` differs from `theirs`.

    A part that is the model's own default counts only where `misfits` names its tensors.
    """
    for name, value in theirs.items():
        target = value.get("_target_") if isinstance(value, dict) else None
        mine = ours.get(name)
        if target is not None:
            if mine["_target_"] != target if isinstance(mine, dict) else f".{name}." in misfits:
                yield choice(name, target)
        elif name == "_target_" and mine != value:
            yield f"model._target_={value}"
        elif isinstance(value, int) and name not in FITTED and name in ours and mine != value:
            yield f"model.{name}={str(value).lower()}"


def choice(part: str, target: str) -> str:
    """`model/positions=rotary` where exactly one option makes that part, else the full key of its class."""
    found = [
        file.stem
        for folder in config_folders()
        for file in (folder / "model" / part).glob("*.yaml")
        if target_of(file) == target
    ]
    return f"model/{part}={found[0]}" if len(found) == 1 else f"model.{part}._target_={target}"


def require_same_tokens(ours: Tokenizer, theirs: Tokenizer, folder: Path) -> None:
    """Raises ValueError where an id is one token for the run, and another token or none for the weights."""
    known = theirs.core.get_vocab(with_added_tokens=True)
    mine = ours.core.get_vocab(with_added_tokens=True)
    others = sorted((id, token) for token, id in mine.items() if known.get(token) != id)
    if others:
        shown = ", ".join(f"{token!r} ({id})" for id, token in others[:5])
        raise ValueError(
            f"the run's tokenizer is not that of init_from: {len(others)} of its {len(mine)} tokens have another id "
            f"there or none, such as {shown}; set tokenizer=pretrained tokenizer.path={folder}"
        )
