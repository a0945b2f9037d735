"""A trained model that answers rows of a file: what it needs of its run, or of a Hugging Face folder, and no data."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import objectives
from ..config import ConfigError, instantiate
from ..config.checking.defaults import signature_of
from ..config.classes.attributes import declared
from ..data import Example, LabelledData, Tokenizer
from ..data.text.base import KeptTokenizer
from ..exchange.loading import is_run, labels_of, model_of, run_config, tokenizer_of
from ..exchange.sources import source_config
from ..hub import locate
from ..objectives.objective import Objective
from .teacher import best_or_last

Config = dict[str, Any]
FILES = {"_target_": "variformer.data.LabelledFiles"}
ASKED_FOR = ("label", "tags", "answers", "target")  # fields that a model answers: a file's own are not read
LONGEST = 512  # tokens of a text, where a folder's model can read more


class AskedData(LabelledData):
    """Rows of which the answers are asked for: nothing is prepared or stored. `rows_cut` counts those that were cut."""

    rows_cut = 0

    def __init__(self, source: Any, tokenizer: Tokenizer, fields: Set[str], **settings: Any) -> None:
        super().__init__(source, KeptTokenizer(tokenizer), scale=(0.0, 1.0), **settings)
        self._tokenizer, self._fields = tokenizer, fields

    @property
    def tokenizer(self) -> Tokenizer:  # type: ignore[override]
        return self._tokenizer

    @property
    def fields(self) -> Set[str]:
        return self._fields

    @property
    def label_counts(self) -> Mapping[str, int]:
        """There are no training rows: all classes count alike."""
        return dict.fromkeys(self.labels, 1)

    def count_cut(self, split: str, rows: Any, cut: np.ndarray) -> None:
        self.rows_cut += int(cut.sum())


@dataclass
class Answering:
    """A model, its task, and the rows of a file, which are read as they are asked for."""

    model: nn.Module
    objective: Objective[Any, Any]
    data: AskedData
    examples: Iterator[Example]

    @torch.no_grad()
    def answers(self, examples: Sequence[Example], batch: int) -> list[dict[str, Any]]:
        """The answer to each row. Rows of like lengths share a batch, whatever their order."""
        view = self.objective.view(self.data.hold(examples))
        order = np.argsort(-getattr(view, "lengths", np.zeros(len(view), dtype=int)), kind="stable").tolist()
        device = next(self.model.parameters()).device
        found: list[dict[str, Any]] = [{}] * len(view)
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            keys = np.zeros(len(places), dtype=np.uint64)
            samples = self.objective.collate([view.sample(place, 0) for place in places], keys, train=False)
            samples = {name: each.to(device) if isinstance(each, Tensor) else each for name, each in samples.items()}
            for place, answer in zip(places, self.objective.answer(self.model, samples), strict=True):
                found[place] = answer
        return found


def answering(
    source: str, file: str, columns: Mapping[str, str | None] | None = None, checkpoint: str | None = None
) -> Answering:
    """The model of a run, a Hugging Face folder or a name on its hub, before the rows of a file.

    `columns` say which column of the file a field is, over those of the run. `checkpoint` is by default the best.
    Raises ValueError for a model without a task, and for a file without rows or columns.
    """
    folder = locate(source)
    config = run_config(folder) if is_run(folder) else said_by_folder(folder)
    model, tokenizer = model_of(folder, checkpoint or best_or_last(folder)), tokenizer_of(folder)
    if tokenizer is None:
        raise ValueError(f"{source} has no tokenizer, and predictions of texts need one")
    task = config.get("objective") or objective_of(model)
    if declared(task, "reads") != "examples":
        raise ValueError(f"{source}: {declared_name(task)} has no answers to rows; tune the model for a task")
    rows = rows_of(config.get("data") or {}, file, columns or {})
    examples = iter(rows.read()["test"])
    first = next(examples, None)
    if first is None:
        raise ValueError(f"{file} has no rows")
    words = {name: value for name, value in (config.get("data") or {}).items() if name == "words"}
    data = AskedData(rows, tokenizer, frozenset(first.fields), labels=labels_of(folder), **words)
    try:
        objective = instantiate(task, "objective")(data, config["length"])
    except ValueError as error:
        raise ConfigError([f"{file}: {error}"]) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Answering(model.eval().to(device), objective.eval().to(device), data, chain([first], examples))


def said_by_folder(folder: Path) -> Config:
    """What of a run's config a Hugging Face folder says."""
    return {"length": min(source_config(str(folder))["model"].get("max_length") or LONGEST, LONGEST)}


def objective_of(model: nn.Module) -> Config:
    """The objective that trains models of this kind. Raises ValueError where there is none with answers."""
    kind = getattr(model, "kind", None)
    for name in objectives.__all__:
        each = getattr(objectives, name)
        answers = getattr(each, "answer", None) not in (None, Objective.answer) and not hasattr(each, "scaled")
        if answers and kind is not None and each.trains == kind:
            return {"_target_": f"{each.__module__}.{name}", "_partial_": True}
    raise ValueError(f"{type(model).__name__} has no head that answers rows; tune it: experiment=tune/classification")


def rows_of(data: Config, file: str, columns: Mapping[str, str | None]) -> Any:
    """The source of a file's rows: as the run reads its own, with these columns and without what is asked for."""
    node: Config = data["source"] if declared(data, "holds") == "examples" else FILES
    known = signature_of(node).parameters
    changes: Config = {name: None for name in ("train", "validation", "test") if name in known}
    if "columns" in known:
        changes["columns"] = {**(node.get("columns") or {}), **columns, **dict.fromkeys(ASKED_FOR)}
    return instantiate({**node, **changes}, "data.source").only([file])


def declared_name(node: Config) -> str:
    return str(node["_target_"]).rpartition(".")[2]
