"""Several trials at once: on one machine, each with devices of its own, and through submitit."""

import os
import signal
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from variformer.config import ConfigError, register_resolvers
from variformer.config.composing.hydra_errors import missing_extras
from variformer.sweeps.devices import cores, reserved
from variformer.sweeps.trial_job import gpus
from variformer.sweeps.trials import update_record

from .conftest import STAND_IN, starts, sweep_of, until

TIMES = ["max_steps=4", "eval_batch=5"]  # 2 s a trial


def spans(sweeping) -> list[tuple[float, float]]:
    folders = [trial.path for trial in sweeping.trials()]
    return [(starts(each)[0]["began"], float((each / "ended").read_text())) for each in folders]


def overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


@pytest.mark.slow
def test_local_parallel_runs_trials_at_once_each_on_its_own_gpu(sweeping):
    sweeping.run_well(
        "launch=local_parallel", "clip=1,2,3,4", *TIMES, CUDA_VISIBLE_DEVICES="0,1", TMPDIR=str(sweeping.folder)
    )
    trials = sweeping.trials()
    assert [trial.status for trial in trials] == ["done"] * 4
    gpus = [starts(trial.path)[0]["CUDA_VISIBLE_DEVICES"] for trial in trials]
    pairs = [(i, j) for i, j in combinations(range(4), 2) if overlap(spans(sweeping)[i], spans(sweeping)[j])]
    assert pairs
    assert all({gpus[i], gpus[j]} == {"0", "1"} for i, j in pairs)


@pytest.mark.slow
def test_ctrl_c_reaches_trials_once_and_the_command_continues(sweeping):
    """From a terminal, it goes to the launcher's workers too."""
    command = ["launch=local_parallel", "clip=1,2,3", "max_steps=30", "eval_batch=2"]
    process = sweeping.start(*command)
    for number in (0, 1):
        sweeping.wait_for(number)
    os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 130, out + errors
    assert [trial.status for trial in sweeping.trials()] == ["preempted", "preempted"]
    sweeping.run_well(*command)
    trials = sweeping.trials()
    assert [trial.status for trial in trials] == ["done"] * 3
    assert all(starts(trial.path)[1]["saved"] for trial in trials[:2])


@pytest.mark.slow
def test_ctrl_c_lets_a_trial_save_beside_an_idle_worker(sweeping):
    process = sweeping.start("launch=local_parallel", "name=good,lasts", "clip=1", "max_steps=5", "eval_batch=2")
    last = sweeping.wait_for(1)
    until(lambda: sweeping.trials()[0].status == "done")
    assert sweeping.trials()[1].status == "running"
    os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 130, out + errors
    assert [(trial.path, trial.status) for trial in sweeping.trials()][1] == (last, "preempted")


def test_a_pool_has_no_more_workers_than_jobs_and_grows_again():
    launcher = SimpleNamespace(joblib={"n_jobs": 3}, launch=lambda jobs, initial_job_idx: [])
    swept = sweep_of("seed=1,2", launcher=launcher)
    for jobs, workers in [(1, 1), (2, 2), (9, 3)]:
        swept.run_jobs([], [["seed=1"]] * jobs)
        assert launcher.joblib["n_jobs"] == workers


