"""Every file of conf/ is tested by existing: it parses, says what it is, composes and passes the check."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from variformer.config import ConfigError
from variformer.config.composing.compose import compose as checked
from variformer.config.composing.compose import register_resolvers

CONF = Path(__file__).parents[2] / "conf"
FILES = sorted(str(path.relative_to(CONF)) for path in CONF.rglob("*.yaml"))
EXPERIMENTS = [name for name in FILES if name.startswith("experiment/")]


@cache
def defaults(name: str) -> list[Any]:
    return (yaml.safe_load((CONF / name).read_text()) or {}).get("defaults", [])


def is_option(name: str) -> bool:
    """Not a primary config, not Hydra's own or W&B's, and not a piece that its neighbours include."""
    group, _, file = name.rpartition("/")
    neighbours = [each for each in FILES if each.rpartition("/")[0] == group]
    included = any(file.removesuffix(".yaml") in defaults(each) for each in neighbours)
    return bool(group) and not name.startswith(("hydra/", "sweep/wandb/")) and not included


OPTIONS = [name for name in FILES if is_option(name) and name not in EXPERIMENTS]


@cache
def composed(primary: str, *overrides: str) -> Any:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(primary, list(overrides))


fits: Counter[tuple[str, str]] = Counter()  # how many options of a group an experiment has taken


def choice(experiment: str) -> str:
    return experiment.removeprefix("experiment/").removesuffix(".yaml")


def chooses(experiment: str, group: str, option: str) -> bool:
    """Whether it has the option in its own defaults, or is of a family that the option is named after."""
    chosen = {f"override /{group}": option}
    return chosen in defaults(experiment) or option.startswith(Path(experiment).stem)


def places(group: str) -> Iterator[str]:
    """Where options of other groups have this group: decoding@callbacks.samples.writer.decoding."""
    for each in OPTIONS:
        (package,) = re.findall(r"# @package (\S+)", (CONF / each).read_text()) or [""]
        keys = (key for entry in defaults(each) if isinstance(entry, dict) for key in entry)
        yield from (f"{group}@{package}.{key.partition('@')[2]}" for key in keys if key.startswith(f"/{group}@"))


def ways(name: str) -> Iterator[list[str]]:
    """Overrides that select an option, in each experiment: a family's sizes and parts fit only that family.

    Its group is in the defaults or (data/augmentation) in those of another option of its parent, or in none.
    """
    group, _, option = name.removesuffix(".yaml").rpartition("/")
    parent, _, child = group.rpartition("/")
    holders = [each for each in OPTIONS if parent and Path(each).parent == Path(parent)]
    holders = [each for each in holders if any(child in entry for entry in defaults(each) if isinstance(entry, dict))]
    likely_first = sorted(EXPERIMENTS, key=lambda each: (not chooses(each, group, option), -fits[group, each]))
    chosen = [f"experiment={choice(experiment)}" for experiment in likely_first]
    family = [each for each in holders if option.startswith(Path(each).stem)]
    yield from ([each, f"{parent}={Path(holder).stem}", f"{group}={option}"] for holder in family for each in chosen)
    yield from ([each, f"{place}={option}"] for place in places(group) for each in chosen)
    yield from ([each, f"{group}={option}"] for each in chosen)
    for holder in holders:
        yield from ([each, f"{parent}={Path(holder).stem}", f"{group}={option}"] for each in chosen)
    yield from ([each, f"+{group}={option}"] for each in chosen)


def complaints(overrides: list[str]) -> list[str]:
    """Of Hydra and of the check; a value that the user must give (???) is none."""
    try:
        checked(composed("train", *overrides))
    except ConfigError as error:
        return [line for line in error.problems if "needs a value" not in line]
    except HydraException as error:
        return [str(error)]
    return []


@pytest.mark.parametrize("name", FILES)
def test_it_says_what_it_is(name):
    lines = [line for line in (CONF / name).read_text().splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("# @package")]
    assert lines[0].startswith("# "), "the first line must be a comment that says what the file is"
    assert len(lines[0]) > 10


@pytest.mark.parametrize("name", FILES)
def test_it_parses(name):
    text = (CONF / name).read_text()
    assert isinstance(yaml.safe_load(text), dict | None)
    OmegaConf.create(text)  # stricter: refuses a key that is given twice


@pytest.mark.parametrize("name", [name for name in FILES if "/" not in name])
def test_a_primary_config_composes(name):
    assert composed(name.removesuffix(".yaml"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_passes(name):
    assert complaints([f"experiment={choice(name)}"]) == []


def with_slow_ones(names: list[str]) -> list[Any]:
    """Parameters: composing a config takes a third of a second, and sizes are looked for in several experiments."""
    return [
        pytest.param(each, marks=pytest.mark.slow if re.search("papers/|model/size/", each) else ()) for each in names
    ]


@pytest.mark.parametrize("preset", ["overfit", "profile"])
@pytest.mark.parametrize("name", with_slow_ones(EXPERIMENTS))
def test_an_experiment_passes_when_it_is_cut_short(name, preset):
    assert complaints([f"experiment={choice(name)}", f"debug={preset}"]) == []


@pytest.mark.parametrize("name", with_slow_ones(EXPERIMENTS))
def test_debug_fast_leaves_two_layers(name):
    overrides = [f"experiment={choice(name)}", "debug=fast"]
    assert complaints(overrides) == []
    config = composed("train", *overrides)
    assert config.model.depth == 2
    assert config.model.get("groups", 1) == 1
    assert len(config.objective.get("copied_layers") or [0, 1]) == 2


@pytest.mark.parametrize("name", with_slow_ones(OPTIONS))
def test_an_option_passes_in_some_experiment(name):
    failures = []
    for overrides in ways(name):
        found = complaints(overrides)
        if not found:
            fits[str(Path(name).parent), f"experiment/{overrides[0].removeprefix('experiment=')}.yaml"] += 1
            return
        failures += [f"{' '.join(overrides)}: {line}" for line in found]
    pytest.fail("\n".join(failures))


def test_the_defaults_pass():
    assert complaints([]) == []


def test_a_complaint_is_heard():
    assert complaints(["model.heads=7"]) != []
    assert complaints(["model=no_such_model"]) != []
