"""Classes and numbers of texts: layout, weights, smoothing, rows, and what is measured."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from variformer.objectives import SequenceClassification, SequenceRegression
from variformer.objectives.sequence_classification import weights_of
from variformer.samples import Layout

LABELS = ("bad", "fair", "good")
BERT, T5, GPT = Layout([2], [], [1], 0), Layout([], [], [1], 0), Layout([], [], [], 0)
PAIR = Layout([2], [1], [1], 1)


def data_of(layout: Layout = BERT, labels: tuple[str, ...] = LABELS, **more) -> SimpleNamespace:
    tokenizer = SimpleNamespace(pad=0, start=2, end=1, layout=lambda pair: layout)
    fields = {"text", "label"} | ({"pair"} if layout.between else set())
    known = {"label_counts": dict(zip(labels, (1, 2, 3), strict=False)), "scale": (10.0, 2.0)}
    return SimpleNamespace(
        tokenizer=tokenizer, labels=labels, fields=fields, require=lambda *_, reader: None, **known | more
    )


def sample(text, label=0, pair=None, value=0.0) -> dict:
    pair = None if pair is None else np.array(pair, dtype=np.uint16)
    return {"text": np.array(text, dtype=np.uint16), "pair": pair, "label": label, "value": value}


def collated(objective, samples, train=False) -> dict:
    return objective.collate(samples, np.arange(len(samples), dtype=np.uint64), train)


class Fixed(torch.nn.Module):
    """A model with given scores."""

    def __init__(self, scores):
        super().__init__()
        self.scores = torch.nn.Parameter(torch.as_tensor(scores))

    def forward(self, tokens, mask=None, segments=None):
        return self.scores[: len(tokens)]


@pytest.mark.parametrize(("layout", "row"), [(BERT, [2, 7, 8, 1]), (T5, [7, 8, 1]), (GPT, [7, 8])])
def test_the_tokenizer_s_special_tokens_surround_a_text(layout, row):
    objective = SequenceClassification(data_of(layout), length=16)
    batch = collated(objective, [sample([7, 8]), sample([7] * 9)])
    assert batch["tokens"][0, : len(row)].tolist() == row and not batch["tokens"][0, len(row) :].any()
    assert batch["mask"].sum(1).tolist() == [len(row), len(row) + 7] and batch["segments"] is None
    assert batch["count"] == 2 and batch["tokens"].shape == (2, 16)


def test_a_pair_has_two_segments():
    objective = SequenceClassification(data_of(PAIR), length=16)
    batch = collated(objective, [sample([7, 8], pair=[9]), sample([7], pair=[9, 9, 9, 9])])
    assert batch["tokens"].tolist() == [[2, 7, 8, 1, 9, 1, 0, 0], [2, 7, 1, 9, 9, 9, 9, 1]]
    assert batch["segments"].tolist() == [[0, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1]]


def test_batches_are_as_wide_as_their_longest_text():
    objective = SequenceClassification(data_of(), length=20)
    assert collated(objective, [sample([5] * 3), sample([5] * 7)])["tokens"].shape == (2, 16)
    full = collated(objective, [sample([5] * 18)])
    assert full["tokens"].shape == (1, 20) and full["mask"] is None
    assert objective.room == 18


def test_no_room_for_a_text_is_refused():
    with pytest.raises(ValueError, match=r"length=2 leaves no room for a text beside 2 special tokens"):
        SequenceClassification(data_of(), length=2)


def test_the_loss_is_the_cross_entropy():
    scores, labels = torch.randn(4, 3), [0, 2, 1, 2]
    objective = SequenceClassification(data_of(), length=16).train()
    found = objective(Fixed(scores), collated(objective, [sample([5], label) for label in labels], train=True))
    expected = F.cross_entropy(scores, torch.tensor(labels))
    torch.testing.assert_close(found.loss, expected)
    assert found.targets == 4 and found.rows is None
    assert float(found.ratios["loss"].total / 4) == pytest.approx(float(expected))


def test_weights_change_the_gradient_and_not_the_reported_loss():
    scores, labels = torch.randn(4, 3), torch.tensor([0, 2, 1, 2])
    weights = {"bad": 3.0, "fair": 1.0, "good": 0.5}
    objective = SequenceClassification(data_of(), length=16, class_weights=weights).train()
    found = objective(Fixed(scores), collated(objective, [sample([5], int(each)) for each in labels], train=True))
    expected = F.cross_entropy(scores, labels, weight=torch.tensor([3.0, 1.0, 0.5]))
    torch.testing.assert_close(found.loss, expected)
    assert float(found.targets) == 3.0 + 0.5 + 1.0 + 0.5
    assert float(found.ratios["loss"].total) == pytest.approx(float(F.cross_entropy(scores, labels, reduction="sum")))


def test_balanced_weights_make_all_classes_count_alike():
    assert weights_of("balanced", data_of()) == pytest.approx([6 / 3, 6 / 6, 6 / 9])
    with pytest.raises(ValueError, match=r"balanced: no training row is 'good'; give weights by name"):
        weights_of("balanced", data_of(label_counts={"bad": 1, "fair": 2}))
    with pytest.raises(ValueError, match=r"class_weights: give one for each of bad, fair, good; wrong: grand"):
        weights_of({"bad": 1.0, "fair": 1.0, "good": 1.0, "grand": 1.0}, data_of())


def test_smoothing_is_for_training_alone():
    scores, batch = torch.randn(2, 3), [sample([5], 0), sample([5], 1)]
    objective = SequenceClassification(data_of(), length=16, label_smoothing=0.1)
    labels = torch.tensor([0, 1])
    trained = objective.train()(Fixed(scores), collated(objective, batch))
    torch.testing.assert_close(trained.loss, F.cross_entropy(scores, labels, label_smoothing=0.1))
    evaluated = objective.eval()(Fixed(scores), collated(objective, batch))
    torch.testing.assert_close(evaluated.loss, F.cross_entropy(scores, labels))


def test_rows_without_a_label_are_only_for_evaluation():
    scores, batch = torch.randn(3, 3), [sample([5], 0), sample([5], -1), sample([5], 2)]
    objective = SequenceClassification(data_of(), length=16).eval()
    found = objective(Fixed(scores), collated(objective, batch))
    expected = F.cross_entropy(scores[[0, 2]], torch.tensor([0, 2]))
    torch.testing.assert_close(found.loss, expected)
    assert found.ratios["loss"].count == 2 and found.rows["label"].tolist() == [0, -1, 2]
    measured = objective.measure({name: each.detach().numpy() for name, each in found.rows.items()})
    assert measured["accuracy"] == float((scores.argmax(-1)[[0, 2]] == torch.tensor([0, 2])).float().mean())
    with pytest.raises(ValueError, match=r"a training row has no label"):
        collated(objective, batch, train=True)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40), st.randoms())
def test_metrics_do_not_depend_on_the_order_of_rows(pairs, random):
    objective = SequenceClassification(data_of(), length=16)
    labels, guesses = np.array(pairs).T
    rows = {"label": labels, "guess": guesses, "confidence": np.full(len(labels), 0.75)}
    order = list(range(len(labels)))
    random.shuffle(order)
    found, other = objective.measure(rows), objective.measure({name: each[order] for name, each in rows.items()})
    assert found == pytest.approx(other) and found["accuracy"] == (labels == guesses).mean() and "f1" not in found


def test_f1_is_that_of_the_positive_one_of_two_classes():
    rows = {"label": np.array([1, 1, 0]), "guess": np.array([1, 0, 0]), "confidence": np.ones(3)}
    two = data_of(labels=("no", "yes"))
    assert SequenceClassification(two, 16).measure(rows)["f1"] == pytest.approx(2 / 3)
    assert SequenceClassification(two, 16, positive="no").measure(rows)["f1"] == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"objective.positive=maybe is none of no, yes"):
        SequenceClassification(two, 16, positive="maybe")
    with pytest.raises(ValueError, match=r"monitor=f1 is that of two classes, not of 3; set monitor=macro_f1"):
        SequenceClassification(data_of(), 16, monitor="f1")


@pytest.mark.parametrize("monitor", SequenceClassification.monitors)
def test_every_monitor_is_measured(monitor):
    objective = SequenceClassification(data_of(labels=("no", "yes")), 16, monitor=monitor).eval()
    found = objective(Fixed(torch.randn(2, 2)), collated(objective, [sample([5], 0), sample([5], 1)]))
    rows = {name: each.detach().numpy() for name, each in found.rows.items()}
    assert monitor in objective.measure(rows) | found.ratios.keys() if monitor != "loss" else "loss" in found.ratios
    assert objective.mode == objective.monitors[monitor]


def test_an_answer_has_the_likeliest_class_and_probabilities():
    objective = SequenceClassification(data_of(), 16)
    scores = torch.tensor([[0.0, 2.0, 1.0]])
    (found,) = objective.answer(Fixed(scores), collated(objective, [sample([5], -1)]))
    probabilities = scores[0].softmax(-1)
    assert found["label"] == "fair" and found["score"] == pytest.approx(float(probabilities[1]))
    assert found["scores"] == pytest.approx(dict(zip(LABELS, probabilities.tolist(), strict=True)))


def test_of_many_classes_only_the_likeliest_are_listed():
    labels = tuple(f"class {number}" for number in range(30))
    objective = SequenceClassification(data_of(labels=labels), 16).eval()
    batch = collated(objective, [sample([5], 3)])
    (found,) = objective.answer(Fixed(torch.arange(30.0)[None]), batch)
    assert list(found["scores"]) == [f"class {number}" for number in (29, 28, 27, 26, 25)]
    assert "log_probabilities" not in objective(Fixed(torch.randn(1, 30)), batch).rows


def test_values_are_standardised_and_measured_in_their_unit():
    objective = SequenceRegression(data_of(), 16).eval()
    batch = collated(objective, [sample([5], value=12.0), sample([5], value=float("nan")), sample([5], value=9.0)])
    found = objective(Fixed(torch.tensor([[1.0], [5.0], [0.5]])), batch)
    assert found.loss.item() == pytest.approx(((1.0 - 1.0) ** 2 + (0.5 + 0.5) ** 2) / 2)
    rows = {name: each.detach().numpy() for name, each in found.rows.items()}
    assert rows["guess"].tolist() == [12.0, 20.0, 11.0]
    assert objective.measure(rows)["mean_absolute_error"] == pytest.approx(1.0)
    assert objective.answer(Fixed(torch.tensor([[1.0]])), batch) == [{"value": 12.0}]


def test_a_head_without_a_bias_cannot_keep_the_mean():
    class Head(torch.nn.Module):
        scores = "head"

        def __init__(self, bias):
            super().__init__()
            self.head = torch.nn.Linear(2, 1, bias=bias)

    objective = SequenceRegression(data_of(), 16)
    objective.initialise(Head(bias=True))
    with pytest.raises(ValueError, match=r"has no bias for the mean of the values \(10\); choose head=first_token"):
        objective.initialise(Head(bias=False))
    SequenceRegression(data_of(scale=(0.0, 2.0)), 16).initialise(Head(bias=False))
