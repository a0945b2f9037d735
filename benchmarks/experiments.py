"""What an experiment's run measured, beside what is reached without learning from context."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import image_baselines
import language_baselines
import pair_baselines
from results import Result, source_fingerprint

from variformer.run_directory.directory import RunDirectory

# Metric -> how a text calls it. Only these are printed, in this order.
METRICS = {
    "bits_per_byte": "bits per byte",
    "masked_accuracy": "accuracy of masked tokens",
    "masked_loss": "nats per masked token",
    "replaced_accuracy": "accuracy of replaced or original",
    "replaced_recall": "share of replaced tokens that is found",
    "hidden_accuracy": "accuracy of hidden tokens",
    "hidden_loss": "nats per hidden token",
    "loss": "nats per target token",
    "pair_accuracy": "accuracy of 5,000 segment pairs",
    "top1": "top-1 accuracy",
}
PAIRS = 20_000  # that the baselines of segment pairs are scored on
SCORED_PAIRS = 5_000  # that a run's own model is scored on
TARGETS = {  # metrics of predicted tokens: accuracy -> loss
    "masked_accuracy": "masked_loss",
    "hidden_accuracy": "hidden_loss",
    "accuracy": "loss",
}


def measured(run: Path) -> Result:
    """The result of a finished run. Raises FileNotFoundError where it has no metrics yet."""
    from omegaconf import OmegaConf

    from variformer.config.composing.saved_configs import saved_config

    directory = RunDirectory(run)
    config: Any = OmegaConf.to_container(saved_config(run))
    if not directory.metrics.is_file():
        raise FileNotFoundError(f"{directory.metrics} is missing: the run {run} is not finished")
    metrics = json.loads(directory.metrics.read_text())
    record = json.loads(directory.record.read_text())
    session, node = record["sessions"][-1], config["data"]["source"]
    held_out = {name.removeprefix("val/"): value for name, value in metrics.items() if name.startswith("val/")}
    if "pair_accuracy" in held_out:  # of the few hundred pairs of the split alone, too few to tell from chance
        task = language_baselines.task_of(run)
        held_out["pair_accuracy"] = pair_baselines.own_accuracy(run, task, "val", SCORED_PAIRS)
    values = {
        "parameters": record["parameters"],
        "steps": metrics["step"],
        "seconds": metrics["seconds"],
        "seed": config["seed"],
        "metrics": held_out,
        "baselines": baselines(run, held_out),
    }
    environment = {name: session[name] for name in ("python", "packages", "hardware", "code")}
    source = {"node": node, "fingerprint": source_fingerprint(node)}
    return Result(f"experiment_{config['name']}", command_of(session["command"]), values, environment, source)


def command_of(command: list[str]) -> str:
    """The command without what belongs to one machine: the interpreter, and where programs and runs lie."""
    arguments = [each for each in command[2:] if not each.startswith("run_dir=")]
    arguments = [re.sub(r"^(objective\.teacher|init_from)=.*", r"\1=RUN", each) for each in arguments]
    program = Path(command[1]).name
    return " ".join([*(["python"] if program.endswith(".py") or program.startswith("-") else []), program, *arguments])


def baselines(run: Path, metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """Metric -> baseline -> value, on the validation split of the run's own data; of a student, its teacher too."""
    found: dict[str, dict[str, float]] = {}
    for metric, rows in of_data(run, metrics):
        found[metric] = found.get(metric, {}) | rows
    for metric, value in of_teacher(run).items():
        if metric in found:
            found[metric] |= {"its teacher": value}
    return found


def of_data(run: Path, metrics: dict[str, float]) -> Iterator[tuple[str, dict[str, float]]]:
    """What is reached without a transformer."""
    if "top1" in metrics:
        accuracies = image_baselines.baselines(image_baselines.data_of(run))
        yield "top1", {name: values["val"] for name, values in accuracies.items()}
        return
    task = language_baselines.task_of(run)
    if "bits_per_byte" in metrics:
        rows = language_baselines.text_baselines(task.data)
        yield "bits_per_byte", {name: values["val"] for name, values in rows.items()}
        return
    if "replaced_share" in metrics:
        yield "replaced_accuracy", {"always original": 1 - metrics["replaced_share"]}
        yield "replaced_recall", {"always original": 0.0}
    for accuracy, loss in TARGETS.items():
        if accuracy in metrics and not (accuracy == "accuracy" and "hidden_accuracy" in metrics):
            targets = language_baselines.target_baselines(task, "val")
            yield accuracy, {f"always {targets.commonest!r}": targets.accuracy}
            yield loss, {"unigram of the training targets": targets.nats}
    if "pair_accuracy" in metrics:
        nothing, *parts = pair_baselines.baselines(task, PAIRS)["val"].items()
        name, accuracy = max(parts, key=lambda part: part[1])
        yield "pair_accuracy", {"the commoner answer": nothing[1], f"logistic regression on {name}": accuracy}


def of_teacher(run: Path) -> dict[str, float]:
    """What another model reached on the same inputs: `evaluate.py run_dir=RUN other_model=TEACHER` leaves it."""
    files = [file for file in sorted(run.glob("metrics_val_*_of_*.json")) if not file.stem.endswith("_other_data")]
    return json.loads(files[-1].read_text()) if files else {}
