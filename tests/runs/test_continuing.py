"""What a resumed run is given otherwise than before is applied and said, or refused before anything is written."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from variformer.config import ConfigError
from variformer.config.composing.earlier_runs import require_steps_ahead
from variformer.runs import train as training
from variformer.runs.stopping import Refused
from variformer.runs.train import train
from variformer.training.callbacks import BestCheckpoint, EarlyStopping
from variformer.training.loggers import read_curves
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

SHORT = ["experiment=vit", "debug=fast", "model.width=32", "model.hidden=64", "trainer.validate_every=2"]
SHORT += ["trainer.save_every=2", "trainer.log_every=1", "max_steps=4", "trainer.progress=false", "optimizer=adamw"]
SHORT += ["callbacks=[default,early_stopping]", "callbacks.throughput=null", "optimizer.lr=0.02"]
LIGHTNINGS = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, patience: 9}"


@pytest.fixture(scope="module")
def done(composed):
    config = composed(*SHORT, f"+callbacks.lightnings={LIGHTNINGS}")
    value = train(config)
    return config, value


@pytest.fixture
def copy(done, tmp_path):
    """The same run, elsewhere."""
    shutil.copytree(done[0]["run_dir"], tmp_path / "run", symlinks=True)
    return done[0] | {"run_dir": str(tmp_path / "run"), "resume": True}


@pytest.fixture
def stopped(copy):
    """As if it had been killed after its second step."""
    folder = Path(copy["run_dir"])
    for file in folder.glob("checkpoints/step-00000004*"):
        file.unlink()
    (folder / "status.json").write_text('{"status": "running"}')
    return copy


def changed(config: dict, key: str, value: object) -> dict:
    first, _, rest = key.partition(".")
    return config | {first: changed(config[first], rest, value) if rest else value}


def files(config: dict) -> dict[str, tuple[bytes, float]]:
    found = [path for path in Path(config["run_dir"]).rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime) for path in found}


def last(config: dict) -> dict:
    return WholeCheckpointIO().load_checkpoint(Path(config["run_dir"]) / "checkpoints" / "last.ckpt")


def rates(config: dict, step: int) -> list[float]:
    rows = read_curves(Path(config["run_dir"]) / "metrics.csv")
    return [value for at, name, value in rows if at == step and name.startswith("lr/")]


def test_a_finished_run_is_left_as_it_is(done, copy, capsys, monkeypatch):
    before = files(copy)
    monkeypatch.setattr(training, "fit", None)  # nothing is built, so no dashboard is opened either
    assert train(copy) == done[1]
    assert "is finished, at step 4 of 4; to train on, give it a larger max_steps" in capsys.readouterr().out
    assert files(copy) == before


def test_another_rate_is_applied_and_shown(done, stopped, capsys):
    train(changed(stopped, "optimizer.lr", 0.5))
    assert "optimizer.lr: 0.02 until step 2, 0.5 from here on" in capsys.readouterr().out
    assert rates(stopped, 2) == rates(done[0], 2)
    assert rates(stopped, 3) == pytest.approx([25 * rate for rate in rates(done[0], 3)])  # 0.5 / 0.02 of what it was
    assert {group["initial_lr"] for group in last(stopped)["optimizer_states"][0]["param_groups"]} == {0.5}
    assert set(last(stopped)["lr_schedulers"][0]["base_lrs"]) == {0.5}


def test_a_rate_that_only_the_checkpoint_knows_is_shown(stopped, capsys):
    """An earlier version wrote the new rate into the record, and trained on with the old one."""
    path = Path(stopped["run_dir"]) / "checkpoints" / "step-00000002.ckpt"
    checkpoint = WholeCheckpointIO().load_checkpoint(path)
    checkpoint["optimizer_states"][0]["param_groups"][0]["betas"] = (0.5, 0.5)
    WholeCheckpointIO().save_checkpoint(checkpoint, path)
    train(stopped)
    assert "optimizer: betas of" in (out := capsys.readouterr().out) and "was (0.5, 0.5) until step 2" in out
    assert last(stopped)["optimizer_states"][0]["param_groups"][0]["betas"] != (0.5, 0.5)


def test_a_longer_run_shows_how_its_rate_leaps(copy, capsys):
    train(copy | {"max_steps": 6})
    out = capsys.readouterr().out
    assert "max_steps: 4 until step 4, 6 from here on" in out
    assert "learning rate: 0.0% of its peak at step 4 then, " in out and "schedule=warmup_stable_decay" in out


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.width", 64, r"model\.width: 64 is not the model of step-00000004\.ckpt, which has 32; resume with"),
        ("model.heads", 1, r"model\.heads: 1 is not the model"),
        (
            "optimizer._target_",
            "variformer.training.lamb.Lamb",
            r"optimizer\._target_: variformer\.training\.lamb\.Lamb",
        ),
        ("callbacks.lightnings.patience", 2, r"callbacks\.lightnings\.patience: 2 would be ignored"),
        ("max_steps", 3, r"max_steps: 3 lies before step 4"),
        ("seed", 1, "seed="),
    ],
)
def test_what_does_not_fit_the_checkpoint_is_refused(copy, key, value, message):
    before = files(copy)
    config = changed(copy if key == "max_steps" else copy | {"max_steps": 6}, key, value)
    if key.startswith("optimizer"):
        config["optimizer"] = {k: v for k, v in config["optimizer"].items() if k != "fused"}
    with pytest.raises(Refused, match=message):
        train(config)
    after = files(copy)
    assert {name: content for name, (content, _) in after.items()} == {name: each for name, (each, _) in before.items()}


def test_fewer_steps_are_refused_before_torch_is_there(copy):
    with pytest.raises(ConfigError, match=r"max_steps: 3 lies before the checkpoint's step 4"):
        require_steps_ahead(Path(copy["run_dir"]), 3)
    require_steps_ahead(Path(copy["run_dir"]), 4)


@pytest.mark.parametrize("samples, is_kept", [(24, True), (12, False)])
def test_values_of_other_validations_are_not_compared(caplog, samples, is_kept):
    objective = SimpleNamespace(monitor="loss", mode="min", rate=0.15)
    module, trainer = SimpleNamespace(objective=objective), SimpleNamespace(should_stop=False)
    best, stopping = BestCheckpoint(), EarlyStopping(patience=3)
    stopping.mode = "min"
    for trainer.datamodule in (SimpleNamespace(validation_samples=24), SimpleNamespace(validation_samples=samples)):
        for callback in (best, stopping):
            callback.load_state_dict(callback.state_dict())
            callback.on_train_start(trainer, module)
        best.value = 1.0 if best.value is None and not caplog.text else best.value
        stopping.best_score = stopping.best_score.new_tensor(1.0) if not caplog.text else stopping.best_score
    assert (best.value == 1.0) == is_kept and bool(stopping.best_score == 1.0) == is_kept
    assert ("samples 24 then and 12 now" in caplog.text) == (not is_kept)
