from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchmetrics.functional.classification import multiclass_accuracy

from variformer.objectives.image_classification import NO_LABEL, ImageClassification, count_hits, cut_and_paste

KEYS = np.arange(8, dtype=np.uint64)


def objective(classes: int = 7, **options) -> ImageClassification:
    return ImageClassification(SimpleNamespace(classes=classes), **options)


def samples(count: int = 8, classes: int = 7, height: int = 6, width: int = 10) -> list[dict]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, height, width, generator=generator)
    return [{"image": image, "label": (3 * index) % classes} for index, image in enumerate(images)]


class Scorer(nn.Module):
    """A fixed linear map of the pixels."""

    def __init__(self, classes: int = 7, pixels: int = 180):
        super().__init__()
        torch.manual_seed(0)
        self.map = nn.Linear(pixels, classes)

    def forward(self, images):
        return self.map(images.flatten(1))


def ratio(scores, name: str) -> float:
    return float(scores.ratios[name].total / scores.ratios[name].count)


def test_without_mixing_a_batch_holds_the_samples():
    batch = objective().collate(samples(), KEYS, train=True)
    assert set(batch) == {"images", "labels", "count"} and batch["count"] == 8
    assert all(torch.equal(batch["images"][i], sample["image"]) for i, sample in enumerate(samples()))
    assert batch["labels"].tolist() == [sample["label"] for sample in samples()]


@pytest.mark.parametrize("mixing", [{"mixup": 0.8}, {"cutmix": 1.0}])
def test_evaluation_never_mixes(mixing):
    plain = objective().collate(samples(), KEYS, train=False)
    batch = objective(**mixing).collate(samples(), KEYS, train=False)
    assert set(batch) == set(plain) and torch.equal(batch["images"], plain["images"])


def test_mixup_equals_the_definition_for_each_sample():
    batch = objective(mixup=0.8).collate(samples(), KEYS, train=True)
    share = batch["own_part"].item()
    assert 0 < share < 1
    for index, sample in enumerate(samples()):
        partner = samples()[index - 1]
        expected = share * sample["image"] + (1 - share) * partner["image"]
        torch.testing.assert_close(batch["images"][index], expected)
        assert (batch["labels"][index], batch["partners"][index]) == (sample["label"], partner["label"])


@pytest.mark.parametrize("first", range(20))
def test_cutmix_equals_the_definition_for_each_sample(first):
    batch = objective(cutmix=1.0).collate(samples(), KEYS + first, train=True)
    pasted = None
    for index, sample in enumerate(samples()):
        partner = samples()[index - 1]["image"]
        foreign = (batch["images"][index] != sample["image"]).all(0)
        assert torch.equal(batch["images"][index], torch.where(foreign, partner, sample["image"]))
        assert pasted is None or torch.equal(pasted, foreign)
        pasted = foreign
    rows, columns = pasted.any(1).sum(), pasted.any(0).sum()
    assert pasted.sum() == rows * columns  # a box
    assert batch["own_part"].item() == pytest.approx(1 - float(pasted.float().mean()))  # its true area


def test_a_box_inside_the_image_has_the_area_that_was_asked_for():
    images = torch.stack([torch.zeros(1, 100, 100), torch.ones(1, 100, 100)])
    random = np.random.default_rng(0)
    kept = [cut_and_paste(images, 0.84, random)[1] for _ in range(300)]
    assert min(kept) == pytest.approx(0.84, abs=0.01) and max(kept) > 0.9  # clipped at the border


def test_mixing_depends_on_the_key_alone():
    def images(first: int):
        torch.rand(3), np.random.rand(3)
        return objective(mixup=0.8, cutmix=1.0).collate(samples(), KEYS + first, train=True)["images"]

    assert torch.equal(images(0), images(0)) and not torch.equal(images(0), images(1))


