"""A command of evaluate.py is checked before anything slow is imported."""

import pytest
from hydra import compose, initialize_config_dir

from variformer.config import ConfigError, evaluation


@pytest.fixture
def command(tmp_path, request, monkeypatch):
    """Overrides -> the arguments of `evaluate_run`, for a run that is there."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("name: run\n")
    (tmp_path / "teacher").mkdir()
    monkeypatch.chdir(tmp_path)

    def composed(*overrides: str) -> dict:
        with initialize_config_dir(str(request.config.rootpath / "conf"), version_base="1.3"):
            return evaluation(compose("evaluate", list(overrides)))

    return composed


def test_by_default_the_last_weights_on_the_validation_split(command):
    assert command("run_dir=run") == {
        "run_dir": "run",
        "split": "val",
        "checkpoint": None,
        "eval_batch": None,
        "other_model": None,
        "data": {},
        "data_anyway": False,
        "bootstrap": None,
    }


def test_what_a_command_gives_is_passed_on(command, tmp_path):
    settings = command("run_dir=run", "other_model=teacher", "++data.source.train=a.txt", "split=test")
    assert settings["other_model"] == f"{tmp_path}/teacher" and settings["split"] == "test"
    assert settings["data"] == {"source": {"train": "a.txt"}}  # absolute as part of the run's config


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ([], r"run_dir: needs a value, the directory of a run: variformer evaluate run_dir=RUN"),
        (["run_dir=null"], "run_dir: needs a value"),
        (["run_dir=5"], "run_dir: 5 is not str"),
        (["run_dir=nowhere"], "run_dir=nowhere is not a run"),
        (["run_dir=teacher"], "run_dir=teacher is not a run"),
        (["run_dir=run", "split=vla"], "split: 'vla' is not a choice.*`val`"),
        (["run_dir=run", "checkpoint=5"], "checkpoint: 5 is not str"),
        (["run_dir=run", "bootstrap=many"], "bootstrap: 'many' is not a whole number"),
        (["run_dir=run", "bootstrap=0"], "bootstrap: 0 is not a whole number of 1 or more"),
        (["run_dir=run", "eval_batch=many"], "eval_batch: 'many' is not int"),
        (["run_dir=run", "data_anyway=perhaps"], "data_anyway: 'perhaps' is not bool"),
        (["run_dir=run", "++dta.source.train=a.txt"], "dta: unknown key.*`data`"),
    ],
)
def test_a_mistake_is_one_line(command, overrides, problem):
    with pytest.raises((ConfigError, FileNotFoundError), match=problem) as refused:
        command(*overrides)
    assert "\n" not in str(refused.value)
