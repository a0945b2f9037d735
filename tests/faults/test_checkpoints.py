"""Checkpoints that are damaged, cut short, foreign or refused by the disk: noticed always, and never the only ones."""

import errno
import io
import itertools
import json
import logging
import multiprocessing
import os
import platform
import random
import shutil
import signal
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from variformer.run_directory import checkpoint_files
from variformer.run_directory.checkpoint_files import checksum_of, problem_of, temporary_of
from variformer.run_directory.directory import RunDirectory
from variformer.run_directory.newest import newest
from variformer.runs.train import train
from variformer.training.callbacks import BestCheckpoint, Checkpoints
from variformer.training.resuming import checkpoint_io
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

QUICK = [
    *("experiment=gpt", "debug=fast", "tokenizer=bytes", "model.vocab_size=300", "length=32", "samples=none"),
    *("model.width=32", "model.heads=2", "model.hidden=64", "model.dropout=0.1"),
    *("max_steps=6", "trainer.progress=false"),
]
PLAIN = [*QUICK, "trainer.validate_every=null", "callbacks.best=null"]  # no saves but those of `trainer.save_every`
HTML = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body></body></html>" * 100


pytestmark = pytest.mark.usefixtures("no_picture_of_the_curves")


@pytest.fixture(scope="module")
def trained(composed):
    """Of a run of 6 steps, the checkpoints at 4 and 6."""
    config = composed(*QUICK)
    train(config)
    return config


@pytest.fixture
def run(trained, tmp_path):
    return RunDirectory(shutil.copytree(trained["run_dir"], tmp_path / "run", symlinks=True))


def step(run: RunDirectory, number: int) -> Path:
    return run.checkpoints / f"step-{number:08d}.ckpt"


def weights(run_dir: str | Path) -> dict:
    return WholeCheckpointIO().load_checkpoint(RunDirectory(run_dir).checkpoint("last"))["state_dict"]


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def status(run_dir: str | Path) -> dict:
    return json.loads(RunDirectory(run_dir).status_file.read_text())


def test_the_newest_is_taken_where_all_are_whole(run):
    assert newest(run) == step(run, 6)
    assert newest(RunDirectory(run.path / "empty")) is None


