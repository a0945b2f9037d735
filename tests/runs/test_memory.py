"""Runs that need more memory than there is: the message, and the search for a micro batch that fits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy

from variformer.analysis.machine_memory import OutOfMemory
from variformer.config import ConfigError, saved_config
from variformer.objectives.next_token import NextToken
from variformer.runs.train import train
from variformer.training.callbacks import AutoMicroBatch
from variformer.training.loggers import read_curves
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

SMALL = ["experiment=gpt", "debug=fast", "tokenizer=bytes", "model.vocab_size=300", "length=32", "callbacks.bar=null"]
SMALL += ["model.width=32", "model.heads=2", "model.hidden=64"]
DROPOUT = ["model.dropout=0.1"]
SHARE = ["global_batch=8", "micro_batch=null", "samples=none"]


@pytest.fixture
def limit(monkeypatch):
    """Let forward passes of more real samples than a number run out of memory; collects the sizes that were tried."""
    forward, tried = NextToken.forward, []

    def limited(samples: int, evaluation: bool = False) -> list[int]:
        def guarded(self, model, batch):
            real = type(batch["tokens"]) is torch.Tensor and batch["tokens"].device.type != "meta"
            if real and (evaluation or model.training):
                tried.append(len(batch["tokens"]))
                if len(batch["tokens"]) > samples and model.training is not evaluation:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return forward(self, model, batch)

        monkeypatch.setattr(NextToken, "forward", guarded)
        return tried

    return limited


@pytest.fixture
def unmeasured(monkeypatch):
    """Trials alone decide, without the estimate that takes most of a search's time."""
    monkeypatch.setattr("variformer.training.memory.rehearsal.free_memory", lambda device: None)


def weights(config: dict) -> dict:
    return WholeCheckpointIO().load_checkpoint(Path(config["run_dir"]) / "checkpoints" / "last.ckpt")["state_dict"]


def same(a: dict, b: dict) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def curves(config: dict) -> list:
    rows = read_curves(Path(config["run_dir"]) / "metrics.csv")
    return [row for row in rows if not row[1].startswith("speed/")]


def test_the_largest_micro_batch_trains_as_if_set_by_hand(composed, limit, unmeasured):
    by_hand, wrong = (composed(*SMALL, *DROPOUT, *SHARE, f"micro_batch={size}") for size in (2, 4))
    for config in (by_hand, wrong):
        train(config)
    found = composed(*SMALL, *DROPOUT, *SHARE, "trainer.auto_micro_batch=true")
    tried = limit(3)
    train(found)
    assert set(tried[:2]) <= {1, 2, 4, 8} and max(tried) > 3
    assert same(weights(found), weights(by_hand))
    assert curves(found) == curves(by_hand)
    assert not same(weights(found), weights(wrong))  # the control: dropout tells micro batches apart


@pytest.mark.slow
def test_the_micro_batch_that_was_found_is_kept_on_resume(composed, limit, monkeypatch, unmeasured):
    config = composed(*SMALL, *SHARE, "trainer.auto_micro_batch=true")
    limit(3)
    train(config)
    saved = saved_config(Path(config["run_dir"]))
    assert saved.micro_batch == 2 and saved.trainer.auto_micro_batch is False
    assert json.loads((Path(config["run_dir"]) / "run.json").read_text())["micro_batch"] == 2

    def searched(*_):
        raise AssertionError("searched again")

    monkeypatch.setattr(AutoMicroBatch, "setup", searched)
    from omegaconf import OmegaConf

    train(OmegaConf.to_container(saved) | {"resume": True, "max_steps": 6})
    assert max(step for step, *_ in curves(config)) == 6


@pytest.mark.slow
def test_a_micro_batch_that_is_found_on_resume_is_kept_too(composed, limit, unmeasured):
    config = composed(*SMALL, *SHARE)
    train(config)
    limit(3)
    longer = config | {"trainer": config["trainer"] | {"auto_micro_batch": True}}
    train(longer | {"resume": True, "max_steps": 6})
    run = Path(config["run_dir"])
    sessions = json.loads((run / "run.json").read_text())["sessions"]
    changed = {f"max_steps: {config['max_steps']} then, 6 now", "micro_batch: None then, 2 now"}
    assert changed <= set(sessions[-1]["changed"])
    for kept in (saved_config(run), json.loads((run / "run.json").read_text())["config"]):
        assert (kept["micro_batch"], kept["trainer"]["auto_micro_batch"]) == (2, False)


@pytest.mark.slow
def test_the_whole_share_is_taken_where_it_fits(composed):
    config = composed(*SMALL, *SHARE, "trainer.auto_micro_batch=true")
    train(config)
    assert saved_config(Path(config["run_dir"])).micro_batch == 8


def test_all_devices_take_the_smallest_answer(composed, monkeypatch, unmeasured):
    """As if another process had answered 1."""
    monkeypatch.setattr(SingleDeviceStrategy, "reduce", lambda self, tensor, *_, reduce_op: tensor.clamp(max=1))
    config = composed(*SMALL, *SHARE, "trainer.auto_micro_batch=true")
    train(config)
    assert saved_config(Path(config["run_dir"])).micro_batch == 1