def test_nobody_waits_for_a_gpu_once_the_sweep_is_stopped(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answers = iter([None, None, signal.SIGTERM])
    with reserved(1, 1), reserved(1, 1, lambda: next(answers)) as variables:
        assert variables == {"CUDA_VISIBLE_DEVICES": ""}
    assert next(answers, "all asked") == "all asked"


def test_trials_without_a_gpu_share_the_cores(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with reserved(1, 2) as variables:
        assert variables == {"OMP_NUM_THREADS": str(max(1, cores() // 2))}
    with reserved(None, 2) as variables:
        assert variables == {}


def test_a_trial_does_not_get_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(ValueError, match="has 1 GPU"), reserved(2, 1):
        pass
    with pytest.raises(ValueError, match="devices=-1"), reserved(-1, 1):  # Lightning's word for all
        pass
    with reserved("auto", 1) as variables:
        assert variables == {"CUDA_VISIBLE_DEVICES": "3"}


@pytest.mark.parametrize("accelerator, expected", [("auto", 2), ("cpu", 0)])
def test_trials_on_the_cpu_take_no_gpus(accelerator, expected):
    config = OmegaConf.create({"trainer": {"accelerator": accelerator}})
    assert gpus(2, config) == expected
    assert gpus(None, config) is None


def test_submitit_runs_trials_as_jobs(sweeping):
    sweeping.run_well("launch=slurm_local", "clip=1,2", "max_steps=1")
    assert [(trial.status, trial.value) for trial in sweeping.trials()] == [("done", 1.0), ("done", 2.0)]


@pytest.mark.slow
def test_a_job_that_is_lost_costs_the_others_nothing_and_goes_on(sweeping):
    """As with a node that fails: submitit's launcher stops waiting at the first."""
    command = ["launch=slurm_local", "clip=1,2", "max_steps=30", "eval_batch=4"]
    process = sweeping.start(*command)
    lost, other = (sweeping.wait_for(number) for number in (0, 1))
    os.kill(parent_of(starts(lost)[0]["pid"]), signal.SIGKILL)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "the launcher gave up" in errors
    assert [trial.status for trial in sweeping.trials()] == ["preempted", "done"], out
    sweeping.run_well(*command)
    assert [len(starts(folder)) for folder in (lost, other)] == [2, 1]
    assert starts(lost)[1]["saved"] > 0


@pytest.mark.slow
def test_a_search_goes_on_beside_a_lost_job(sweeping):
    command = ["launch=slurm_local", "clip=interval(0, 1)", "max_steps=8", "eval_batch=3", "hydra.sweeper.n_trials=3"]
    process = sweeping.start(*command)
    lost = sweeping.wait_for(0)
    os.kill(parent_of(starts(lost)[0]["pid"]), signal.SIGKILL)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 1, out + errors
    assert sorted(trial.status for trial in sweeping.trials()) == ["done", "done", "preempted"]
    sweeping.run_well(*command)
    assert [trial.status for trial in sweeping.trials()] == ["done"] * 3


def parent_of(pid: int) -> int:
    """The process that watches a trial."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_slurm_is_asked_for_what_a_trial_trains_on():
    register_resolvers()
    with initialize_config_dir(str(STAND_IN.parents[2] / "conf"), version_base="1.3"):
        chosen = ["launch=slurm", "trainer.devices=4", "trainer.nodes=2", "hydra.sweep.dir=sweeps/here"]
        launcher = compose("train", chosen, return_hydra_config=True).hydra.launcher
    assert (launcher.nodes, launcher.tasks_per_node, launcher.gpus_per_node) == (2, 4, 4)
    assert launcher.max_num_timeout > 0


def test_a_missing_launcher_is_named_with_its_extra(monkeypatch):
    assert missing_extras(["launch=local_parallel", "launch=slurm", "seed=1,2"]) == []
    monkeypatch.setattr("variformer.config.composing.hydra_errors.find_spec", lambda name: None)
    (line,) = missing_extras(["launch=slurm_local", "seed=1,2"])
    assert "pip install 'variformer[slurm]'" in line


class NoQueue:
    """What submitit's launcher does on a machine without SLURM."""

    def launch(self, jobs, initial_job_idx):
        raise RuntimeError('Could not detect "srun",\nare you indeed on a slurm cluster?')


@pytest.mark.parametrize("swept", ["seed=1,2", "clip=interval(0, 1)"])
def test_a_sweep_that_cannot_launch_leaves_nothing(swept, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r'hydra\.launcher: no trial could be started: Could not detect "srun", are'):
        sweep_of(swept, launcher=NoQueue()).run()
    assert not list(tmp_path.iterdir())
    assert "trials" not in capsys.readouterr().out  # no table


def test_a_sweep_that_cannot_go_on_keeps_its_trials(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    swept = sweep_of("seed=1,2", launcher=NoQueue())
    done, new = (swept.directory.trial(point.overrides) for point in swept.plan.points())
    update_record(done, number=0, overrides={"seed": "1"}, status="failed", error="", monitor="val/loss")
    with pytest.raises(ConfigError, match="no trial could be started"):
        swept.run()
    assert (done / "trial.json").is_file() and not new.exists()


def test_jobs_that_wait_in_a_queue_keep_their_folders(tmp_path, monkeypatch, capsys):
    """Their launcher lost one of them before any began."""
    monkeypatch.chdir(tmp_path)
    swept = sweep_of("seed=1,2", launcher=NoQueue())
    monkeypatch.setattr(swept, "report", lambda space: None)
    waiting = swept.directory.path / ".submitit" / "7_1" / "7_1_submitted.pkl"
    monkeypatch.setattr(
        NoQueue, "launch", lambda *_, **__: [waiting.parent.mkdir(parents=True), waiting.touch(), 1 / 0]
    )
    with pytest.raises(SystemExit) as ended:
        swept.run()
    assert ended.value.code == 1 and "the launcher gave up" in capsys.readouterr().err
    assert waiting.is_file() and len(list(swept.directory.path.glob("trials/*/trial.json"))) == 2
