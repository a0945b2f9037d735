"""Mistakes in an experiment file are reported at once, and two runs never share a directory."""

import json
import multiprocessing
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISTAKES = {
    "modle.width": (64, "did you mean `model`?"),
    "optimzer.lr": (0.1, "did you mean `optimizer`?"),
    "golbal_batch": (8, "did you mean `global_batch`?"),
    "max_step": (5, "did you mean `max_steps`?"),
    "calbacks.best": (None, "did you mean `callbacks`?"),
    "trainer.devces": (1, "did you mean `devices`?"),
    "trainer.validate_evry": (1, "did you mean `validate_every`?"),
    "trainer.worker": (1, "did you mean `workers`?"),
    "model.heds": (4, "did you mean `heads`?"),
    "model.dropuot": (0.1, "did you mean `dropout`?"),
    "model.positions.bsae": (500, "did you mean `base`?"),
    "optimizer.weight_dcay": (0.1, "did you mean `weight_decay`?"),
    "schedule.warmpu": (10, "did you mean `warmup`?"),
    "callbacks.checkpoints.evry": (10, "did you mean `every`?"),
    "data.sorce": (None, "did you mean `source`?"),
    "tokenizer.vocab_sise": (300, "did you mean `vocab_size`?"),
    "model._target_": ("variformer.models.GTP", "did you mean `GPT`?"),
    "schedule._target_": ("variformer.training.shedules.Cosine", "did you mean `schedules`?"),
    "optimizer._target_": ("torch.optim.AdmaW", "did you mean `AdamW`?"),
    "precision": ("bf16_mixed", "did you mean `bf16-mixed`?"),
    "compile": ("defualt", "did you mean `default`?"),
    "seed": ("zero", "'zero' is not a whole number"),
    "max_steps": ("ten", "'ten' is not a whole number"),
    "model.dropout": (1.5, "1.5 is not a number from 0 to below 1"),
    "model.heads": (7, "not divisible by model.heads=7"),
    "model.max_length": (16, "exceeds model.max_length=16"),
    "micro_batch": (7, "global_batch: 32 is not divisible by 7"),
    "max_epochs": (2, "both are given; give exactly one"),
    "schedule.warmup": (100_000, "exceeds max_steps"),
    "tokenizer.vocab_size": (999_999, "exceeds model.vocab_size"),
}

ANSWER = """
import copy, json, sys, time
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from variformer.config import ConfigError, compose as checked, register_resolvers
register_resolvers()
mistakes = json.load(sys.stdin)
with initialize_config_dir(sys.argv[1], version_base="1.3"):
    good = compose("train", ["experiment=gpt", "global_batch=32"])
    checked(good)
    composing = time.process_time()  # of the processor, which others may use too
    OmegaConf.set_struct(good, False)
    for key, (value, _) in mistakes.items():
        began = time.process_time()
        config = copy.deepcopy(good)
        OmegaConf.update(config, key, value, force_add=True)  # as an experiment file does
        try:
            checked(config)
            answer = "accepted"
        except ConfigError as error:
            answer = str(error)
        seconds = composing + time.process_time() - began
        opened = [name for name in ("torch", "variformer.data", "datasets") if name in sys.modules]
        print(json.dumps([key, answer, seconds, opened]))
"""


@pytest.fixture(scope="module")
def answers():
    done = subprocess.run(
        [sys.executable, "-c", ANSWER, str(ROOT / "conf")],
        input=json.dumps(MISTAKES),
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {key: rest for key, *rest in lines}


def test_there_are_thirty_mistakes(answers):
    assert len(answers) == len(MISTAKES) == 30


@pytest.mark.parametrize("key", MISTAKES)
def test_a_mistake_in_an_experiment_is_refused_with_its_cure(answers, key):
    answer, seconds, opened = answers[key]
    assert MISTAKES[key][1] in answer
    assert key.partition(".")[0] in answer
    assert seconds < 3
    assert opened == []


def together(count: int, start) -> list[int]:
    """Exit codes of so many processes that all start at once, forked because imports would take longest."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(count)

    def one() -> None:
        barrier.wait()
        start()

    processes = [context.Process(target=one) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(250)
    return [process.exitcode for process in processes]


def test_twenty_runs_started_at_once_get_twenty_directories(tmp_path):
    from hydra import compose, initialize_config_dir

    from variformer.config import register_resolvers

    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train")

    def start() -> None:
        folder = tmp_path / Path(config.run_dir).name
        folder.mkdir()  # fails where there is one
        (folder / "started").write_text(repr(time.time()))

    assert together(20, start) == [0] * 20
    started = [float(path.read_text()) for path in tmp_path.glob("*/started")]
    assert len(started) == 20 and len({int(second) for second in started}) < 10  # the clock alone would not do


@pytest.mark.slow
def test_twenty_commands_at_once_leave_twenty_runs(tmp_path, monkeypatch):
    import variformer.runs.train as command

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "draw_curves", lambda rows, path: path)
    small = ["tokenizer=bytes", "model.vocab_size=300", "length=32", "samples=none", "model.width=32", "model.heads=2"]
    arguments = ["train.py", "experiment=gpt", "debug=fast", *small, "max_steps=1", "trainer.progress=false"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert together(20, lambda: runpy.run_path(str(ROOT / "train.py"), run_name="__main__")) == [0] * 20
    runs = list((tmp_path / "runs" / "gpt").iterdir())
    assert len(runs) == 20
    for run in runs:
        assert json.loads((run / "status.json").read_text())["status"] == "done"
        assert len(json.loads((run / "run.json").read_text())["sessions"]) == 1
