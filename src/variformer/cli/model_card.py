"""The README.md of an exported model: front matter that the Hugging Face hub reads, measured metrics, the recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ..config.paths import with_paths


class Kind(NamedTuple):
    pipeline: str  # what the hub calls the task
    reader: str  # the class of transformers that reads such a model whatever its family


WRITES = Kind("text-generation", "AutoModelForCausalLM")
CLASSIFIES_IMAGES = Kind("image-classification", "AutoModelForImageClassification")
KINDS = {  # by how the name of their class ends
    "ForPreTraining": Kind("fill-mask", "AutoModelForPreTraining"),
    "ForReplacedTokenDetection": Kind("feature-extraction", "AutoModelForPreTraining"),
    "ForMaskedLM": Kind("fill-mask", "AutoModelForMaskedLM"),
    "LMHeadModel": WRITES,
    "ForCausalLM": WRITES,
    "ForConditionalGeneration": Kind("text2text-generation", "AutoModelForSeq2SeqLM"),
    "ForSequenceClassification": Kind("text-classification", "AutoModelForSequenceClassification"),
    "ForTokenClassification": Kind("token-classification", "AutoModelForTokenClassification"),
    "ForQuestionAnswering": Kind("question-answering", "AutoModelForQuestionAnswering"),
    "ForImageClassification": CLASSIFIES_IMAGES,
    "ForImageClassificationWithTeacher": CLASSIFIES_IMAGES,
}
RECIPE = (
    *("model", "objective", "data", "tokenizer", "optimizer", "schedule", "init_from", "length"),
    *("global_batch", "max_steps", "max_epochs", "clip", "precision", "seed"),
)  # what of a run's config says how it was trained


def kind_of(architecture: str) -> Kind:
    return next(kind for ending, kind in KINDS.items() if architecture.endswith(ending))


@dataclass
class Card:
    """What a card says. `metrics` are values by split and name: {"val": {"loss": 1.5}}.

    Of a local path only the last part is shown: a card is published.
    """

    name: str
    architecture: str  # the class of transformers that it is written for
    parameters: int
    config: Mapping[str, Any]  # of the run
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)  # run.json
    own_code: str = ""  # why the folder has its own modelling code; empty where transformers has a class for the model

    @property
    def shown(self) -> dict[str, Any]:
        return with_paths(dict(self.config), lambda text, _: Path(text).name if Path(text).is_absolute() else text)

    @property
    def reads_images(self) -> bool:
        return self.config.get("tokenizer") is None

    @property
    def data(self) -> str:
        """The data set's name: that of its source, or what the source reads."""
        data = self.shown["data"]
        source = data.get("source") or data
        return str(source.get("path") or source.get("train") or source["_target_"].rpartition(".")[2])

    def __str__(self) -> str:
        parts = [f"---\n{dumped(self.front_matter())}---", f"# {self.name}", self.introduction()]
        parts += ["## Use", self.use(), "## Results", self.results(), "## Training", self.training()]
        return "\n\n".join(parts) + "\n"

    def front_matter(self) -> dict[str, Any]:
        task = {"type": kind_of(self.architecture).pipeline}
        results = [
            {
                "task": task,
                "dataset": {"type": self.data, "name": self.data, "split": split},
                "metrics": [{"type": name, "name": name, "value": value} for name, value in values.items()],
            }
            for split, values in self.metrics.items()
        ]
        matter = {"library_name": "transformers", "pipeline_tag": task["type"], "tags": ["variformer"]}
        return matter | ({"model-index": [{"name": self.name, "results": results}]} if results else {})

    def introduction(self) -> str:
        origin = self.record.get("imported_from")
        told = f"imported from `{origin}`" if origin else f"trained on `{self.data}`"
        return f"A `{self.architecture}` of {self.parameters:,} parameters, {told} with Variformer."

    def use(self) -> str:
        reader = "AutoImageProcessor" if self.reads_images else "AutoTokenizer"
        model = kind_of(self.architecture).reader
        trust = ", trust_remote_code=True" if self.own_code else ""
        lines = [
            f"from transformers import {reader}, {model}",
            "",
            f'{"processor" if self.reads_images else "tokenizer"} = {reader}.from_pretrained("PATH"{trust})',
            f'model = {model}.from_pretrained("PATH"{trust})',
        ]
        code = "\n".join(lines)
        loads = '`variformer.load("PATH")` gives the same model as Variformer\'s own.'
        return "\n\n".join([f"```python\n{code}\n```", *([self.warning()] if self.own_code else []), loads])

    def warning(self) -> str:
        return (
            f"No class of transformers has the parts of this model ({self.own_code}), so its modelling code is in this "
            "folder. It needs torch and transformers alone. **`trust_remote_code=True` runs that code on your machine: "
            "read it first, or load the model with Variformer, which runs no code of the folder.**"
        )

    def results(self) -> str:
        rows = [(split, name, value) for split, values in self.metrics.items() for name, value in values.items()]
        if not rows:
            return "None were measured."
        lines = [f"| {split} | {name} | {value:.6g} |" for split, name, value in rows]
        return "\n".join(["| split | metric | value |", "|---|---|---:|", *lines])

    def training(self) -> str:
        recipe = {name: value for name in RECIPE if (value := self.shown.get(name)) is not None}
        sessions = self.record.get("sessions") or [{}]
        packages, hardware = sessions[-1].get("packages", {}), sessions[-1].get("hardware", {})
        versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
        machine = ", ".join(hardware.get("gpus") or [f"{hardware.get('cores')} cores of {hardware.get('cpu')}"])
        commit = sessions[-1].get("code", {}).get("commit")
        said = [f"Versions: {versions}."] if versions else []
        said += [f"Hardware: {machine}."] if hardware else []
        said += [f"Commit: {commit}."] if commit else []
        if self.record.get("imported_from"):
            return " ".join(["What this model was trained with is said where it came from.", *said])
        return "\n\n".join([f"```yaml\n{dumped(recipe)}```", *([" ".join(said)] if said else [])])


def dumped(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