@pytest.mark.slow
def test_where_no_sample_fits_the_run_says_what_else_to_change(composed, limit, unmeasured):
    config = composed(*SMALL, *SHARE, "trainer.auto_micro_batch=true")
    limit(0)
    with pytest.raises(OutOfMemory, match="out of memory on cpu with micro_batch=1, "):
        train(config)


def test_devices_that_share_a_model_cannot_search(composed):
    with pytest.raises(ConfigError, match=r"trainer\.auto_micro_batch: .*set micro_batch"):
        composed(*SMALL, "trainer=fsdp", "trainer.devices=2", "trainer.auto_micro_batch=true")


def test_out_of_memory_names_the_largest_savings(composed, limit):
    sizes = ["model.hidden=128", "global_batch=32", "length=64"]
    config = composed(*SMALL, *SHARE, *sizes)
    limit(3)
    with pytest.raises(OutOfMemory) as caught:
        train(config)
    head, _, *lines = str(caught.value).splitlines()
    assert "out of memory on cpu with micro_batch=32, where a training step takes about" in head
    savings = {line.split()[0]: line for line in lines}
    assert "trainer=fsdp" not in savings  # there is no second device
    for setting, present in {
        "micro_batch=16": "instead of 32",
        "checkpointing=true": "instead of false",
        "precision=bf16-mixed": "instead of 32-true",
        "length=32": "instead of 64",
    }.items():
        assert present in savings[setting] and "about" in savings[setting]
    figures = [line.rpartition("about ")[2] for line in lines if "instead" in line]
    assert figures == sorted(figures, key=in_bytes)
    status = json.loads((Path(config["run_dir"]) / "status.json").read_text())
    assert status["status"] == "failed" and "micro_batch=16" in status["error"]


def in_bytes(figure: str) -> float:
    number, unit = figure.split()
    return float(number) * 1024 ** ["B", "KiB", "MiB", "GiB"].index(unit)


def test_savings_have_no_figures_where_no_step_can_be_estimated(composed, limit, monkeypatch):
    def fails(*_, **__):
        monkeypatch.setattr("torch.cuda.device_count", lambda: 2)  # now, for until here nobody may look for them
        raise NotImplementedError("no stand-in")

    monkeypatch.setattr("variformer.runs.memory.training_memory", fails)
    limit(3)
    with pytest.raises(OutOfMemory) as caught:
        train(composed(*SMALL, *SHARE))
    settings = [line.split()[0] for line in str(caught.value).splitlines() if "instead" in line]
    assert settings == ["micro_batch=4", "checkpointing=true", "precision=bf16-mixed", "length=16", "trainer=fsdp"]


def test_out_of_memory_while_evaluating_names_its_batch(composed, limit):
    limit(3, evaluation=True)
    with pytest.raises(OutOfMemory, match="while evaluating eval_batch=4: set eval_batch=2"):
        train(composed(*SMALL, *SHARE, "micro_batch=2", "eval_batch=4"))


def test_other_errors_stay_what_they_are(composed, monkeypatch):
    def fails(*_):
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(NextToken, "forward", fails)
    with pytest.raises(RuntimeError, match="shapes") as caught:
        train(composed(*SMALL, "samples=none"))
    assert not isinstance(caught.value, OutOfMemory)


LIMITED = """
import resource, sys
from pathlib import Path
from hydra import compose, initialize_config_dir
import variformer.config
from variformer.runs.train import train
variformer.config.register_resolvers()
with initialize_config_dir({conf!r}, version_base="1.3"):
    config = variformer.config.compose(compose("train", overrides=sys.argv[1:]))
train(config | {{"run_dir": config["run_dir"] + "-before", "global_batch": 1}})  # loads what is loaded late
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + {room}, size + {room}))
train(config)
"""


def run_limited(folder: Path, room: int, *overrides: str) -> subprocess.CompletedProcess:
    program = LIMITED.format(conf=str(Path(__file__).parents[2] / "conf"), room=room)
    sizes = ["model.width=128", "model.heads=4", "model.hidden=768", "length=128"]
    sizes += ["global_batch=256", "micro_batch=null", "eval_batch=4", "samples=none"]
    return subprocess.run(
        [sys.executable, "-c", program, *SMALL, *sizes, *overrides, "max_steps=1", f"run_dir={folder}"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.mark.slow
def test_a_real_limit_on_memory_is_kept_within_and_explained(tmp_path):
    """512 MiB more than the imports take: a step of all 256 samples takes over a GiB."""
    done = run_limited(tmp_path / "found", 2**29, "trainer.auto_micro_batch=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 1 < saved_config(tmp_path / "found").micro_batch < 256
    done = run_limited(tmp_path / "fails", 2**29)
    assert done.returncode == 1
    assert "out of memory on cpu with micro_batch=256" in done.stderr
    assert "micro_batch=128" in done.stderr and "checkpointing=true" in done.stderr
    assert json.loads((tmp_path / "fails" / "status.json").read_text())["status"] == "failed"
