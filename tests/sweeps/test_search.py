"""A search: Optuna's proposals within the space, its study in the sweep's folder, and trials stopped by its pruner."""

import json
import signal

import optuna
import pytest

from variformer.run_directory.directory import RunDirectory, write_json
from variformer.runs.train import train
from variformer.searching import Pruned, optuna_object
from variformer.sweeps.trials import FINISHED, read_trial, update_record

from .conftest import ended_by, starts, until

GRAMMAR = ["clip=tag(log, interval(0.001, 1))", "seed=range(0, 9, 4)", "model/positions=choice(learned, rotary)"]


def study_of(sweeping) -> optuna.Study:
    return optuna.load_study(study_name=None, storage=f"sqlite:///{sweeping.path / 'study.db'}")


def test_a_search_proposes_from_its_space_and_keeps_its_study(sweeping):
    sweeping.run_well(*GRAMMAR, "max_steps=1", "hydra.sweeper.n_trials=3", "hydra/sweeper/sampler=random")
    sweeping.run_well(*GRAMMAR, "max_steps=1", "hydra.sweeper.n_trials=4", "hydra/sweeper/sampler=random")
    trials, study = sweeping.trials(), study_of(sweeping)
    assert len(trials) == len(study.trials) == 4
    for trial, kept in zip(trials, study.trials, strict=True):
        assert 0.001 <= float(trial.overrides["clip"]) <= 1
        assert trial.overrides["seed"] in ("0", "4", "8")
        assert trial.overrides["model/positions"] in ("learned", "rotary")
        assert (kept.state, kept.value) == (optuna.trial.TrialState.COMPLETE, float(trial.overrides["clip"]))
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert study.best_value == min(trial.value for trial in trials)


def test_what_is_better_follows_from_the_objective(sweeping):
    objective = "objective._target_=variformer.objectives.image_classification.ImageClassification"
    sweeping.run_well(objective, "seed=range(0, 2)", "clip=interval(0, 1)", "max_steps=1", *n_trials(2))
    assert study_of(sweeping).direction == optuna.study.StudyDirection.MAXIMIZE
    best = json.loads((sweeping.path / "best.json").read_text())
    assert (best["monitor"], best["value"]) == ("val/top1", max(trial.value for trial in sweeping.trials()))


@pytest.mark.slow
def test_failed_trials_of_a_search_are_tried_again_if_asked(sweeping):
    """And a point that the sampler proposes again is not run again."""
    command = ["name=choice(raises, recovers)", "seed=interval(0, 2)", "clip=1", "max_steps=2", *n_trials(3)]
    command.append("hydra/sweeper/sampler=random")
    assert sweeping.run(*command).returncode == 1
    before = {trial.path: len(starts(trial.path)) for trial in sweeping.trials()}
    assert set(before.values()) == {1}
    assert [trial.state.name for trial in study_of(sweeping).trials] == ["FAIL"] * 3
    assert sweeping.run(*command, "hydra.sweeper.retry_failed=true").returncode in (0, 1)
    assert {trial.path: len(starts(trial.path)) for trial in sweeping.trials()} == dict.fromkeys(before, 2)
    assert {trial.overrides["name"]: trial.status for trial in sweeping.trials()}.items() <= {
        ("raises", "failed"),
        ("recovers", "done"),
    }


@pytest.mark.slow
def test_a_retry_that_was_stopped_is_not_tried_a_second_time(sweeping):
    command = ["name=recovers", "clip=interval(0, 1)", "max_steps=12", "eval_batch=2", *n_trials(2)]
    assert sweeping.run(*command).returncode == 1
    assert [trial.status for trial in sweeping.trials()] == ["failed"] * 2
    process = sweeping.start(*command, "hydra.sweeper.retry_failed=true")
    until(lambda: any(trial.status == "running" for trial in sweeping.trials()))
    ended_by(process, signal.SIGTERM)
    assert "preempted" in [trial.status for trial in sweeping.trials()]
    sweeping.run_well(*command, "hydra.sweeper.retry_failed=true")
    assert [trial.status for trial in sweeping.trials()] == ["done"] * 2
    assert len(study_of(sweeping).trials) == 4


