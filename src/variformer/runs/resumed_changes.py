"""The differences between a resumed run and its earlier sessions: one line for each, or a refusal before anything is
written.
"""

import json
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ..config.classes.attributes import monitored
from ..config.classes.moved import with_current_targets
from ..config.composing.earlier_runs import PER_RUN
from ..config.heads import parted
from ..config.tree import leaves
from ..run_directory.checkpoint_files import glance, problem_of
from ..run_directory.directory import RunDirectory
from ..run_directory.newest import resumable, step_of
from ..training.module import Training
from ..training.optimizer import hyperparameters
from .run import Config, Run
from .stopping import Refused

FREE = ("dropout", "stochastic_depth")  # settings of the model that may change from one step to the next
SAME = "resume with the same, or start a new run (init_from=RUN begins with these weights)"

Change = tuple[str, Any, Any]  # a full key of the config, its value then and now


def finished(config: Config, run: RunDirectory) -> str | None:
    """A line where a run has ended and its config asks for no more steps; None where there are steps to take."""
    saved, before = resumable(run.checkpoints), last_session(run)
    if run.status() != "done" or not saved or not before or not run.metrics.is_file():
        return None
    step, metrics = step_of(saved[0]), json.loads(run.metrics.read_text())
    if metrics["step"] != step or problem_of(saved[0]):
        return None
    same = all(config[key] == before["config"].get(key) for key in ("max_steps", "max_epochs", "global_batch"))
    total = before["max_steps"] if same else config["max_steps"]
    if step == total:
        return f"{run.path} is finished, at step {step} of {total}; to train on, give it a larger max_steps"
    is_early = step < before["max_steps"] and config["callbacks"] == before["config"]["callbacks"]
    if is_early and total is not None and step < total:
        return (
            f"{run.path} is finished: it ended early, at step {step} ({metrics.get('ended', 'stopped')}); to train on, "
            "change what stopped it, as by callbacks.early_stopping.patience"
        )
    return None


def final_value(config: Config, run: RunDirectory) -> float:
    """The value that the objective watches, at the end of a finished run."""
    return json.loads(run.metrics.read_text())[monitored(config["objective"])[0]]


def last_session(run: RunDirectory) -> dict[str, Any] | None:
    """The record of the last session. None where there is none, or where an earlier version wrote it without the
    config.
    """
    record = run.facts()
    if not {"config", "max_steps"} <= record.keys():
        return None
    return record | {"config": parted(with_current_targets(record["config"]))}


def changes(run: Run) -> list[str]:
    """A line for each value that changes from the checkpoint's step on. Raises Refused where the checkpoint does not
    fit.
    """
    assert run.checkpoint is not None  # of a run that is resumed
    checkpoint, module, data, total = run.checkpoint, run.module, run.data_module, run.steps
    before, step, saved = last_session(run.directory), step_of(checkpoint), glance(checkpoint)
    changed = list(differences(before["config"], run.kept)) if before else []
    if total < step:
        raise Refused([f"max_steps: {total} lies before step {step} of {checkpoint.name}; give {step} or more"])
    if "optimizer_states" not in saved:
        raise Refused([f"resume: {checkpoint} holds only weights; start a new run with init_from={run.directory.path}"])
    module.on_load_checkpoint(saved)  # the checkpoint decides how the parameters are grouped
    problems = [
        *other_model(changed, saved["state_dict"], module, checkpoint.name),
        *other_optimizer(changed, saved["optimizer_states"][0]["param_groups"], module, checkpoint.name),
        *kept_by_others(changed, run.kept, saved["callbacks"]),
    ]
    if problems:
        raise Refused(problems)
    try:
        data.load_state_dict(saved.get(type(data).__qualname__, {"samples_seen": 0}))
    except ValueError as error:
        raise Refused([str(error)]) from error
    lines = [f"{key}: {then} until step {step}, {now} from here on" for key, then, now in changed]
    if not any(key.startswith("optimizer.") for key, _, _ in changed):
        lines += unrecorded(saved["optimizer_states"][0]["param_groups"], module, step)
    return lines + list(another_rate(saved, module, step, total))


