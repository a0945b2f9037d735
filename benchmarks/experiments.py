"""What an experiment's run measured, beside what is reached without learning from context."""

import json
from pathlib import Path
from typing import Any

import language_baselines
from results import Result, source_fingerprint

from variformer.training.run_directory import RunDirectory

# Metric -> how a text calls it. Only these are printed, in this order.
METRICS = {
    "bits_per_byte": "bits per byte",
    "masked_accuracy": "accuracy of masked tokens",
    "masked_loss": "nats per masked token",
    "hidden_accuracy": "accuracy of hidden tokens",
    "hidden_loss": "nats per hidden token",
    "loss": "nats per target token",
    "pair_accuracy": "accuracy of segment pairs",
    "top1": "top-1 accuracy",
}
TARGETS = {  # metrics of predicted tokens: accuracy -> loss
    "masked_accuracy": "masked_loss",
    "hidden_accuracy": "hidden_loss",
    "accuracy": "loss",
}


def measured(run: Path) -> Result:
    """The result of a finished run. Raises FileNotFoundError where it has no metrics yet."""
    from omegaconf import OmegaConf

    from variformer.config.compose import load

    directory = RunDirectory(run)
    config: Any = OmegaConf.to_container(load(run))
    if not directory.metrics.is_file():
        raise FileNotFoundError(f"{directory.metrics} is missing: the run {run} is not finished")
    metrics = json.loads(directory.metrics.read_text())
    record = json.loads(directory.record.read_text())
    session, node = record["sessions"][-1], config["data"]["source"]
    held_out = {name.removeprefix("val/"): value for name, value in metrics.items() if name.startswith("val/")}
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
    """The command without what belongs to one machine: the interpreter, and where the run lies."""
    arguments = [each for each in command[2:] if not each.startswith("run_dir=")]
    return " ".join(["python", Path(command[1]).name, *arguments])


def baselines(run: Path, metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """Metric -> baseline -> value, on the validation split of the run's own data."""
    task = language_baselines.task_of(run)
    found: dict[str, dict[str, float]] = {}
    if "bits_per_byte" in metrics:
        rows = language_baselines.text_baselines(task.data)
        return {"bits_per_byte": {name: values["val"] for name, values in rows.items()}}
    for accuracy, loss in TARGETS.items():
        if accuracy in metrics:
            targets = language_baselines.target_baselines(task, "val")
            found[accuracy] = {f"always {targets.commonest!r}": targets.accuracy}
            found[loss] = {"unigram of the training targets": targets.nats}
    return found
