"""Runs that learn from the model of an earlier run."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from variformer.config.schema import experiment
from variformer.data import PythonDocs, TextData, WordPiece
from variformer.exchange.loading import load_run, run_config
from variformer.runs.evaluate import evaluate_run
from variformer.runs.origins import find_teacher
from variformer.runs.run import build_data_module, build_module
from variformer.runs.task import build_task
from variformer.runs.teacher import bring_teacher
from variformer.runs.train import train
from variformer.training.loggers import read_curves
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

SHORT = ["debug=fast", "callbacks.throughput=null", "model.width=32", "model.hidden=64"]
TEXT = ["model.vocab_size=600", "length=64", *SHORT]
BERT = ["experiment=bert", "model.depth=4", *TEXT]
STUDENT = ["experiment=distilbert", "objective.copied_layers=[0,2]", *TEXT]


def digests(run: Path) -> dict[Path, str]:
    files = [path for path in sorted(run.rglob("*")) if path.is_file()]
    return {path.relative_to(run): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def finished(config) -> Path:
    train(config)
    return Path(config["run_dir"])


@pytest.fixture(scope="module")
def bert(composed) -> Path:
    return finished(composed(*BERT))


@pytest.fixture(scope="module")
def vit(composed) -> Path:
    return finished(composed("experiment=vit", *SHORT))


@pytest.fixture(scope="module")
def student(composed, bert) -> dict:
    """The config of a DistilBERT that has been trained."""
    before = digests(bert)
    config = composed(*STUDENT, f"objective.teacher={bert}")
    train(config)
    assert digests(bert) == before
    return config


def test_a_checkpoint_holds_the_student_alone(student):
    saved = WholeCheckpointIO().load_checkpoint(Path(student["run_dir"]) / "checkpoints" / "last.ckpt")
    model = load_run(student["run_dir"])
    assert {name.removeprefix("model.") for name in saved["state_dict"]} == set(model.state_dict())
    groups = saved["optimizer_states"][0]["param_groups"]
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_a_student_starts_as_every_second_layer_of_its_teacher(student, bert):
    task = build_task(experiment(student))
    bring_teacher(find_teacher(student), student, task)
    model, teacher = build_module(experiment(student), task).model, load_run(bert, "best")
    task.objective.initialise(model)
    assert len(model.encoder.blocks) == 2 and len(teacher.encoder.blocks) == 4
    for ours, theirs in ((0, 0), (1, 2)):
        for one, other in zip(
            model.encoder.blocks[ours].parameters(), teacher.encoder.blocks[theirs].parameters(), strict=True
        ):
            assert torch.equal(one, other)
    assert torch.equal(model.token_head.scores.weight, teacher.token_head.scores.weight)


def test_without_copied_layers_a_student_starts_as_usual(student):
    alone = {**student["objective"], "copied_layers": None}
    models = []
    for with_teacher in (True, False):
        config = student | {"objective": alone}
        task = build_task(experiment(config))
        torch.manual_seed(0)
        if with_teacher:
            bring_teacher(find_teacher(config), config, task)
        models.append(build_module(experiment(config), task).model)
        task.objective.initialise(models[-1])
    assert all(torch.equal(*pair) for pair in zip(*(model.parameters() for model in models), strict=True))


def test_evaluation_needs_no_teacher_but_training_does(student, bert):
    expected = evaluate_run(student["run_dir"])
    away = bert.rename(bert.with_name("away"))
    try:
        assert evaluate_run(student["run_dir"]) == expected
        with pytest.raises(FileNotFoundError, match="experiment=bert"):
            train(student | {"resume": True, "max_steps": 6})
    finally:
        away.rename(bert)


@pytest.mark.parametrize(
    "kind, mixing",
    [
        ("soft_distillation", []),
        ("hard_distillation", ["objective.task.mixup=0.8", "objective.task.cutmix=1.0"]),
    ],
)
def test_images_are_distilled(composed, vit, kind, mixing):
    run = finished(composed("experiment=deit", f"objective={kind}", f"objective.teacher={vit}", *mixing, *SHORT))
    curves = (run / "metrics.csv").read_text()
    assert "train/agreement" in curves and "val/agreement" not in curves and "val/top1" in curves


def test_a_plain_vit_can_be_the_student_and_a_deit_the_teacher(composed, vit):
    deit = finished(composed("experiment=deit", f"objective.teacher={vit}", *SHORT))
    finished(composed("experiment=deit", "model=vit", f"objective.teacher={deit}", *SHORT))


@pytest.mark.parametrize("precision", ["bf16-true", "bf16-mixed"])
def test_a_teacher_takes_the_students_precision(composed, vit, precision):
    overrides = [f"precision={precision}", "optimizer=adamw", f"objective.teacher={vit}", *SHORT]
    finished(composed("experiment=deit", *overrides))


def test_other_ways_to_mask_are_distilled_too(composed, bert):
    overrides = ["objective@objective.task=full_sentences", "objective.everywhere=true", f"objective.teacher={bert}"]
    finished(composed(*STUDENT, *overrides))


def test_what_cannot_teach_is_refused_before_training(composed, bert, vit, tmp_path):
    TextData(PythonDocs(), WordPiece(500)).tokenizer.save(tmp_path)
    other_tokens = composed(*STUDENT, f"objective.teacher={bert}", f"tokenizer.path={tmp_path}")
    with pytest.raises(ValueError, match=r"tokenizer=pretrained tokenizer.path="):
        train(other_tokens)
    larger = composed(*STUDENT, f"objective.teacher={bert}", "model.vocab_size=700")
    with pytest.raises(ValueError, match=r"model\.vocab_size is 700, the teacher's 600"):
        train(larger)
    brighter = composed("experiment=deit", f"objective.teacher={vit}", "data.mean=[0.5]", *SHORT)
    with pytest.raises(ValueError, match=r"the student's \[0\.5\]: set data\.mean="):
        train(brighter)


def test_a_run_goes_on_with_the_teacher_it_began_with(composed, vit):
    config = composed("experiment=deit", f"objective.teacher={vit}", *SHORT)
    train(config)
    other = finished(composed("experiment=vit", "seed=1", *SHORT))
    with pytest.raises(ValueError, match=r"are not those that this run began to learn from"):
        train(config | {"resume": True, "max_steps": 6, "objective": config["objective"] | {"teacher": str(other)}})
    train(config | {"resume": True, "max_steps": 6})


def test_the_curve_shows_the_loss_that_is_differentiated(composed, vit):
    run = finished(composed("experiment=deit", f"objective.teacher={vit}", "trainer.log_every=1", *SHORT))
    curves = {(step, name): value for step, name, value in read_curves(run / "metrics.csv")}
    losses = [step for step, name in curves if name == "train/loss"]
    label = {step: curves[step, "train/loss"] for step in losses}
    assert losses and all(label[step] > 0.5 * curves[step, "train/distance"] for step in losses)


def test_a_teacher_that_is_not_there_is_named_with_its_cure(composed, tmp_path):
    config = composed("experiment=deit", f"objective.teacher={tmp_path}/none", *SHORT)
    with pytest.raises(FileNotFoundError, match=r"none.*variformer train experiment=bert"):
        train(config)


def scored(run: Path, model: torch.nn.Module) -> dict[str, float]:
    """Accuracies of a model on the validation inputs of a run, by hand."""
    config = run_config(run)
    settings = experiment(config)
    task = build_task(settings, run / "tokenizer" if config["tokenizer"] else None)
    task.objective.eval()
    totals: dict[str, list] = {}
    for batch in build_data_module(settings, task, steps=1, devices=1).val_dataloader():
        with torch.no_grad():
            for name, ratio in task.objective.task(model, batch).ratios.items():
                totals.setdefault(name, []).append((ratio.total.double(), ratio.count.double()))
    return {name: (sum(t for t, _ in each) / sum(c for _, c in each)).item() for name, each in totals.items()}


def test_a_teacher_is_scored_on_the_inputs_of_its_student(student, bert):
    run = Path(student["run_dir"])
    own = evaluate_run(str(run))
    assert evaluate_run(str(run), other_model=str(run), checkpoint="last") == own
    teacher = evaluate_run(str(run), other_model=str(bert))
    expected = scored(run, load_run(bert, "best"))
    assert {name: teacher[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert teacher["loss"] != evaluate_run(str(bert))["loss"]  # which has other inputs, pairs of segments
    kept = json.loads((run / f"metrics_val_best_of_{bert.name}.json").read_text())
    assert kept["model"] == str(bert) and kept["loss"] == teacher["loss"]
    assert kept["weights"] == json.loads((run / "run.json").read_text())["teacher"]["sha256"]
    assert json.loads((run / "metrics_val_last.json").read_text())["loss"] == own["loss"]


def test_a_teacher_of_images_is_scored_so_too(composed, vit):
    run = finished(composed("experiment=deit", f"objective.teacher={vit}", *SHORT))
    teacher = evaluate_run(str(run), other_model=str(vit))
    expected = scored(run, load_run(vit, "best"))
    assert {name: teacher[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert (run / f"metrics_val_best_of_{vit.name}.json").is_file()


def test_another_model_that_reads_other_inputs_is_refused(student, vit):
    with pytest.raises(ValueError, match=r"other_model=.* cannot be scored here:\n.*another tokenizer"):
        evaluate_run(student["run_dir"], other_model=str(vit))
