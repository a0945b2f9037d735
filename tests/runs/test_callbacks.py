"""A callback of a user's own, or of Lightning's, beside the project's: it resumes as if nothing had happened."""

import shutil
import sys
from pathlib import Path

import pytest

from variformer.config.classes import allowed_packages
from variformer.config.schema import experiment
from variformer.run_directory.directory import RunDirectory
from variformer.runs import trainer
from variformer.runs.train import train
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

SHORT = ["experiment=vit", "debug=fast", "callbacks=[default,average]", "model.width=32", "model.hidden=64"]
SHORT += ["max_steps=6", "trainer.validate_every=2", "trainer.save_every=2", "callbacks.checkpoints.keep=9"]
SHORT += ["callbacks.throughput=null", "trainer.progress=false"]
LIGHTNINGS = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, patience: 9}"
DECLARED = ["NonFinite", "Counter", "EarlyStopping", "BestCheckpoint", "MovingAverage", "Checkpoints"]
DECLARED += ["RandomState", "Resumption", "Preemption"]


MINE = '''
import torch
from lightning import Callback

from variformer.training.callback import RunCallback, StepSkipped


class Counter(Callback):
    """Knows nothing of the project, and its state changes with every step and every validation."""

    def __init__(self):
        self.seen, self.weights = [], torch.zeros(())

    def on_train_batch_end(self, trainer, module, *_):
        self.seen.append(["step", trainer.global_step])

    def on_validation_end(self, trainer, module):
        self.seen.append(["validation", trainer.global_step])
        self.weights = next(module.model.parameters()).detach().double().sum()

    def state_dict(self):
        return {"seen": self.seen, "weights": self.weights}

    def load_state_dict(self, state):
        self.seen, self.weights = list(state["seen"]), state["weights"]


class Frozen(RunCallback):
    """Leaves out every step."""

    def before_step(self, trainer, module):
        assert module.gradient_norm > 0
        raise StepSkipped
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A user's module that configs may name."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield ["allow=[mine]"]
    allowed_packages.given.clear()
    allowed_packages.found.cache_clear()
    sys.modules.pop("mine", None)


@pytest.fixture(scope="module")
def config(composed, own):
    """A run with both, trained to its end."""
    mine = [f"+callbacks.lightnings={LIGHTNINGS}", "+callbacks.mine={_target_: mine.Counter}"]
    config = composed(*SHORT, *own, *mine)
    train(config)
    return config


def state(run_dir: str | Path, step: int, kind: str) -> dict:
    checkpoint = WholeCheckpointIO().load_checkpoint(Path(run_dir) / "checkpoints" / f"step-{step:08d}.ckpt")
    (found,) = [state for key, state in checkpoint["callbacks"].items() if key.startswith(kind)]
    return found


def killed_and_resumed(config: dict, step: int, copy: Path) -> Path:
    """The run as it would have been, had it been killed after its checkpoint at `step` and resumed."""
    shutil.copytree(config["run_dir"], copy, symlinks=True)
    for file in (copy / "checkpoints").glob("step-*"):
        if int(file.name[5:13]) > step:
            file.unlink()
    (copy / "status.json").write_text('{"status": "running"}')
    train(config | {"run_dir": str(copy), "resume": True})
    return copy


def test_a_foreign_callback_is_saved_after_the_validation(config):
    seen = state(config["run_dir"], 2, "Counter")["seen"]
    assert seen[-1] == ["validation", 2] and ["step", 2] in seen


def test_lightnings_early_stopping_keeps_its_best_score(config):
    assert state(config["run_dir"], 2, "EarlyStopping")["best_score"].isfinite()


def test_a_foreign_callback_resumes_bit_for_bit(config, tmp_path):
    copy = killed_and_resumed(config, 4, tmp_path / "copy")
    for kind in ("Counter", "EarlyStopping", "BestCheckpoint"):
        whole, again = state(config["run_dir"], 6, kind), state(copy, 6, kind)
        assert whole == again, kind
    assert whole and ["validation", 4] in state(copy, 6, "Counter")["seen"]


def test_a_users_own_callback_may_leave_steps_out(composed, own):
    config = composed(*SHORT, *own, "+callbacks.mine={_target_: mine.Frozen}", "max_steps=2")
    train(config)
    folder = Path(config["run_dir"]) / "checkpoints"
    saved = WholeCheckpointIO().load_checkpoint(folder / "step-00000002.ckpt")
    assert saved["global_step"] == 2
    assert not any(saved["optimizer_states"][0]["state"].values())  # no step was taken


def test_callbacks_stand_in_their_declared_order(config):
    turned = config | {"callbacks": dict(reversed(config["callbacks"].items()))}  # whatever the order of the config
    callbacks = trainer.build_trainer(experiment(turned), RunDirectory(config["run_dir"]), 6).callbacks
    names = [type(each).__name__ for each in callbacks]
    assert [name for name in names if name in DECLARED] == DECLARED
    assert names[-1] == "Preemption"


def test_a_model_that_writes_no_texts_trains_to_its_end(composed, monkeypatch, caplog):
    def refuses(*_):
        raise ValueError("Looped writes no texts")

    monkeypatch.setattr("variformer.generation.Continuations.__call__", refuses)
    small = ["tokenizer=bytes", "model.vocab_size=300", "length=32", "callbacks.throughput=null", "max_steps=2"]
    config = composed("experiment=gpt", "debug=fast", *small, "model.width=32", "model.hidden=64")
    train(config)
    assert RunDirectory(config["run_dir"]).metrics.is_file()
    assert any("no samples of step 2: Looped writes no texts" in each for each in caplog.messages)
