"""A grid: every combination once, in a folder that its command names."""

import json
import re
import shlex
import subprocess
import sys

import pytest

from variformer.config import ConfigError
from variformer.config.classes.attributes import monitored
from variformer.sweeps.directory import SweepDirectory, subfolder
from variformer.sweeps.trials import read_record

from .conftest import CONF, planned, sweep_of


def test_a_grid_runs_every_combination_in_a_folder_of_its_own(sweeping):
    done = sweeping.run_well("clip=2,1", "model/positions=learned,rotary", "max_steps=1", "~samples")
    trials = sweeping.trials()
    assert [(trial.overrides["clip"], trial.overrides["model/positions"]) for trial in trials] == [
        ("2", "learned"),
        ("2", "rotary"),
        ("1", "learned"),
        ("1", "rotary"),
    ]
    assert [trial.value for trial in trials] == [2.0, 2.0, 1.0, 1.0]
    assert {path.name for path in (sweeping.path / "trials").iterdir()} == {trial.path.name for trial in trials}
    best = json.loads((sweeping.path / "best.json").read_text())
    assert shlex.split(best["command"]) == [
        *("variformer", "train"),
        f"hydra.searchpath=['file://{CONF}']",
        "max_steps=1",
        "~samples",
        "clip=1",
        "model/positions=learned",
    ]
    assert best["command"] in done.stdout


def test_the_process_of_a_sweep_imports_no_torch(sweeping):
    """Which alone takes longer to import than everything that a sweep does before its first trial."""
    imported = sweeping.run_well("clip=1", "max_steps=1", new=True, PYTHONPROFILEIMPORTTIME="1").stderr
    names = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    assert "variformer.sweeps.sweeping" in names
    assert not names & {"torch", "lightning", "matplotlib", "wandb"}