def test_probability_and_choice_between_mixup_and_cutmix():
    both = objective(mixup=0.8, cutmix=1.0, mixup_probability=0.5)
    original = torch.stack([sample["image"] for sample in samples()])
    seen = {"plain": 0, "mixup": 0, "cutmix": 0}
    for first in range(400):
        batch = both.collate(samples(), KEYS + first, train=True)
        kept = (batch["images"] == original).float().mean()
        seen["plain" if batch["own_part"] == 1 else "cutmix" if kept > 0 else "mixup"] += 1
    assert seen["plain"] == pytest.approx(200, abs=45)
    assert seen["mixup"] == pytest.approx(100, abs=40) and seen["cutmix"] == pytest.approx(100, abs=40)


def test_the_share_of_mixup_follows_the_beta_distribution():
    mixed = objective(mixup=0.2)
    shares = torch.stack([mixed.collate(samples(2), KEYS[:2] + i, train=True)["own_part"] for i in range(500)])
    assert shares.mean().item() == pytest.approx(0.5, abs=0.06)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * 0.2 + 1)), abs=0.02)  # of Beta(a, a)


def test_mixed_loss_equals_cross_entropy_with_soft_targets():
    task = objective(mixup=0.8, label_smoothing=0.1)
    batch = task.collate(samples(), KEYS, train=True)
    share = batch["own_part"]
    targets = share * F.one_hot(batch["labels"], 7) + (1 - share) * F.one_hot(batch["partners"], 7)
    model = Scorer()
    expected = F.cross_entropy(model(batch["images"]), targets, label_smoothing=0.1)
    scores = task(model, batch)
    torch.testing.assert_close(scores.loss, expected)
    assert ratio(scores, "loss") == pytest.approx(expected.item(), rel=1e-6)


def test_labels_are_smoothed_in_training_only():
    task, model = objective(label_smoothing=0.3), Scorer()
    batch = task.collate(samples(), KEYS, train=True)
    logits = model(batch["images"])
    smooth = F.cross_entropy(logits, batch["labels"], label_smoothing=0.3)
    torch.testing.assert_close(task(model, batch).loss, smooth)
    plain = F.cross_entropy(logits, batch["labels"])
    torch.testing.assert_close(task.eval()(model, batch).loss, plain)
    assert not torch.isclose(smooth, plain)


def test_a_mixed_image_counts_as_what_there_is_more_of():
    task, model = objective(classes=7), lambda images: images
    for share, expected in ((0.7, 1.0), (0.3, 0.0)):
        labels, partners = torch.tensor([0, 1]), torch.tensor([2, 3])
        batch = {"images": F.one_hot(labels, 7), "labels": labels, "partners": partners}
        scores = task(model, batch | {"own_part": torch.tensor(share)})
        assert ratio(scores, "top1") == expected


@pytest.mark.parametrize("among", [1, 5])
def test_hits_equal_torchmetrics(among):
    generator = torch.Generator().manual_seed(among)
    logits = torch.randn(200, 12, generator=generator)
    labels = torch.randint(12, (200,), generator=generator)
    expected = multiclass_accuracy(logits, labels, num_classes=12, top_k=among, average="micro")
    assert count_hits(logits, labels, among).item() / 200 == pytest.approx(expected.item())


def test_top5_is_reported_where_it_says_something():
    batch = objective().collate(samples(classes=5), KEYS, train=False)
    assert set(objective(classes=6)(Scorer(6), batch).ratios) == {"loss", "top1", "top5"}
    assert set(objective(classes=5)(Scorer(5), batch).ratios) == {"loss", "top1"}


def test_ratios_of_two_batches_add_up_to_those_of_both():
    task, model = objective().eval(), Scorer()
    whole = task(model, task.collate(samples(), KEYS, train=False)).ratios
    parts = [task(model, task.collate(some, KEYS, train=False)).ratios for some in (samples()[:3], samples()[3:])]
    for name in whole:
        torch.testing.assert_close(parts[0][name].total + parts[1][name].total, whole[name].total)
        torch.testing.assert_close(parts[0][name].count + parts[1][name].count, whole[name].count)


