import os
import pickle

import pytest
import torch

from variformer.training.checkpoint_io import WholeCheckpointIO, checksum_of


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "checkpoints" / "step-00000001.ckpt"
    WholeCheckpointIO().save_checkpoint({"weights": torch.arange(1000.0), "step": 1}, path)
    return path


def test_what_was_saved_is_loaded_and_nothing_else_is_left(file):
    loaded = WholeCheckpointIO().load_checkpoint(file)
    assert torch.equal(loaded["weights"], torch.arange(1000.0))
    assert sorted(p.name for p in file.parent.iterdir()) == [file.name, file.name + ".sha256"]


@pytest.mark.parametrize("place", range(0, 4000, 397))
def test_a_flipped_bit_is_noticed(file, place):
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="is not what was written"):
        WholeCheckpointIO().load_checkpoint(file)


def test_a_failed_write_leaves_the_old_file(file, monkeypatch):
    def full(checkpoint, handle):
        handle.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        WholeCheckpointIO().save_checkpoint({"weights": torch.zeros(3)}, file)
    assert torch.equal(WholeCheckpointIO().load_checkpoint(file)["weights"], torch.arange(1000.0))
    assert len(list(file.parent.iterdir())) == 2


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
    expected = torch.arange(1000.0) if crash == "before" else torch.zeros(3)
    assert torch.equal(WholeCheckpointIO().load_checkpoint(file)["weights"], expected)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("forced", [False, True])
def test_a_checkpoint_cannot_run_code(tmp_path, monkeypatch, forced):
    monkeypatch.chdir(tmp_path)
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save({"state_dict": Bomb()}, "bad.ckpt")
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        WholeCheckpointIO().load_checkpoint("bad.ckpt")
    assert not (tmp_path / "exploded").exists()


def test_removing_takes_the_sum_along(file):
    WholeCheckpointIO().remove_checkpoint(file)
    assert not file.exists()
    assert not checksum_of(file).exists()