def differences(then: Config, now: Config) -> Iterator[Change]:
    """The keys whose values differ between two configs, without those that each run sets for itself."""
    before, after = ({key: value for key, _, value in leaves(config)} for config in (then, now))
    for key in before | after:
        if key not in PER_RUN and before.get(key) != after.get(key):
            yield key, before.get(key), after.get(key)


def other_model(changed: list[Change], weights: dict[str, Tensor], module: Training, name: str) -> Iterator[str]:
    """Problems where the model of the config is not the model of the checkpoint."""
    fixed = [each for each in changed if each[0].startswith(("model.", "head")) and not each[0].endswith(FREE)]
    yield from (f"{key}: {now} is not the model of {name}, which has {then}; {SAME}" for key, then, now in fixed)
    own = module.state_dict()
    for tensor in own.keys() | weights.keys() if not fixed else ():
        shapes = [tuple(each[tensor].shape) if tensor in each else "not there" for each in (weights, own)]
        if shapes[0] != shapes[1]:
            yield f"model: {tensor} is {shapes[0]} in {name}, and {shapes[1]} in the config's model; {SAME}"
            return


def other_optimizer(changed: list[Change], groups: list[Any], module: Training, name: str) -> Iterator[str]:
    """Problems where the optimizer of the config cannot take the state in the checkpoint."""
    classes = [each for each in changed if each[0] == "optimizer._target_"]
    yield from (f"{key}: {now} cannot go on from {name}, which {then} left; {SAME}" for key, then, now in classes)
    own = module.new_optimizer(module.model).param_groups
    there, here = ([(group.get("name"), len(group["params"])) for group in each] for each in (groups, own))
    if not classes and there != here:
        yield f"optimizer: its groups of parameters are {there} in {name}, and {here} now; {SAME}"


def kept_by_others(changed: list[Change], config: Config, states: dict[str, Any]) -> Iterator[str]:
    """Problems where a callback of Lightning takes a setting from the checkpoint and ignores the config."""
    for key, then, now in changed:
        parts = key.split(".")
        node = config["callbacks"].get(parts[1]) if parts[0] == "callbacks" and len(parts) == 3 else None
        target = str(node["_target_"]) if node else ""
        held = [state for name, state in states.items() if name.startswith(target.rpartition(".")[2])]
        if target.startswith("lightning.") and any(parts[2] in state for state in held):
            yield f"{key}: {now} would be ignored, since the checkpoint holds {then}; {SAME}"


def unrecorded(groups: list[Any], module: Training, step: int) -> Iterator[str]:
    """Lines where the checkpoint was trained with other values than run.json says, as an earlier version could do."""
    for saved, own in zip(groups, module.new_optimizer(module.model).param_groups, strict=True):
        then, now = hyperparameters(saved), hyperparameters(own)
        for key in then.keys() & now.keys():
            if then[key] != now[key]:
                yield (
                    f"optimizer: {key} of {own.get('name', 'all')} was {then[key]} until step {step}, "
                    f"{now[key]} from here on"
                )


def another_rate(saved: dict[str, Any], module: Training, step: int, total: int) -> Iterator[str]:
    """A line where the learning rate jumps: a longer schedule is still high where a shorter one has ended near zero."""
    scheduler = saved["lr_schedulers"][0]
    if not scheduler["base_lrs"][0]:
        return
    then = scheduler["_last_lr"][0] / scheduler["base_lrs"][0]
    now = module.schedule(scheduler["last_epoch"], total)
    if abs(now - then) > 1e-6:
        yield (
            f"learning rate: {then:.1%} of its peak at step {step} then, {now:.1%} there now, because the schedule is "
            f"that of {total} steps; a run that is to be made longer has schedule=warmup_stable_decay or constant"
        )
