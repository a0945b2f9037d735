"""Variformer from Python: the same runs as by the command, and a program around it that stays as it was."""

import logging
import os
import random
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

import variformer
from variformer.api.composing import ready
from variformer.api.undisturbed import undisturbed
from variformer.training.signals import Preempted

SMALL = ["experiment=vit", "debug=fast", "trainer.progress=false", "max_steps=2"]
SMALL += ["model.width=32", "model.hidden=64", "callbacks.throughput=null"]


def surroundings() -> dict:
    """What a program may rely on that training or Hydra could change."""
    return {
        "folder": os.getcwd(),
        "arguments": list(sys.argv),
        "handlers": list(logging.getLogger().handlers),
        "levels": [logging.getLogger(name).level for name in ("", "hydra", "lightning.pytorch", "lightning.fabric")],
        "filters": list(warnings.filters),
        "resolvers": set(BaseContainer._resolvers),
        "hydra": (GlobalHydra.instance().hydra, HydraConfig.instance().cfg),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "random": (random.getstate(), torch.get_rng_state().tolist()),
        "seed": os.environ.get("PL_GLOBAL_SEED"),
        "signals": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        yield Path.cwd()


@pytest.fixture(scope="module")
def config(folder) -> variformer.Config:
    return variformer.compose(*SMALL)


@pytest.fixture(scope="module")
def trained(config) -> tuple[variformer.Run, dict, dict]:
    """A run, and the surroundings before and after it."""
    variformer.compose(*SMALL)  # Hydra's own first use
    before = surroundings()
    return variformer.train(config), before, surroundings()


def test_a_config_is_plain_checked_and_shown_as_yaml(config):
    assert config["max_steps"] == 2 and type(config["model"]) is dict
    shown = repr(config)
    assert shown.startswith("name: vit\n") and "\n  _target_: variformer.models.ViT\n" in shown
    assert OmegaConf.create(shown) == OmegaConf.create(dict(config))


def test_a_run_says_what_became_of_it(trained, folder):
    run = trained[0]
    assert run.path.parent == folder / "runs" / "vit"
    assert run.status == "done"
    names = ("loss", "top1", "top5", "macro_f1", "matthews", "calibration_error")
    assert run.metrics.keys() == {f"val/{name}" for name in names} and run.metrics["val/loss"] > 0
    assert run.curves["val/loss"][2] == pytest.approx(run.metrics["val/loss"])
    assert run.config["max_steps"] == 2
    assert f"Run('{run.path}', status='done', val/loss=" in repr(run)
    model, transform = run.load("best")
    assert isinstance(model, torch.nn.Module) and callable(transform)


def test_the_program_around_a_run_stays_as_it_was(trained):
    _, before, after = trained
    assert after == before


def test_the_same_config_trains_again_in_another_directory(trained, config):
    again = variformer.train(config)
    assert again.path == trained[0].path.with_name(f"{trained[0].path.name}-2")
    assert again.metrics == trained[0].metrics


def test_a_directory_that_was_named_is_not_taken_twice(trained):
    named = variformer.compose(*SMALL, f"run_dir={trained[0].path.parent / 'named'}")
    variformer.train(named)
    with pytest.raises(variformer.ConfigError, match="holds a run; continue it with resume=true"):
        variformer.train(named)
    longer = variformer.compose(f"run_dir={named['run_dir']}", "resume=true", "max_steps=3")
    assert max(variformer.train(longer).curves["val/loss"]) == 3


def test_evaluation_gives_the_metrics_of_training(trained):
    found = variformer.evaluate(trained[0])
    assert {f"val/{name}": value for name, value in found.items()} == trained[0].metrics
    assert (trained[0].path / "metrics_val_last.json").is_file()


def test_a_config_without_defaults_is_completed(config, tmp_path):
    needed = ("model", "objective", "data", "optimizer", "max_steps", "name", "trainer")
    plain = {name: config[name] for name in needed} | {"run_dir": str(tmp_path / "run")}
    assert ready(plain).keys() >= config.keys() - {"samples"}
    assert "allow" not in ready(plain)  # which no run may keep
    with pytest.raises(variformer.ConfigError, match="allow: only compose takes it"):
        ready(plain | {"allow": ["mine"]})
    with pytest.raises(variformer.ConfigError, match="data: missing"):
        ready({name: value for name, value in plain.items() if name != "data"})


def test_values_may_be_changed_and_are_checked_again(config):
    changed = variformer.Config(config) | {"clip": -1.0}
    with pytest.raises(variformer.ConfigError, match=r"clip: -1.0 is not a number above 0"):
        variformer.train(changed)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["experiment=gtp"], "experiment: no such option `gtp`; did you mean `gpt`?"),
        (["golbal_batch=3"], "golbal_batch: no such key; did you mean `global_batch`?"),
        (["clip=-1"], "clip: -1 is not a number above 0"),
        (["+modle.width=3"], "did you mean `model`?"),
        (["optimizer.lr=1,2"], "optimizer.lr"),
        (["resume=true", "run_dir=nowhere"], "run_dir=nowhere is not a run"),
        (["resume=true"], "resume: needs run_dir="),
    ],
)
def test_a_mistake_is_the_line_of_the_command(folder, overrides, message):
    before = sorted(folder.rglob("*"))
    with pytest.raises(variformer.ConfigError) as caught:
        variformer.compose(*overrides)
    assert message in str(caught.value) and len(caught.value.problems) == 1
    assert sorted(folder.rglob("*")) == before


