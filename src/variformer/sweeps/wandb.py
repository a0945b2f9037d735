"""The search of conf/sweep/NAME.yaml as a file for `wandb sweep`: W&B proposes the values, and its agents train."""

import re
from pathlib import Path
from typing import TypeAlias, TypedDict

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ..config import ConfigError
from ..config.classes.attributes import monitored
from ..config.errors import did_you_mean
from ..config.tree import Config, at
from ..configs import packaged
from .space import Space, space_of

Parameter: TypeAlias = "dict[str, bool | int | float | str | list[bool | int | float | str | None] | None]"


class Hyperband(TypedDict):
    """W&B's rule that ends runs early."""

    type: str
    min_iter: int
    eta: int


METHODS = {"TPESampler": "bayes", "RandomSampler": "random", "GridSampler": "grid", "BruteForceSampler": "grid"}
PROGRAM = "variformer"  # from any folder
GOALS = {"min": "minimize", "max": "maximize"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")  # names that W&B accepts for a parameter
# A run that W&B starts again after a preemption keeps its id. So it finds its directory and continues there.
RUN_DIRECTORY = "run_dir=sweeps/wandb/${name}/${oc.env:WANDB_RUN_ID}"

HEADER = """\
# {name}.yaml for W&B: it proposes the values, and agents on any number of machines train.
# Written by `variformer wandb-sweep {name}`; change ../{name}.yaml and write it again.
#
# wandb sweep conf/sweep/wandb/{name}.yaml
# wandb agent ENTITY/PROJECT/ID                     (the command before this one prints it)
{notes}"""


def write_sweep(name: str, conf: Path) -> Path:
    """Write conf/sweep/wandb/NAME.yaml from conf/sweep/NAME.yaml, or from the package's search of this name.

    Raises ConfigError that says which part of it W&B cannot do.
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


def composed(name: str, conf: Path) -> Config:
    """The config of `variformer train sweep=NAME logger=wandb`, with Hydra's own part.

    If the folder `conf` has no train.yaml, its options join those of the package.
    """
    from hydra import compose, initialize_config_dir

    from ..config import register_resolvers
    from ..config.composing.compose import plain_config

    main, own = (conf, []) if (conf / "train.yaml").is_file() else (packaged(), [f"'file://{conf.resolve()}'"])
    known = sorted({path.stem for folder in (conf, main) for path in (folder / "sweep").glob("*.yaml")})
    if name not in known:
        raise ConfigError([f"{conf / 'sweep' / name}.yaml: there is no such sweep{did_you_mean(name, known)}"])
    words = [f"sweep={name}", "logger=wandb", *(f"hydra.searchpath=[{place}]" for place in own if conf.is_dir())]
    register_resolvers()
    with initialize_config_dir(str(main.resolve()), version_base="1.3"):
        return plain_config(compose("train", words, return_hydra_config=True), resolve=False)


def sweep_config(name: str, config: Config) -> dict[str, object]:
    """The content of the file, with the keys of W&B's sweep files."""
    objective, params = at(config, "objective"), at(config, "hydra.sweeper.params")
    monitor, mode = monitored(objective if isinstance(objective, dict) else {})
    content = {
        "name": name,
        "project": at(config, "logger.wandb.project"),
        "program": PROGRAM,
        "method": METHODS.get(class_name(config, "sampler"), "bayes"),
        "metric": {"name": monitor, "goal": GOALS[mode]},
        "run_cap": at(config, "hydra.sweeper.n_trials"),
        "parameters": parameters(space_of(params if isinstance(params, dict) else {})),
        "early_terminate": early_end(config),
        "command": [
            *("${env}", "${interpreter}", "-m", PROGRAM, "train"),
            *(f"sweep={name}", "logger=wandb", RUN_DIRECTORY, "resume=auto", "hydra.mode=RUN"),
            "${args_no_hyphens}",
        ],
    }
    return {key: value for key, value in content.items() if value is not None}


def parameters(space: Space) -> dict[str, Parameter]:
    """The same space as W&B describes it. The slashes of a group become dots, which the command accepts, too."""
    names = {key: key.replace("/", ".") for key in space}
    problems = [f"{key}: W&B does not accept such a name" for key in space if not NAME.fullmatch(names[key])]
    if problems or not space:
        raise ConfigError(problems or ["hydra.sweeper.params: the search has no keys; name at least one"])
    return {names[key]: parameter(distribution) for key, distribution in space.items()}


def parameter(distribution: BaseDistribution) -> Parameter:
    """One distribution as W&B describes it."""
    if isinstance(distribution, CategoricalDistribution):
        choices: list[bool | int | float | str | None] = list(distribution.choices)
        return {"values": choices} if len(choices) > 1 else {"value": choices[0]}
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    ends: Parameter = {"min": distribution.low, "max": distribution.high}
    is_whole = isinstance(distribution, IntDistribution)
    if distribution.log and is_whole:
        return {"distribution": "q_log_uniform_values", **ends, "q": 1}
    if distribution.log:
        return {"distribution": "log_uniform_values", **ends}
    if distribution.step is None:
        return {"distribution": "uniform", **ends}
    if is_whole and distribution.step == 1:
        return {"distribution": "int_uniform", **ends}
    return {"values": steps(distribution)}


def steps(distribution: FloatDistribution | IntDistribution) -> list[bool | int | float | str | None]:
    """Every value of a range. W&B's own q_uniform counts its steps from 0, and proposes the ends half as often."""
    from decimal import Decimal

    low, high, step = (Decimal(str(each)) for each in (distribution.low, distribution.high, distribution.step))
    kind = int if isinstance(distribution, IntDistribution) else float
    return [kind(low + index * step) for index in range(int((high - low) / step) + 1)]


def early_end(config: Config) -> Hyperband | None:
    """W&B's hyperband, which counts validations, while Optuna's counts optimizer steps; None for other pruners."""
    every = at(config, "trainer.validate_every")
    if class_name(config, "pruner") != "HyperbandPruner" or not isinstance(every, int) or not every:
        return None
    steps, factor = (at(config, f"hydra.sweeper.pruner.{name}") for name in ("min_resource", "reduction_factor"))
    first = -(-(steps if isinstance(steps, int) else 1) // every)
    return {"type": "hyperband", "min_iter": max(1, first), "eta": factor if isinstance(factor, int) else 3}


def left_out(config: Config) -> list[str]:
    """Comments on what W&B cannot do."""
    pruner = class_name(config, "pruner")
    ends_early = early_end(config) is not None or pruner == "NopPruner"
    return [] if ends_early else ["", f"W&B has no {pruner}: every run goes on to its end."]


def class_name(config: Config, part: str) -> str:
    """The class of the search's sampler or pruner."""
    return str(at(config, f"hydra.sweeper.{part}._target_")).rpartition(".")[2]
