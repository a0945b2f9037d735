from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from variformer.models import DeiT, ViT
from variformer.objectives.image_classification import NO_LABEL, ImageClassification, fused_scores
from variformer.objectives.image_distillation import HardDistillation, SoftDistillation
from variformer.objectives.masked_tokens import MaskedTokens

DATA = SimpleNamespace(classes=7)
KEYS = np.arange(8, dtype=np.uint64)
MIXING = {"mixup": 0.8, "cutmix": 1.0, "label_smoothing": 0.1}


def model(kind: type[ViT], seed: int, **sizes) -> ViT:
    torch.manual_seed(seed)
    made = kind(
        **{"image_size": 8, "patch_size": 4, "channels": 1, "classes": 7, "width": 16, "depth": 2, "heads": 2}
        | {"hidden": 32}
        | sizes
    )
    for name, parameter in made.named_parameters():
        if "head" in name:  # which start at zero
            torch.nn.init.normal_(parameter)
    return made


def batch(task: ImageClassification, first: int = 0) -> dict:
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    samples = [{"image": image, "label": (3 * index) % 7} for index, image in enumerate(images)]
    return task.collate(samples, KEYS + first, train=True)


def published(student: DeiT, teacher: ViT, batch: dict, kind: str, alpha: float, tau: float) -> torch.Tensor:
    """DeiT's losses.py over timm's mixup targets, but with the sum over classes of the paper's KL (their issue 61)."""
    target = F.one_hot(batch["labels"], 7) * batch["own_part"] + F.one_hot(batch["partners"], 7) * (
        1 - batch["own_part"]
    )
    target = target * (1 - 0.1) + 0.1 / 7
    outputs, outputs_kd = student(batch["images"])
    base_loss = torch.sum(-target * F.log_softmax(outputs, dim=-1), dim=-1).mean()
    with torch.no_grad():
        teacher_outputs = teacher(batch["images"])
    if kind == "soft":
        distillation_loss = (
            F.kl_div(
                F.log_softmax(outputs_kd / tau, dim=1),
                F.log_softmax(teacher_outputs / tau, dim=1),
                reduction="sum",
                log_target=True,
            )
            * (tau * tau)
            / len(outputs_kd)
        )
    else:
        distillation_loss = F.cross_entropy(outputs_kd, teacher_outputs.argmax(dim=1))
    return base_loss * (1 - alpha) + distillation_loss * alpha


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_loss_and_gradients_equal_the_published_code(kind, first):
    teacher, student, twin = model(ViT, 0, depth=3), model(DeiT, 1), model(DeiT, 1)
    new, alpha = {"hard": (HardDistillation, 0.5), "soft": (SoftDistillation, 0.1)}[kind]
    objective = new(DATA, task=partial(ImageClassification, **MIXING))
    objective.learn_from(teacher)
    mixed = batch(objective.task, first)
    scores, expected = objective(student, mixed), published(twin, teacher, mixed, kind, alpha, tau=3.0)
    torch.testing.assert_close(scores.loss, expected)
    scores.loss.backward()
    expected.backward()
    for ours, theirs in zip(student.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    assert all(p.grad is None for p in teacher.parameters())
    assert not objective.state_dict() and not list(objective.parameters())


def test_evaluation_takes_the_mean_of_both_heads():
    student = model(DeiT, 1).eval()
    objective = HardDistillation(DATA, task=partial(ImageClassification, **MIXING)).eval()
    plain = batch(ImageClassification(DATA))
    label, teacher = student(plain["images"])
    fused = fused_scores(student(plain["images"]))
    torch.testing.assert_close(fused, (label + teacher) / 2)
    scores = objective(student, plain)
    torch.testing.assert_close(scores.loss, F.cross_entropy((label + teacher) / 2, plain["labels"]))
    hits = (fused.argmax(-1) == plain["labels"]).sum()
    assert scores.ratios["top1"].total == hits and set(scores.ratios) == {"loss", "top1", "top5"}
    with pytest.raises(ValueError, match="trains with a teacher"):
        objective.train()(student, plain)


def test_a_student_with_one_head_learns_both_with_it():
    """Equations 2 and 3 as the paper writes them, for a student without a distillation token."""
    teacher, student = model(ViT, 0), model(ViT, 1)
    objective = HardDistillation(DATA, task=ImageClassification)
    objective.learn_from(teacher)
    plain = batch(objective.task)
    scores, examples = student(plain["images"]), teacher(plain["images"]).argmax(-1)
    expected = F.cross_entropy(scores, plain["labels"]) / 2 + F.cross_entropy(scores, examples) / 2
    torch.testing.assert_close(objective(student, plain).loss, expected)


def test_a_distilled_teacher_speaks_with_both_heads():
    teacher, student = model(DeiT, 0), model(DeiT, 1)
    objective = HardDistillation(DATA, task=ImageClassification, share=1.0)
    objective.learn_from(teacher)
    plain = batch(objective.task)
    examples = fused_scores(teacher(plain["images"])).argmax(-1)
    expected = F.cross_entropy(student(plain["images"]).teacher, examples)
    scores = objective(student, plain)
    torch.testing.assert_close(scores.loss, expected)
    agreed = (student(plain["images"]).teacher.argmax(-1) == examples).sum()
    assert scores.ratios["agreement"].total == agreed


def test_it_can_follow_its_teacher():
    teacher, student = model(ViT, 0), model(DeiT, 1)
    objective = HardDistillation(DATA, task=ImageClassification)
    objective.learn_from(teacher)
    plain = batch(objective.task)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        objective(student, plain).loss.backward()
        optimizer.step()
    scores = objective(student, plain)
    assert scores.ratios["agreement"].total == 8 and scores.ratios["top1"].total == 8
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())


def test_other_classes_are_refused():
    objective = HardDistillation(DATA, task=ImageClassification)
    objective.learn_from(model(ViT, 0, classes=9))
    with pytest.raises(ValueError, match="9 classes"):
        objective(model(DeiT, 1), batch(objective.task))


def test_settings_that_mean_nothing_are_refused(vocabulary):
    with pytest.raises(ValueError, match=r"objective\.share"):
        HardDistillation(DATA, task=ImageClassification, share=1.5)
    with pytest.raises(ValueError, match=r"objective\.temperature"):
        SoftDistillation(DATA, task=ImageClassification, temperature=0.0)
    with pytest.raises(ValueError, match="MaskedTokens"):
        HardDistillation(vocabulary, 16, task=MaskedTokens)


@pytest.mark.parametrize("kind", [HardDistillation, SoftDistillation])
def test_what_has_no_label_is_in_no_metric(kind):
    def ratios(labels: list[int]) -> dict:
        chosen = [index for index in range(4) if len(labels) == 4 or index % 2 == 0]
        images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))[chosen]
        task = partial(ImageClassification)
        objective = kind(DATA, task=task, teacher="a run").eval()
        return objective.imitate(model(DeiT, 1), model_as_teacher, {"images": images, "labels": torch.tensor(labels)})

    def model_as_teacher(student, images):
        return model(ViT, 2)(images)

    some, alone = ratios([3, NO_LABEL, 0, NO_LABEL]).ratios, ratios([3, 0]).ratios
    for name, ratio in alone.items():
        assert ratio.count == some[name].count == 2
        torch.testing.assert_close(some[name].total, ratio.total)