def test_what_training_refuses_is_a_config_error(folder):
    before = sorted(folder.rglob("*"))
    for overrides, message in ((["init_from=nowhere"], "init_from=nowhere"), (["validate_only=true"], "validate_only")):
        with pytest.raises(variformer.ConfigError, match=message):
            variformer.train(variformer.compose(*SMALL, *overrides))
    with pytest.raises(variformer.ConfigError, match="run_dir=nowhere is not a run"):
        variformer.evaluate("nowhere")
    with pytest.raises(variformer.ConfigError, match="split: 'vla' is not"):
        variformer.evaluate("nowhere", "vla")  # type: ignore[arg-type]
    assert sorted(folder.rglob("*")) == before


def test_a_studys_folder_and_another_join_the_configs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place, steps in (("conf", 5), ("other", 6)):
        (tmp_path / place / "experiment").mkdir(parents=True)
        (tmp_path / place / "experiment" / f"{place}.yaml").write_text(f"# @package _global_\nmax_steps: {steps}\n")
    assert variformer.compose("experiment=conf")["max_steps"] == 5
    assert variformer.compose("experiment=other", config_dir="other")["max_steps"] == 6
    with pytest.raises(variformer.ConfigError, match="did you mean `conf`"):
        variformer.compose("experiment=cnof")


def test_a_program_with_a_hydra_main_keeps_its_own_state(tmp_path, monkeypatch):
    (tmp_path / "app.yaml").write_text("seed: 3\nhydra: {run: {dir: .}, output_subdir: null}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["app.py", "+golbal_batch=3", "hydra/job_logging=none"])
    OmegaConf.register_new_resolver("stamp", lambda: "theirs", replace=True)
    seen = []

    @hydra.main(version_base="1.3", config_path=str(tmp_path), config_name="app")
    def app(theirs):
        before = surroundings()
        seen.append(variformer.compose("experiment=vit", "seed=5")["seed"])
        assert surroundings() == before
        assert HydraConfig.get().overrides.task == ["+golbal_batch=3"]
        assert OmegaConf.create({"a": "${stamp:}"}).a == "theirs"

    app()
    OmegaConf.clear_resolver("stamp")
    assert seen == [5]


def test_an_interrupt_is_what_a_notebook_expects():
    with pytest.raises(KeyboardInterrupt, match="stopped by SIGINT"), undisturbed():
        raise Preempted(signal.SIGINT)
    with pytest.raises(SystemExit) as stop, undisturbed():
        raise Preempted(signal.SIGTERM)
    assert stop.value.code == 143


def test_importing_the_package_imports_nothing_slow():
    names = ", ".join(name for name in variformer.__all__ if name not in ("load", "train"))
    code = f"import sys, variformer; print(len(sys.modules)); from variformer import {names}"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    count, has_torch = done.stdout.split()
    assert int(count) < 200 and has_torch == "False"
