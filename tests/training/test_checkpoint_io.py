import errno
import hashlib
import logging
import os
import resource
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from variformer.run_directory.checkpoint_files import checksum_of
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO, require_saved

WEIGHTS = torch.arange(1000.0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "checkpoints" / "step-00000001.ckpt"
    WholeCheckpointIO().save_checkpoint({"weights": WEIGHTS, "step": 1}, path)
    return path


@contextmanager
def largest_file(size: int):
    """What the kernel does to writes beyond a quota, for every file of this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def test_what_was_saved_is_loaded_and_nothing_else_is_left(file):
    loaded = WholeCheckpointIO().load_checkpoint(file)
    assert torch.equal(loaded["weights"], WEIGHTS)
    assert sorted(p.name for p in file.parent.iterdir()) == [file.name, file.name + ".sha256"]


def test_the_sum_is_that_of_the_file(file):
    assert checksum_of(file).read_text() == hashlib.sha256(file.read_bytes()).hexdigest() + "\n"
    WholeCheckpointIO().save_checkpoint({"weights": torch.zeros(3)}, file)
    assert checksum_of(file).read_text() == hashlib.sha256(file.read_bytes()).hexdigest() + "\n"


@pytest.mark.parametrize("place", range(0, 4000, 397))
def test_a_flipped_bit_is_noticed(file, place):
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="is not what was written"):
        WholeCheckpointIO().load_checkpoint(file)


def test_a_checkpoint_without_its_sum_is_refused(file):
    checksum_of(file).unlink()
    (file.parent / "best.ckpt").touch()
    with pytest.raises(ValueError, match=r"step-00000001.ckpt.sha256 is missing.*\(there: best.ckpt\)"):
        WholeCheckpointIO().load_checkpoint(file)


def test_a_link_is_as_whole_as_the_file_that_it_names(file):
    """A kill between the making of two links must not matter."""
    last = file.with_name("last.ckpt")
    last.symlink_to(file.name)
    assert torch.equal(WholeCheckpointIO().load_checkpoint(last)["weights"], WEIGHTS)
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"last\.ckpt is refused"):
        WholeCheckpointIO().load_checkpoint(last)


@pytest.mark.parametrize("size", [100, 3000], ids=["at once", "later"])
def test_a_disk_that_refuses_leaves_the_old_file_and_no_other(file, size):
    with largest_file(size), pytest.raises(OSError, match="was not saved: File too large") as raised:
        WholeCheckpointIO().save_checkpoint({"weights": torch.zeros(100_000)}, file)
    assert raised.value.errno == errno.EFBIG
    assert "It needs 0.4 MB, and the disk of" in str(raised.value)
    assert torch.equal(WholeCheckpointIO().load_checkpoint(file)["weights"], WEIGHTS)
    assert len(list(file.parent.iterdir())) == 2


def test_failures_in_a_row_are_counted(file, caplog):
    checkpoints = WholeCheckpointIO(tolerated=1)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with largest_file(100):
                checkpoints.save_checkpoint({"weights": WEIGHTS}, file)
            with pytest.raises(OSError, match="was not saved"):
                require_saved(checkpoints)
            checkpoints.save_checkpoint({"weights": WEIGHTS}, file)
            require_saved(checkpoints)
    assert caplog.text.count("The run goes on without it, until 2 saves in a row fail") == 2
    with largest_file(100):
        checkpoints.save_checkpoint({"weights": WEIGHTS}, file)
        with pytest.raises(OSError, match=r"(?s)was not saved.*was not saved"):
            checkpoints.save_checkpoint({"weights": WEIGHTS}, file)


@pytest.mark.parametrize("crash", ["before", "after"])
def test_a_crash_around_the_rename_leaves_a_loadable_file(file, monkeypatch, crash):
    """Overwriting best.ckpt: whichever file is there at the crash, its sum is known."""
    real = os.replace

    def dies(source, target):
        if str(target) == str(file):
            if crash == "after":
                real(source, target)
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        WholeCheckpointIO().save_checkpoint({"weights": torch.zeros(3)}, file)
    monkeypatch.undo()
    expected = WEIGHTS if crash == "before" else torch.zeros(3)
    assert torch.equal(WholeCheckpointIO().load_checkpoint(file)["weights"], expected)


@pytest.mark.parametrize(
    ("state", "culprit"), [(np.arange(3), "numpy"), (logging.Filter("x"), "logging.Filter")], ids=["array", "object"]
)
def test_a_checkpoint_that_could_not_be_loaded_is_not_written(tmp_path, state, culprit):
    checkpoints = WholeCheckpointIO()
    checkpoints.save_checkpoint({"weights": WEIGHTS}, tmp_path / "best.ckpt")  # without callbacks, and plain
    with pytest.raises(TypeError, match=f"would hold .*{culprit}.*state_dict"):
        checkpoints.save_checkpoint({"callbacks": {"mine": state}}, tmp_path / "step-00000001.ckpt")
    assert not list(tmp_path.glob("*step*"))


def test_removing_takes_the_sum_along(file):
    WholeCheckpointIO().remove_checkpoint(file)
    assert not file.exists()
    assert not checksum_of(file).exists()
