"""The last validation of a sharded run, which is its own: after the last step, none was due."""

import pytest

from variformer.run_directory.directory import RunDirectory
from variformer.runs.train import train

SMALL = [
    *("experiment=gpt", "debug=fast", "tokenizer=bytes", "model.vocab_size=400", "length=32", "model.width=32"),
    *("model.hidden=64", "callbacks=[default,average]", "callbacks.throughput=null", "max_steps=4"),
    *("trainer=fsdp", "trainer.devices=2", "trainer.accelerator=cpu", "trainer.progress=false"),
]


def on_gpus(config: dict) -> float:
    """Lightning takes another mode for validation where the processes talk by NCCL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lightning.pytorch.loops.utilities._distributed_is_initialized", lambda: False)
        return train(config)


def test_it_saves_samples_and_the_best_weights(composed, on_ranks):
    config = composed(*SMALL, "trainer.validate_every=3", "samples=continuations")
    assert len(set(on_ranks(on_gpus, config))) == 1
    run = RunDirectory(config["run_dir"])
    assert run.status() == "done" and run.metrics.is_file() and run.checkpoint("best").is_file()
    assert (run.samples / "step-00000004.txt").is_file()
