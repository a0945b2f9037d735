"""`validate_only=true`: everything is built, nothing is trained, and the plan is true of the run."""

import re
from pathlib import Path

import pytest

from variformer.analysis.cost import model_flops, parameter_count
from variformer.run_directory.directory import RunDirectory
from variformer.runs.plan import plan, show_plan
from variformer.runs.run import build, prepare
from variformer.runs.train import train

from ..processes import command

COMMON = ["debug=fast", "model.vocab_size=600"]


@pytest.fixture
def nothing_trains(monkeypatch):
    def step(*_, **__):
        raise AssertionError("a real backward pass")

    monkeypatch.setattr("lightning.Trainer.fit", step)
    monkeypatch.setattr("lightning.Trainer.validate", step)


def test_the_plan_is_that_of_the_run(composed, nothing_trains):
    config = composed("experiment=gpt", *COMMON, "tokenizer=bytes", "global_batch=12", "callbacks=[default,average]")
    planned = plan(config)
    run = build(prepare(config, RunDirectory(config["run_dir"])))
    module, batch = run.module, next(iter(run.data_module.train_dataloader()))
    assert planned.parameters == parameter_count(module.model)
    assert (planned.micro_batch, planned.accumulation, planned.devices) == (2, 6, 1)
    assert planned.flops == planned.computed == 6 * model_flops(module.model, module.objective, batch)
    assert planned.units == 12 * config["length"]
    assert (planned.steps, planned.validations, planned.checkpoints) == (4, 2, 2)
    longer = plan(config | {"max_steps": 5})
    assert (longer.steps, longer.validations, longer.checkpoints) == (5, 3, 3)  # the last of both after the last step
    assert planned.epochs == pytest.approx(48 / planned.samples["train"])
    assert planned.batch["tokens"] == f"2 x {config['length']} int64"
    assert planned.memory.weights == planned.memory.gradients == planned.memory.copies == 4 * planned.parameters
    assert planned.memory.activations > 0


@pytest.mark.parametrize("family", ["bert", "t5", "vit"])
def test_every_family_can_be_planned(composed, family, nothing_trains):
    overrides = ["debug=fast"] if family == "vit" else COMMON
    planned = plan(composed(f"experiment={family}", *overrides))
    assert planned.memory is not None and planned.flops > 0 and planned.units > 0
    assert sum(planned.parts.values()) == planned.parameters


def test_the_plan_of_a_resumed_run_needs_no_init_from(composed, tmp_path):
    """Its tokenizer is the run's own, and its first weights may be gone."""
    small = ["model.width=32", "model.hidden=64", "samples=none", "callbacks.throughput=null"]
    config = composed("experiment=gpt", *COMMON, *small, "tokenizer=bytes")
    train(config)
    resumed = config | {"resume": True, "max_steps": 6, "init_from": str(tmp_path / "gone")}
    assert plan(resumed).steps == 6


def test_a_student_is_planned_with_its_teacher(composed):
    small = ["debug=fast", "model.width=32", "model.hidden=64", "optimizer=adamw"]
    teacher = composed("experiment=vit", *small, "callbacks.throughput=null")
    train(teacher)
    overrides = ["experiment=deit", *small, f"objective.teacher={teacher['run_dir']}"]
    planned, recomputed = plan(composed(*overrides)), plan(composed(*overrides, "checkpointing=true"))
    assert planned.model == "DeiT" and planned.memory is not None
    assert planned.flops == recomputed.flops < planned.computed < recomputed.computed


def test_several_devices_share_the_global_batch(composed, nothing_trains):
    overrides = ["experiment=vit", "debug=fast", "micro_batch=1", "trainer.devices=2", "trainer.accelerator=cpu"]
    planned, sharded = (plan(composed(*overrides, f"trainer={name}")) for name in ("ddp", "fsdp"))
    assert (planned.micro_batch, planned.accumulation, planned.devices) == (1, 2, 2)
    assert sharded.memory.optimizer == pytest.approx(planned.memory.optimizer / 2, abs=1)
    assert sharded.memory.activations == planned.memory.activations


def test_it_is_printed_and_leaves_nothing_behind(composed, capsys, nothing_trains):
    config = composed("experiment=vit", "debug=fast", "logger=[wandb,tensorboard]")
    show_plan(config)
    printed = capsys.readouterr().out
    for words in ("parameters", "global batch", "4 samples = 2 at a time x 2 in a row x 1 device(s)", "activations"):
        assert words in printed
    assert re.search(r"exports +as ViTForImageClassification *\n", printed)
    assert "validations" in printed and "checkpoints" in printed and "FLOP" in printed and config["run_dir"] in printed
    assert not Path(config["run_dir"]).exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data=text_files", "data.source.train=missing.txt"], "missing.txt"),
        (["tokenizer=byte_bpe", "tokenizer.vocab_size=300", "model.vocab_size=300", "init_from=nowhere"], "nowhere"),
    ],
)
def test_what_prevents_a_run_is_reported_with_code_2(composed, capsys, overrides, message):
    with pytest.raises(SystemExit) as stop:
        show_plan(composed("experiment=gpt", "debug=fast", *overrides))
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_plans_and_leaves_no_run_directory(tmp_path):
    done = command("train.py", "experiment=vit", "debug=fast", "validate_only=true", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "global batch" in done.stdout
    assert not list(tmp_path.glob("runs/*"))