def test_it_learns():
    torch.manual_seed(0)
    task, model = objective(mixup=0.2, label_smoothing=0.1), Scorer()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(60):
        batch = task.collate(samples(), KEYS + step, train=True)
        optimizer.zero_grad()
        task(model, batch).loss.backward()
        optimizer.step()
    scores = task.eval()(model, task.collate(samples(), KEYS, train=False))
    assert ratio(scores, "top1") == 1.0


@pytest.mark.parametrize(
    "wrong",
    [{"label_smoothing": 1.1}, {"mixup": -1.0}, {"cutmix": -0.1}, {"mixup_probability": 2.0}],
)
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=f"objective.{next(iter(wrong))}"):
        objective(**wrong)


def test_what_has_no_label_is_in_no_metric():
    """The ratios of a batch with blank places are those of the batch without them."""
    task = objective(label_smoothing=0.1).eval()
    scores = torch.randn(4, task.classes, generator=torch.Generator().manual_seed(0))
    some = task.score(scores, {"labels": torch.tensor([3, NO_LABEL, 0, NO_LABEL])}).ratios
    alone = task.score(scores[[0, 2]], {"labels": torch.tensor([3, 0])}).ratios
    for name, ratio in alone.items():
        assert ratio.count == some[name].count == 2
        torch.testing.assert_close(some[name].total, ratio.total)


def test_a_batch_of_blank_places_alone_counts_nothing():
    task = objective().eval()
    ratios = task.score(torch.randn(2, task.classes), {"labels": torch.tensor([NO_LABEL, NO_LABEL])}).ratios
    assert all(ratio.total == ratio.count == 0 for ratio in ratios.values())


def rows_of(scores) -> dict[str, np.ndarray]:
    return {name: column.detach().numpy() for name, column in scores.rows.items()}


def test_rows_measure_what_the_ratios_say():
    task, model = objective().eval(), Scorer()
    scores = task(model, task.collate(samples(), KEYS, train=False))
    measured = task.measure(rows_of(scores))
    assert all(measured[name] == pytest.approx(ratio(scores, name), rel=1e-6) for name in ("loss", "top1", "top5"))
    assert set(measured) == set(task.monitors)
    assert task.train()(model, task.collate(samples(), KEYS, train=True)).rows is None


def test_rows_hold_probabilities_of_few_classes():
    for classes, kept in ((20, True), (21, False)):
        task = objective(classes).eval()
        scores = torch.randn(6, classes, generator=torch.Generator().manual_seed(0))
        rows = task.score(scores, {"labels": torch.arange(6)}).rows
        assert ("log_probabilities" in rows) == kept
        torch.testing.assert_close(rows["confidence"], scores.softmax(-1).amax(-1))
        assert torch.equal(rows["guess"], scores.argmax(-1))
        if kept:
            torch.testing.assert_close(-rows["log_probabilities"][range(6), range(6)], rows["nats"])


def test_images_without_a_label_are_in_no_measure():
    task = objective().eval()
    scores = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    some = task.measure(rows_of(task.score(scores, {"labels": torch.tensor([3, NO_LABEL, 0, 2, NO_LABEL])})))
    alone = task.measure(rows_of(task.score(scores[[0, 2, 3]], {"labels": torch.tensor([3, 0, 2])})))
    assert some == pytest.approx(alone)
    none = task.measure(rows_of(task.score(scores, {"labels": torch.full((5,), NO_LABEL)})))
    assert np.isnan([*none.values()]).all()


def test_another_metric_may_choose_the_best_model():
    assert (objective().monitor, objective().mode) == ("top1", "max")
    chosen = objective(monitor="calibration_error")
    assert (chosen.monitor, chosen.mode) == ("calibration_error", "min")
    with pytest.raises(
        ValueError, match=r"objective\.monitor=recall: .* compares models by: loss, top1, top5, macro_f1"
    ):
        objective(monitor="recall")
