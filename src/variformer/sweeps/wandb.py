"""The search of conf/sweep/NAME.yaml as a file for `wandb sweep`: W&B proposes the values, its agents train."""

import re
from pathlib import Path
from typing import Any

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ..config import ConfigError
from ..config.classes.nearest import hint
from ..config.classes.watched import watched
from ..configs import packaged
from .space import Space, space_of

METHODS = {"TPESampler": "bayes", "RandomSampler": "random", "GridSampler": "grid", "BruteForceSampler": "grid"}
PROGRAM = "variformer"  # from any folder
GOALS = {"min": "minimize", "max": "maximize"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")  # what W&B takes for the name of a parameter
# A run that W&B starts again, after a preemption, has its old id: it finds its directory and goes on from there.
RUN_DIRECTORY = "run_dir=sweeps/wandb/${name}/${oc.env:WANDB_RUN_ID}"

HEADER = """\
# {name}.yaml for W&B: it proposes the values, and agents on any number of machines train.
# Written by `variformer wandb-sweep {name}`; change ../{name}.yaml and write it again.
#
# wandb sweep conf/sweep/wandb/{name}.yaml
# wandb agent ENTITY/PROJECT/ID                     (the command before this one prints it)
{notes}"""


def write_sweep(name: str, conf: Path) -> Path:
    """conf/sweep/NAME.yaml, or the package's search of this name -> conf/sweep/wandb/NAME.yaml.

    Raises ConfigError that says what W&B cannot do of it.
    """
    target = conf / "sweep" / "wandb" / f"{name}.yaml"
    text = sweep_text(name, conf)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


def sweep_text(name: str, conf: Path) -> str:
    config = composed(name, conf)
    notes = "".join(f"# {line}".rstrip() + "\n" for line in left_out(config))
    body = yaml.safe_dump(sweep_config(name, config), sort_keys=False, default_flow_style=None, width=120)
    return HEADER.format(name=name, notes=notes) + body


def composed(name: str, conf: Path) -> dict[str, Any]:
    """The config that `variformer train sweep=NAME logger=wandb` composes to, Hydra's part included.

    A folder without a train.yaml joins the configs of the package.
    """
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from ..config import register_resolvers

    main, own = (conf, []) if (conf / "train.yaml").is_file() else (packaged(), [f"'file://{conf.resolve()}'"])
    known = sorted({path.stem for folder in (conf, main) for path in (folder / "sweep").glob("*.yaml")})
    if name not in known:
        raise ConfigError([f"{conf / 'sweep' / name}.yaml: there is no such sweep{hint(name, known)}"])
    words = [f"sweep={name}", "logger=wandb", *(f"hydra.searchpath=[{place}]" for place in own if conf.is_dir())]
    register_resolvers()
    with initialize_config_dir(str(main.resolve()), version_base="1.3"):
        config = compose("train", words, return_hydra_config=True)
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    return plain  # type: ignore[return-value]


def sweep_config(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """What W&B is told: the keys are those of its sweep files."""
    sweeper = config["hydra"]["sweeper"]
    monitor, mode = watched(config["objective"])
    told = {
        "name": name,
        "project": config["logger"]["wandb"]["project"],
        "program": PROGRAM,
        "method": METHODS.get(class_name(sweeper["sampler"]), "bayes"),
        "metric": {"name": monitor, "goal": GOALS[mode]},
        "run_cap": sweeper["n_trials"],
        "parameters": parameters(space_of(sweeper["params"] or {})),
        "early_terminate": early_end(config),
        "command": [
            *("${env}", "${interpreter}", "-m", PROGRAM, "train"),
            *(f"sweep={name}", "logger=wandb", RUN_DIRECTORY, "resume=auto", "hydra.mode=RUN"),
            "${args_no_hyphens}",
        ],
    }
    return {key: value for key, value in told.items() if value is not None}


def parameters(space: Space) -> dict[str, dict[str, Any]]:
    """The same space in W&B's terms. A config group's slashes become dots, which the command understands."""
    names = {key: key.replace("/", ".") for key in space}
    problems = [f"{key}: W&B takes no such name for a parameter" for key in space if not NAME.fullmatch(names[key])]
    if problems or not space:
        raise ConfigError(problems or ["hydra.sweeper.params: nothing is searched"])
    return {names[key]: parameter(distribution) for key, distribution in space.items()}


def parameter(distribution: BaseDistribution) -> dict[str, Any]:
    if isinstance(distribution, CategoricalDistribution):
        choices = list(distribution.choices)
        return {"values": choices} if len(choices) > 1 else {"value": choices[0]}
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    ends = {"min": distribution.low, "max": distribution.high}
    is_whole = isinstance(distribution, IntDistribution)
    if distribution.log:
        return {"distribution": "q_log_uniform_values", **ends, "q": 1} if is_whole else log_uniform(ends)
    if distribution.step is None:
        return {"distribution": "uniform", **ends}
    if is_whole and distribution.step == 1:
        return {"distribution": "int_uniform", **ends}
    return {"values": steps(distribution)}


def log_uniform(ends: dict[str, Any]) -> dict[str, Any]:
    return {"distribution": "log_uniform_values", **ends}


def steps(distribution: FloatDistribution | IntDistribution) -> list[float]:
    """Every value of a stepped range. W&B's own q_uniform counts its steps from 0, and gives the ends half a chance."""
    from decimal import Decimal

    low, high, step = (Decimal(str(each)) for each in (distribution.low, distribution.high, distribution.step))
    kind = int if isinstance(distribution, IntDistribution) else float
    return [kind(low + index * step) for index in range(int((high - low) / step) + 1)]


def early_end(config: dict[str, Any]) -> dict[str, Any] | None:
    """W&B's hyperband, which counts validations where Optuna's counts optimizer steps; None for other pruners."""
    pruner, every = config["hydra"]["sweeper"]["pruner"], config["trainer"]["validate_every"]
    if class_name(pruner) != "HyperbandPruner" or not every:
        return None
    return {
        "type": "hyperband",
        "min_iter": max(1, -(-pruner.get("min_resource", 1) // every)),
        "eta": pruner.get("reduction_factor", 3),
    }


def left_out(config: dict[str, Any]) -> list[str]:
    """What the file cannot say, as comments."""
    pruner = class_name(config["hydra"]["sweeper"]["pruner"])
    ends_early = early_end(config) is not None or pruner == "NopPruner"
    return [] if ends_early else ["", f"W&B has no {pruner}: every run goes on to its end."]


def class_name(node: dict[str, Any]) -> str:
    return node["_target_"].rpartition(".")[2]