def test_the_trials_of_one_seed_are_not_those_of_the_next():
    space = {"lr": optuna.distributions.FloatDistribution(0, 1)}
    drawn = {}
    for seed in 0, 1, 2:
        study = optuna.create_study()
        for number in range(4):
            study.sampler = optuna_object(
                {"_target_": "optuna.samplers.RandomSampler", "seed": seed}, "sampler", number
            )
            drawn[seed, number] = study.ask(space).params["lr"]
    assert len(set(drawn.values())) == 12


@pytest.mark.slow
def test_a_trial_that_somebody_else_stops_is_not_replaced(sweeping):
    """As scancel does with one job of many. It goes on with the sweep."""
    command = ["name=cancelled", "clip=interval(0, 1)", "max_steps=2", *n_trials(2)]
    assert sweeping.run(*command).returncode == 1
    before = sweeping.trials()
    assert [trial.status for trial in before] == ["preempted"] * 2
    sweeping.run_well(*command)
    assert [(trial.status, trial.overrides) for trial in sweeping.trials()] == [
        ("done", trial.overrides) for trial in before
    ]
    assert [each["saved"] for trial in before for each in starts(trial.path)] == [0, 1, 0, 1]


def n_trials(count: int) -> list[str]:
    return [f"hydra.sweeper.n_trials={count}"]


@pytest.fixture
def search(tmp_path) -> dict:
    """Of a trial that runs beside three which were perfect at each step."""
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(storage=storage, study_name="study", direction="maximize")
    for _ in range(3):
        good = study.ask()
        for step in (2, 4):
            good.report(1.1, step)
        study.tell(good, 1.1)
    pruner = {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 3}
    return {"storage": storage, "study": "study", "trial": study.ask()._trial_id, "pruner": pruner}


def test_a_trial_worse_than_others_is_stopped_with_a_checkpoint(composed, search, monkeypatch):
    config = composed("experiment=vit", "debug=fast")
    run = RunDirectory(config["run_dir"])
    update_record(run.path, number=3, overrides={}, status="pruned", monitor="val/top1", search=search)
    monkeypatch.setenv("VARIFORMER_TRIAL", str(run.path / "trial.json"))
    with pytest.raises(Pruned) as stop:
        train(config)
    assert stop.value.code == 0
    assert json.loads(run.status_file.read_text())["status"] == "pruned"
    assert run.checkpoint("last").resolve().name == "step-00000002.ckpt"
    assert not run.metrics.exists()
    trial = read_trial(run.path)
    assert (list(trial.curve), trial.steps, trial.value) == ([2], 2, trial.curve[2])
    (kept,) = [
        each for each in optuna.load_study(study_name="study", storage=search["storage"]).trials if each.number == 3
    ]
    assert kept.intermediate_values == trial.curve


def test_a_trial_without_a_pruner_runs_to_its_end(composed, search, monkeypatch):
    config = composed("experiment=vit", "debug=fast")
    run = RunDirectory(config["run_dir"])
    write_json(run.path / "trial.json", {"search": search | {"pruner": {"_target_": "optuna.pruners.NopPruner"}}})
    monkeypatch.setenv("VARIFORMER_TRIAL", str(run.path / "trial.json"))
    train(config)
    assert json.loads(run.status_file.read_text())["status"] in FINISHED
    assert json.loads(run.metrics.read_text())["step"] == 4


@pytest.mark.parametrize(
    "node, kind, message",
    [
        ({"_target_": "optuna.samplers.TPESampelr"}, "sampler", "TPESampler"),
        ({"_target_": "os.system"}, "sampler", "optuna.samplers"),
        ({"_target_": "optuna.samplers.TPESampler"}, "pruner", "MedianPruner"),
        ({"_target_": "optuna.pruners.MedianPruner", "patience": 3}, "pruner", "patience"),
    ],
)
def test_only_optunas_samplers_and_pruners_are_built(node, kind, message):
    with pytest.raises(ValueError, match=message):
        optuna_object(node, kind)