@pytest.mark.parametrize(
    "package, forbidden",
    [("sweeps", {"torch", "lightning", "matplotlib"}), ("run_directory", {"lightning"})],
)
def test_sweeps_and_run_directories_need_no_lightning(package, forbidden):
    code = f"""
import importlib, pkgutil, sys
package = importlib.import_module("variformer.{package}")
for module in pkgutil.iter_modules(package.__path__):
    importlib.import_module(f"variformer.{package}.{{module.name}}")
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert f"variformer.{package}.directory" in imported and not imported & forbidden


def test_the_same_command_names_the_same_folder():
    same = planned("seed=1,2", "max_steps=3")
    assert planned("max_steps=3", "launch=local_parallel", "seed=1,2").where == same.where
    assert same.where.parent.name == "sweeps"


@pytest.mark.parametrize("other", [["seed=1,3", "max_steps=3"], ["seed=1,2", "max_steps=4"], ["seed=1,2"]])
def test_another_sweep_names_another_folder(other):
    assert planned(*other).where != planned("seed=1,2", "max_steps=3").where


def test_a_search_by_another_sampler_or_pruner_is_another_search():
    """A grid has neither."""
    others = ["hydra/sweeper/sampler=random", "hydra/sweeper/pruner=median", "hydra.sweeper.sampler.seed=1"]
    for values, folders in [("interval(0, 1)", 4), ("1,2", 1)]:
        assert len({planned(f"clip={values}", *more).where for more in ([], *([each] for each in others))}) == folders


def test_the_points_of_a_grid_that_grows_are_counted_on(sweeping):
    for values in ("1,2", "0.5,2,1"):
        sweeping.run_well(f"clip={values}", "max_steps=1", "sweep_dir=sweeps/mine")
    assert [trial.overrides["clip"] for trial in sweeping.trials()] == ["1", "2", "0.5"]
    assert [trial.number for trial in sweeping.trials()] == [0, 1, 2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["experiment=gpt,vit"], "experiment=gpt has val/loss (min), experiment=vit has val/top1 (max)"),
        (["experiment=choice(gpt,vit)", "clip=interval(0, 1)"], "experiment=vit has val/top1 (max)"),
        (["objective=next_token,image_classification"], "cannot be compared"),
        (["experiment=vit", "objective.monitor=loss,macro_f1"], "objective.monitor=macro_f1 has val/macro_f1 (max)"),
    ],
)
def test_trials_that_watch_different_things_are_not_compared(arguments, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        sweep_of(*arguments)


def test_a_sweep_over_experiments_compares_their_metric():
    swept = sweep_of("experiment=vit,variants/vit_sinusoidal", "model.patch_size=2,4")
    assert (swept.monitor, swept.mode) == ("val/top1", "max")


def test_a_sweep_that_repeats_a_run_compares_its_metric(tmp_path, composed):
    (tmp_path / "run.json").write_text(json.dumps({"config": composed("experiment=vit", "model.patch_size=2")}))
    swept = sweep_of(f"repeat={tmp_path}", "seed=1,2", "model.patch_size=4,8")
    assert (swept.monitor, swept.mode) == ("val/top1", "max")
    assert swept.composed()[""]["model"]["patch_size"] == 2  # as it is in the record, whatever conf says now
    assert swept.plan.points()[0].overrides == {"seed": "1", "model.patch_size": "4"}
    assert {"seed=1", "++model.patch_size=4"} <= set(swept.job(swept.plan.points()[0]))
    with pytest.raises(ConfigError, match="vocab_size: no such key"):
        planned(f"repeat={tmp_path}", "model.vocab_size=1,2")


def test_the_part_of_a_key_that_is_misspelled_is_named():
    with pytest.raises(ConfigError, match="did you mean `optimizer`"):
        planned("optimzer.lr=1,2")


def test_one_objective_that_is_unknown_does_not_end_the_sweep():
    known = "objective._target_=variformer.objectives.next_token.NextToken"
    assert sweep_of(f"{known},variformer.objectives.nothing").monitor == "val/loss"
    with pytest.raises(ConfigError, match=r"objective\._target_"):
        sweep_of("objective._target_=variformer.objectives.nothing", "seed=1,2")


def test_keys_that_are_added_stay_so():
    assert list(planned("++model.extra=1,2", "+optimizer.more=3,4").swept) == ["++model.extra", "+optimizer.more"]


def test_what_the_command_line_fixes_is_not_searched():
    whole, rest = planned("sweep=gpt_learning_rate"), planned("sweep=gpt_learning_rate", "optimizer.lr=0.01")
    assert whole.space is not None and rest.space is not None
    assert whole.space.keys() - rest.space.keys() == {"optimizer.lr"}
    assert whole.where != rest.where
    everything = [f"{key}={value}" for key, value in zip(whole.space, ("0.01", "10", "rotary"), strict=True)]
    with pytest.raises(ConfigError, match="sets every key"):
        planned("sweep=gpt_learning_rate", *everything)


def test_every_trial_finds_the_folders_of_configs(sweeping):
    (sweeping.folder / "mine").mkdir()
    (sweeping.folder / "mine" / "train.yaml").write_text("never: read")
    sweeping.run_well("--config-dir", "mine", "name='${seed}'", "seed=1,2", "clip=1", "max_steps=1")
    command = json.loads((sweeping.trials()[0].path / "trial.json").read_text())["command"]
    assert f"--config-dir={sweeping.folder / 'mine'}" in command
    assert "name='${seed}'" in command


def test_hydras_own_folder_for_sweeps_is_refused(sweeping):
    done = sweeping.run("seed=1,2", "hydra.sweep.dir=elsewhere")
    assert done.returncode == 2 and "set sweep_dir for all" in done.stderr


def test_a_damaged_record_of_a_trial_is_named(tmp_path):
    (tmp_path / "trial.json").write_text("")
    with pytest.raises(ConfigError, match=r"trial\.json: is damaged .*; remove .* to run this trial again"):
        read_record(tmp_path)


def test_a_sweep_dir_that_is_given_is_used():
    assert str(planned("seed=1,2", "sweep_dir=somewhere/mine").where) == "somewhere/mine"


def test_the_folder_of_a_trial_follows_only_from_its_values():
    values = {"optimizer.lr": "0.00012345678901", "model/positions": "rotary"}
    assert subfolder(values).startswith("trials/positions_rotary-lr_0.0001235-")
    assert subfolder(values) == subfolder(dict(reversed(values.items())))
    assert subfolder(values) != subfolder(values | {"optimizer.lr": "0.00012345678902"})
    assert len(subfolder({f"key{i}": "a" * 50 for i in range(9)})) < 120
    assert "=" not in subfolder({"data.train": "a=b, 'c'/d"}).removeprefix("trials/")


def test_a_folder_is_not_shared_by_two_different_sweeps(tmp_path):
    with SweepDirectory(tmp_path).claimed(planned("seed=1,2", "max_steps=3").facts):
        pass
    with SweepDirectory(tmp_path).claimed(planned("seed=1,2,3", "max_steps=3").facts):
        pass  # a grid that grew
    for other in (
        planned("seed=1,2", "max_steps=4"),
        planned("seed=range(1, 3)", "clip=interval(0, 1)", "max_steps=3"),
    ):
        with pytest.raises(ConfigError, match="holds another sweep"), SweepDirectory(tmp_path).claimed(other.facts):
            pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, content, swept, changed",
    [
        ("sweep", "# @package _global_\nmodel: {dropout: VALUE}", ["sweep=file", "seed=1,2"], "model.dropout"),
        ("model/positions", "base: VALUE", ["model/positions=learned,file"], "model.positions.base"),
    ],
)
def test_trials_of_a_changed_config_are_not_mixed_with_others(sweeping, name, content, swept, changed):
    """The command line is the same; a file of conf says something else."""
    file = sweeping.folder / "mine" / name / "file.yaml"
    file.parent.mkdir(parents=True)
    for value, code in [(0.1, 0), (0.1, 0), (0.2, 2)]:
        file.write_text(content.replace("VALUE", str(value)))
        done = sweeping.run("--config-dir", "mine", *swept, "clip=1", "max_steps=1")
        assert done.returncode == code, done.stdout + done.stderr
    assert f"{changed}: 0.1 then, 0.2 now" in done.stderr


def test_the_config_of_each_swept_option_is_kept():
    kept = sweep_of("experiment=bert,roberta", "model/norm=layer,rms", "seed=1,2").composed()
    assert {choice: config["objective"]["_target_"].rpartition(".")[2] for choice, config in kept.items()} == {
        "experiment=bert model/norm=layer": "MaskedTokensAndPairs",
        "experiment=roberta model/norm=layer": "FullSentences",
        "experiment=bert model/norm=rms": "MaskedTokensAndPairs",
    }
    assert list(sweep_of("optimizer.lr=interval(0, 1)").composed()) == [""]


def test_the_same_command_on_other_files_is_another_sweep(tmp_path, monkeypatch):
    kept = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        kept.append(sweep_of("data=text_files", "data.source.train=a.txt", "seed=1,2").composed())
    assert kept[0][""]["data"]["source"]["train"] == f"{tmp_path}/one/a.txt"
    with SweepDirectory(tmp_path / "sweep").claimed(planned("seed=1,2").facts | {"config": kept[0]}):
        pass
    other = planned("seed=1,2").facts | {"config": kept[1]}
    with (
        pytest.raises(ConfigError, match=r"data\.source\.train: .*/one/a\.txt then, .*/two/a\.txt now"),
        SweepDirectory(tmp_path / "sweep").claimed(other),
    ):
        pass


def test_a_sweep_that_runs_already_is_not_run_a_second_time(tmp_path):
    facts = planned("seed=1,2").facts
    with (
        SweepDirectory(tmp_path).claimed(facts),
        pytest.raises(ConfigError, match="already runs this sweep"),
        SweepDirectory(tmp_path).claimed(facts),
    ):
        pass
    with SweepDirectory(tmp_path).claimed(facts):
        pass


def test_what_an_objective_monitors_is_read_without_torch(composed):
    from variformer.config import instantiate

    for experiment in ("gpt", "bert", "t5", "vit"):
        node = composed(f"experiment={experiment}")["objective"]
        objective = instantiate(node, "objective").func
        assert monitored(node) == (f"val/{objective.monitor}", objective.mode)
    wrapped = {"_target_": "variformer.objectives.image_distillation.HardDistillation", "task": node}
    assert monitored(wrapped) == ("val/top1", "max")
    chosen = wrapped | {"task": node | {"monitor": "loss"}}
    assert monitored(chosen) == ("val/loss", "min")
    with pytest.raises(LookupError, match="ImageClassification has no metric nothing"):
        monitored(node | {"monitor": "nothing"})
