import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data.text.cleaning import Cleaner
from variformer.data.text.document import Document
from variformer.data.text.store import SPLITS, TextStore, assign_splits, write_store

fractions = st.sampled_from([0.0, 0.05, 0.3])


class Listed:
    """A source of texts given as lists."""

    def __init__(self, **splits):
        self.splits = splits

    def read(self):
        return {
            split: [Document(f"{split} {number}", text) for number, text in enumerate(texts)]
            for split, texts in self.splits.items()
        }


def store(folder, source, validation=0.05, test=0.05):
    write_store(folder, source, Cleaner("skip", 1000), validation, test)
    return TextStore(folder)


def test_splits_are_disjoint_complete_and_of_the_asked_size(tmp_path):
    texts = [f"document {number}" for number in range(4000)]
    parts = {name: list(store(tmp_path, Listed(train=texts), 0.1, 0.2).texts(name)) for name in SPLITS}
    assert sorted([*parts["train"], *parts["val"], *parts["test"]]) == sorted(texts)
    assert abs(len(parts["val"]) - 400) < 80
    assert abs(len(parts["test"]) - 800) < 110


def test_a_document_keeps_its_split_when_others_come(tmp_path):
    texts = [f"document {number}" for number in range(400)]
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    few = store(tmp_path / "few", Listed(train=texts[:200]))
    many = store(tmp_path / "many", Listed(train=texts[::-1]))
    for name in SPLITS:
        assert set(few.texts(name)) <= set(many.texts(name))


def test_equal_documents_stay_together(tmp_path):
    texts = [f"document {number % 50}" for number in range(500)]
    parts = [set(store(tmp_path, Listed(train=texts), 0.3, 0.3).texts(name)) for name in SPLITS]
    assert sum(len(part) for part in parts) == 50


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30), fractions, fractions)
def test_no_wanted_split_is_empty_with_enough_documents(points, validation, test):
    points = np.array(points)
    splits = assign_splits(points, validation, test)
    wanted = {0} | ({1} if validation else set()) | ({2} if test else set())
    assert set(splits) <= wanted
    assert len(set(splits)) == min(len(wanted), len(np.unique(points)))
    assert all(len(set(splits[points == point])) == 1 for point in points)


def test_one_document_is_for_training():
    for point in (0.01, 0.07, 0.9):
        assert assign_splits(np.array([point]), 0.05, 0.05).tolist() == [0]


def test_given_splits_are_kept_and_the_others_cut_from_training(tmp_path):
    source = Listed(train=[f"t{number}" for number in range(100)], val=["v1", "v2"])
    parts = {name: list(store(tmp_path, source, validation=0.5, test=0.1).texts(name)) for name in SPLITS}
    assert parts["val"] == ["v1", "v2"]
    assert parts["test"] and set(parts["test"]) | set(parts["train"]) == set(source.splits["train"])


def test_texts_are_cleaned_kept_in_order_and_can_be_read_twice(tmp_path):
    texts = store(tmp_path, Listed(train=["a \r\nb", "", "caf\u00e9", "\U0001f600"]), 0, 0).texts("train")
    assert len(texts) == 3
    assert list(texts) == list(texts) == ["a\nb", "caf\u00e9", "\U0001f600"]


def test_what_was_left_out_is_kept_and_said(tmp_path, caplog):
    written = store(tmp_path, Listed(train=["good", "", "x" * 2000, " "]), 0, 0)
    assert written.skipped == {"empty": 2, "longer than 1000 bytes": 1}
    assert [record.message for record in caplog.records] == [
        "left out 3 documents: 2 empty (first: train 1); 1 longer than 1000 bytes (first: train 2)"
    ]


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_nothing_left_to_train_on(tmp_path, texts):
    with pytest.raises(ValueError, match="no training document is left"):
        store(tmp_path, Listed(train=texts, val=["good"]))
