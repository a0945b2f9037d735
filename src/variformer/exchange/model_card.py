"""The README.md of an exported model: front matter that the Hugging Face hub reads, measured metrics, the recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..config.composing.absolute_paths import with_paths
from .readers import reader_of

TEMPLATE = Path(__file__).with_suffix(".md")
RECIPE = (
    *("model", "objective", "data", "tokenizer", "optimizer", "schedule", "init_from", "length"),
    *("global_batch", "max_steps", "max_epochs", "clip", "precision", "seed"),
)  # what of a run's config says how it was trained


def published(text: str, kind: str = "") -> str:
    """What a card shows of a text: of a path on this machine its last part alone."""
    return Path(text).name if Path(text).is_absolute() else text


@dataclass
class Card:
    """What a card says. `metrics` are values by split and name: {"val": {"loss": 1.5}}."""

    name: str
    architecture: str  # the class of transformers that it is written for
    pipeline: str  # what the hub calls its task
    parameters: int
    config: Mapping[str, Any]  # of the run
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)  # run.json
    own_code: str = ""  # why the folder has its own modelling code; empty where transformers has a class for the model

    @property
    def shown(self) -> dict[str, Any]:
        return with_paths(dict(self.config), published)

    @property
    def origin(self) -> str:
        """Where an imported model came from; empty where it was trained here."""
        return published(self.record.get("imported_from", ""))

    @property
    def reads_images(self) -> bool:
        return self.config.get("tokenizer") is None

    @property
    def reader(self) -> str:
        """The automatic class of transformers that reads the model."""
        return reader_of(self.architecture)

    @property
    def data(self) -> str:
        """The data set's name: that of its source, or what the source reads."""
        data = self.shown["data"]
        source = data.get("source") or data
        return str(source.get("path") or source.get("train") or source["_target_"].rpartition(".")[2])

    @property
    def recipe(self) -> str:
        recipe = {name: value for name in RECIPE if (value := self.shown.get(name)) is not None}
        return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=110).strip()

    @property
    def circumstances(self) -> str:
        """Versions, hardware and commit of the last session, as far as they are known."""
        last = (self.record.get("sessions") or [{}])[-1]
        versions = [f"{name} {version}" for name, version in last.get("packages", {}).items() if version]
        hardware, commit = last.get("hardware"), last.get("code", {}).get("commit")
        machine = hardware and (hardware.get("gpus") or [f"{hardware.get('cores')} cores of {hardware.get('cpu')}"])
        facts = {"Versions": versions, "Hardware": machine, "Commit": commit and [commit]}
        return " ".join(f"{name}: {', '.join(values)}." for name, values in facts.items() if values)

    def __str__(self) -> str:
        from huggingface_hub import EvalResult, ModelCard, ModelCardData

        results = [
            EvalResult(self.pipeline, self.data, self.data, name, value, dataset_split=split, metric_name=name)
            for split, values in self.metrics.items()
            for name, value in values.items()
        ]
        matter = ModelCardData(
            library_name="transformers",
            pipeline_tag=self.pipeline,
            tags=["variformer"],
            model_name=self.name if results else None,
            eval_results=results or None,
        )
        return f"{ModelCard.from_template(matter, template_path=str(TEMPLATE), card=self, results=results)}\n"
