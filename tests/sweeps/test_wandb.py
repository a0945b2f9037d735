"""Files for `wandb sweep`: made from our searches, and valid by W&B's schema. dashboards/test_agent.py runs one.

The schema is read from W&B's package `sweeps`, the engine of its server, which rejects what does not fit.
"""

import json
from importlib.metadata import distribution
from pathlib import Path

import jsonschema
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from typer.testing import CliRunner

from variformer.cli.main import app
from variformer.config import ConfigError
from variformer.config.composing.overrides import spelled
from variformer.sweeps.wandb import early_end, parameter, parameters, sweep_text, write_sweep

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
NAMES = sorted(path.stem for path in (CONF / "sweep").glob("*.yaml"))
SCHEMA = json.loads((distribution("sweeps").locate_file("sweeps/config/schema.json")).read_text())


def violations(config: dict) -> list[str]:
    """With the two formats that W&B's own check knows."""
    formats = jsonschema.FormatChecker(formats=())
    formats.checks("float")(lambda value: isinstance(value, float))
    formats.checks("integer")(lambda value: isinstance(value, int))
    found = jsonschema.Draft7Validator(SCHEMA, format_checker=formats).iter_errors(config)
    return [error.message for error in found]


def read(name: str) -> dict:
    return yaml.safe_load((CONF / "sweep" / "wandb" / f"{name}.yaml").read_text())


def test_every_search_has_its_file():
    assert NAMES
    assert sorted(path.stem for path in (CONF / "sweep" / "wandb").iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_what_its_search_makes_of_it(name):
    assert (CONF / "sweep" / "wandb" / f"{name}.yaml").read_text() == sweep_text(name, CONF), (
        f"conf/sweep/{name}.yaml has changed: run `variformer wandb-sweep {name}`"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_file_fits_wandbs_schema(name):
    assert violations(read(name)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"method": "tpe"},
        {"metric": {"goal": "minimize"}},
        {"run_cap": 0},
        {"early_terminate": {"type": "hyperband"}},
        {"early_terminate": {"type": "median", "min_iter": 1}},
        {"parameters": {"model/positions": {"values": ["rotary"]}}},
        {"parameters": {"lr": {"distribution": "log_uniform_values", "min": 0, "max": 1}}},
        {"parameters": {"lr": {"distribution": "uniform", "min": 0}}},
        {"parameters": {}},
        {"n_trials": 3},
    ],
)
def test_what_does_not_fit_the_schema_is_seen(change):
    assert violations(read(NAMES[0]) | change)


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (FloatDistribution(0, 0.3), {"distribution": "uniform", "min": 0.0, "max": 0.3}),
        (FloatDistribution(1e-4, 1, log=True), {"distribution": "log_uniform_values", "min": 1e-4, "max": 1.0}),
        (IntDistribution(1, 8), {"distribution": "int_uniform", "min": 1, "max": 8}),
        (IntDistribution(1, 8, log=True), {"distribution": "q_log_uniform_values", "min": 1, "max": 8, "q": 1}),
        (IntDistribution(1, 7, step=2), {"values": [1, 3, 5, 7]}),
        (FloatDistribution(0.1, 0.7, step=0.2), {"values": [0.1, 0.3, 0.5, 0.7]}),
        (CategoricalDistribution([1e-4, "rotary", True]), {"values": [1e-4, "rotary", True]}),
        (CategoricalDistribution(["rotary"]), {"value": "rotary"}),
    ],
)
def test_every_distribution_becomes_a_parameter_that_wandb_takes(distribution, expected):
    assert parameter(distribution) == expected
    assert violations({"method": "bayes", "parameters": {"a": expected}}) == []


def ends(parameter: dict) -> list:
    """Two of its values, as far apart as they go."""
    values = parameter.get("values") or [parameter["min"], parameter["max"]]
    return [values[0], values[-1]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", [0, 1])
def test_a_run_accepts_what_a_file_proposes(name, end, composed):
    proposed = {key: ends(parameter)[end] for key, parameter in read(name)["parameters"].items()}
    given = spelled([f"{key}={value}" for key, value in proposed.items()], [CONF])
    config = composed(f"sweep={name}", *given)
    assert config["optimizer"]["lr"] == proposed["optimizer.lr"]


def test_numbers_stay_numbers_in_the_file(tmp_path):
    """YAML 1.1 reads 1e-05 as a text."""
    text = yaml.safe_dump({"min": 1e-05})
    assert yaml.safe_load(text) == {"min": 1e-05}
    assert all(isinstance(read(name)["parameters"]["optimizer.lr"]["min"], float) for name in NAMES)


def test_a_key_whose_name_wandb_refuses_is_named():
    with pytest.raises(ConfigError, match=r"\+model\.extra: W&B does not accept such a name"):
        parameters({"+model.extra": FloatDistribution(0, 1)})
    with pytest.raises(ConfigError, match="the search has no keys"):
        parameters({})


@pytest.mark.parametrize(
    ("pruner", "every", "expected"),
    [
        ({"_target_": "optuna.pruners.HyperbandPruner", "min_resource": 100, "reduction_factor": 4}, 30, (4, 4)),
        ({"_target_": "optuna.pruners.HyperbandPruner"}, 30, (1, 3)),
        ({"_target_": "optuna.pruners.HyperbandPruner"}, None, None),
        ({"_target_": "optuna.pruners.MedianPruner"}, 30, None),
    ],
)
def test_hyperband_counts_validations(pruner, every, expected):
    """W&B's first rung is after so many logged values of the metric, Optuna's after so many optimizer steps."""
    found = early_end({"hydra": {"sweeper": {"pruner": pruner}}, "trainer": {"validate_every": every}})
    assert (found and (found["min_iter"], found["eta"])) == expected


def test_a_study_has_the_packages_searches_and_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["wandb-sweep", NAMES[0]])
    written = tmp_path / "conf" / "sweep" / "wandb" / f"{NAMES[0]}.yaml"
    assert done.exit_code == 0, done.output
    assert written.read_text() == (CONF / "sweep" / "wandb" / f"{NAMES[0]}.yaml").read_text()
    search = (CONF / "sweep" / f"{NAMES[0]}.yaml").read_text()
    (tmp_path / "conf" / "sweep" / "mine.yaml").write_text(search.replace("max_steps: 300", "max_steps: 3"))
    assert "sweep=mine" in sweep_text("mine", tmp_path / "conf")
    with pytest.raises(ConfigError, match="did you mean `mine`"):
        write_sweep("mime", tmp_path / "conf")


def test_the_command_writes_the_file_and_names_unknown_searches(tmp_path):
    (tmp_path / "sweep").mkdir()
    for path in CONF.iterdir():
        if path.name != "sweep":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "sweep" / "mine.yaml").write_text((CONF / "sweep" / f"{NAMES[0]}.yaml").read_text())
    done = CliRunner().invoke(app, ["wandb-sweep", "mine", "--conf", str(tmp_path)])
    assert done.exit_code == 0
    assert violations(yaml.safe_load((tmp_path / "sweep" / "wandb" / "mine.yaml").read_text())) == []
    assert CliRunner().invoke(app, ["wandb-sweep", "mime", "--conf", str(tmp_path)]).exit_code == 2
    with pytest.raises(ConfigError, match="did you mean `mine`"):
        write_sweep("mime", tmp_path)