def damages(content: bytes, random: random.Random):
    """(what it is, bytes that are not those written)."""
    for place in (random.randrange(8 * len(content)) for _ in range(300)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        yield f"bit {place}", bytes(flipped)
    for length in [0, 1, len(content) - 1, *(random.randrange(len(content)) for _ in range(47))]:
        yield f"first {length} bytes", content[:length]
    yield "an html page", HTML
    yield "a foreign file", Path(torch.__file__).read_bytes()
    yield "zeros", bytes(len(content))
    yield "longer", content + b"\0"


def test_flipped_bits_truncation_and_foreign_files_are_noticed(run):
    """300 flips and 54 others of the newest: each time the previous one is taken, and the damaged one is not loaded."""
    content, sums = step(run, 6).read_bytes(), checksum_of(step(run, 6)).read_text()
    noticed = 0
    for what, damaged in damages(content, random.Random(0)):
        step(run, 6).write_bytes(damaged)
        checksum_of(step(run, 6)).write_text(sums)
        with pytest.raises(ValueError, match=r"step-00000006\.ckpt is refused"):
            WholeCheckpointIO().load_checkpoint(step(run, 6))
        assert newest(run) == step(run, 4), what
        noticed += 1
    assert noticed == 354
    step(run, 6).write_bytes(content)
    checksum_of(step(run, 6)).write_text(sums)
    assert newest(run) == step(run, 6)


def zipped() -> bytes:
    """A whole archive, of other things."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("notes.txt", "no checkpoint")
    return content.getvalue()


@pytest.mark.parametrize("foreign", [HTML, b"PK\x03\x04" + bytes(100), zipped()], ids=["html", "begins as zip", "zip"])
def test_a_foreign_file_with_a_sum_of_its_own_is_noticed(run, foreign):
    step(run, 6).write_bytes(foreign)
    checksum_of(step(run, 6)).write_text(checkpoint_files.sha256(foreign).hexdigest())
    assert problem_of(step(run, 6)) == "it is no checkpoint, whatever its SHA-256"
    assert newest(run) == step(run, 4)


def test_a_broken_checkpoint_is_set_aside_and_changes_no_result(trained, run, caplog):
    step(run, 6).write_bytes(step(run, 6).read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        train(trained | {"run_dir": str(run.path), "resume": True})
    assert f"{step(run, 6)} is broken: it is not what was written" in caplog.text
    assert "goes on from step-00000004.ckpt" in caplog.text
    assert same(weights(run.path), weights(trained["run_dir"]))
    assert {path.name for path in run.checkpoints.glob("step-*.ckpt*")} == {
        *("step-00000004.ckpt", "step-00000004.ckpt.sha256", "step-00000006.ckpt", "step-00000006.ckpt.sha256"),
        *("step-00000006.ckpt.broken", "step-00000006.ckpt.broken.sha256"),
    }


def test_a_checkpoint_without_its_sum_is_not_whole(run, caplog):
    checksum_of(step(run, 6)).unlink()
    assert newest(run) == step(run, 4)
    assert "step-00000006.ckpt.sha256 is missing" in caplog.text


@pytest.mark.parametrize("damage", ["truncated", "empty", "gone"])
def test_with_only_broken_checkpoints_a_run_does_not_start_over(trained, run, damage):
    for file in run.checkpoints.glob("step-*.ckpt"):
        if damage == "gone":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-9] if damage == "truncated" else b"")
    before = run.curves.read_bytes()
    for _ in range(2):  # it is not forgotten either
        with pytest.raises(ValueError, match="has checkpoints, and all of them are broken") as refused:
            train(trained | {"run_dir": str(run.path), "resume": True})
    expected = ["last.ckpt"] if damage == "gone" else ["step-00000006.ckpt", "step-00000004.ckpt"]
    named = [line.strip().partition(":")[0] for line in str(refused.value).splitlines()[1:-1]]
    assert named == expected
    assert "Copy good ones back" in str(refused.value)
    assert status(run.path)["status"] == "failed"
    assert run.curves.read_bytes() == before


def test_only_the_leftovers_of_killed_saves_are_removed(run):
    gone = multiprocessing.get_context("fork").Process(target=lambda: None)
    gone.start()
    gone.join()
    here, elsewhere = platform.node(), "another.machine"
    stale = [f".step-00000008.ckpt.{gone.pid}@{here}.tmp", f".step-00000008.ckpt.sha256.{gone.pid}@{here}.tmp"]
    stale += [temporary_of(step(run, 8)).name, f".last.ckpt.{gone.pid}.tmp", f".best.ckpt.1@{elsewhere}.tmp"]
    kept = [f".step-00000008.ckpt.{os.getppid()}@{here}.tmp", f".step-00000008.ckpt.{gone.pid}@{elsewhere}.tmp"]
    for name in [*stale, *kept]:
        (run.checkpoints / name).touch()
    yesterday = time.time() - 24 * 3600
    os.utime(run.checkpoints / stale[-1], (yesterday, yesterday))
    os.utime(run.checkpoints / kept[0], (yesterday, yesterday))
    newest(RunDirectory(run.path, leads=False))  # the other processes of a run remove nothing
    assert len(list(run.checkpoints.glob(".*.tmp"))) == 7
    newest(run)
    assert {path.name for path in run.checkpoints.glob(".*.tmp")} == set(kept)


def fill_the_disk(patch: pytest.MonkeyPatch, during: set[int]) -> None:
    """The saves of these numbers go to a device that has no space left."""
    original, calls = checkpoint_files.write, itertools.count(1)

    def full(path: Path) -> Path:
        temporary_of(path).symlink_to("/dev/full")
        return temporary_of(path)

    def write(*arguments):
        with patch.context() as now:
            if next(calls) in during:
                now.setattr(checkpoint_files, "temporary_of", full)
            original(*arguments)

    patch.setattr(checkpoint_io, "write", write)


def test_a_full_disk_costs_one_checkpoint_and_not_the_run(composed, monkeypatch, caplog):
    config = composed(*PLAIN)
    fill_the_disk(monkeypatch, {2})
    with caplog.at_level(logging.WARNING):
        train(config)
    (message,) = [record.getMessage() for record in caplog.records if "was not saved" in record.getMessage()]
    assert "step-00000004.ckpt was not saved: No space left on device. It needs " in message and "MB free" in message
    assert "The run goes on" in message
    folder = RunDirectory(config["run_dir"]).checkpoints
    assert sorted(path.name for path in folder.glob("step-*.ckpt")) == ["step-00000002.ckpt", "step-00000006.ckpt"]
    assert (folder / "last.ckpt").resolve().name == "step-00000006.ckpt"
    assert not list(folder.glob(".*"))
    assert status(config["run_dir"])["status"] == "done"


def test_a_best_checkpoint_that_was_not_saved_does_not_count(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("variformer.training.resuming.checkpoints.require_finite", lambda trainer, tensors: None)
    files = WholeCheckpointIO()
    strategy = SimpleNamespace(checkpoint_io=files, broadcast=lambda decided: decided)
    saves: list[Path] = []
    trainer = SimpleNamespace(default_root_dir=tmp_path, strategy=strategy)
    trainer.save_checkpoint = lambda path, weights_only: saves.append(path)
    callback, objective = BestCheckpoint(), SimpleNamespace(monitor="loss", mode="min")
    for value, failed, best in [(3.0, False, 3.0), (1.0, True, 3.0), (2.0, False, 2.0), (2.5, False, 2.0)]:
        files.failures = ["no space"] * failed
        callback.on_validation_end(trainer, SimpleNamespace(objective=objective, results={"val": {"loss": value}}))
        assert callback.state_dict()["value"] == best
    assert len(saves) == 3


def test_a_full_disk_stops_neither_samples_nor_dashboards(composed, monkeypatch, caplog, capfd):
    config = composed(*QUICK, "samples=continuations", "logger=tensorboard")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("variformer.training.watching.samples.write_text", full)
    monkeypatch.setattr("tensorboard.summary.writer.event_file_writer.EventFileWriter.add_event", full)
    with caplog.at_level(logging.WARNING):
        train(config)
    assert status(config["run_dir"])["status"] == "done"
    assert "no samples of step 6: [Errno 28] No space left on device" in caplog.text
    assert capfd.readouterr().out.count("TensorBoard gets nothing more of this run, which goes on") == 1


@pytest.mark.parametrize("during", [{3, 4, 5}, {6}], ids=["three in a row", "the last"])
def test_failed_saves_leave_the_previous_checkpoint_intact(trained, composed, monkeypatch, during):
    """And once there is space, the run goes on and ends as one that always had some."""
    config = composed(*PLAIN, "trainer.save_every=1")
    with monkeypatch.context() as patch:
        fill_the_disk(patch, during)
        with pytest.raises(OSError, match="was not saved: No space left on device"):
            train(config)
    run = RunDirectory(config["run_dir"])
    assert status(run.path)["status"] == "failed" and "No space left" in status(run.path)["error"]
    assert newest(run) == step(run, min(during) - 1) == (run.checkpoints / "last.ckpt").resolve()
    train(config | {"resume": True})
    assert same(weights(run.path), weights(trained["run_dir"]))


def save_for_ever(run_dir: Path) -> None:
    """What a run's checkpoints go through, without the training between them."""
    files, run = WholeCheckpointIO(), RunDirectory(run_dir)
    last = newest(run)
    trainer = SimpleNamespace(default_root_dir=run_dir, is_global_zero=True, strategy=files, lightning_module=None)
    trainer.save_checkpoint = lambda path, weights_only: files.save_checkpoint(
        {"step": trainer.global_step, "weights": torch.full((500_000,), trainer.global_step)}, path
    )
    callback = Checkpoints(every=1, keep=2)
    for trainer.global_step in itertools.count(1 if last is None else int(last.stem[5:]) + 1):
        callback.save(trainer)
        trainer.save_checkpoint(run.checkpoints / "best.ckpt", weights_only=True)


@pytest.mark.slow
def test_kills_while_saving_leave_only_loadable_checkpoints(tmp_path, monkeypatch):
    """60 of them, with the folder for temporary files on another filesystem."""
    monkeypatch.setenv("TMPDIR", "/dev/shm")
    monkeypatch.setattr("variformer.training.resuming.checkpoints.require_finite", lambda trainer, tensors: None)
    run, chance = RunDirectory(tmp_path), random.Random(0)
    reached, interrupted = 0, 0
    for _ in range(60):
        saver = multiprocessing.get_context("fork").Process(target=save_for_ever, args=(tmp_path,))
        saver.start()
        time.sleep(chance.uniform(0.05, 0.25))
        os.kill(saver.pid, signal.SIGKILL)
        saver.join()
        interrupted += any(run.checkpoints.glob(".*.tmp"))
        for name in ("last.ckpt", "best.ckpt"):
            if (run.checkpoints / name).exists():
                WholeCheckpointIO().load_checkpoint(run.checkpoints / name)
        found = newest(run)
        if found is not None:
            saved = WholeCheckpointIO().load_checkpoint(found)
            assert (saved["weights"] == saved["step"]).all() and saved["step"] >= reached
            reached = saved["step"]
        assert not list(run.checkpoints.glob("*.broken"))
    assert reached >= 20 and interrupted >= 20
