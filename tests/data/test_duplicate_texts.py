"""The same document twice: counted, named, and kept, dropped or refused."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import ByteLevel, HubText, TextData, TextFiles
from variformer.data.text.cleaning import Cleaner
from variformer.data.text.document import Document
from variformer.data.text.duplicates import SPLITS, repeats, superfluous
from variformer.data.text.store import TextStore, write_store

GIVEN = {"train": ["a", "b", "b ", "c", "d", "b"], "val": ["c", "e", "e"], "test": ["f", "d", "c"]}
COUNTS = {"train": 2, "val": 1, "val in train": 1, "test in train": 2, "test in val": 1}


class Listed:
    def __init__(self, **splits):
        self.splits = splits

    def read(self):
        return {
            split: [Document(f"{split}:{number}", text) for number, text in enumerate(texts)]
            for split, texts in self.splits.items()
        }


def stored(folder, on_duplicate, fractions=(0.0, 0.0), **splits):
    write_store(folder, Listed(**splits), Cleaner("skip", 1000), *fractions, on_duplicate)
    store = TextStore(folder)
    return store.duplicates, {name: list(store.texts(name)) for name in SPLITS}


def test_kept_duplicates_are_counted_and_named_in_one_line(tmp_path, caplog):
    counts, texts = stored(tmp_path, "keep", **GIVEN)
    assert counts == COUNTS
    assert [len(texts[name]) for name in SPLITS] == [6, 3, 3]
    assert [record.message for record in caplog.records] == [
        "duplicate documents: 2 of train (first: train:2 equals train:1); 1 of val (first: val:2 equals val:1); "
        "1 of val in train (a leak) (first: val:0 equals train:3); "
        "2 of test in train (a leak) (first: test:1 equals train:4); "
        "1 of test in val (a leak) (first: test:2 equals val:0); "
        "on_duplicate=keep keeps them all, drop would keep one of each"
    ]


def test_dropping_keeps_what_is_scored(tmp_path, caplog):
    counts, texts = stored(tmp_path, "drop", **GIVEN)
    assert counts == COUNTS
    assert texts == {"train": ["a", "b"], "val": ["e"], "test": ["f", "d", "c"]}
    assert "on_duplicate=drop keeps one of each" in caplog.text


def test_an_error_names_the_first_of_each_kind(tmp_path):
    with pytest.raises(
        ValueError, match=r"2 of test in train \(a leak\) \(first: test:1 equals train:4\).*on_duplicate=drop"
    ):
        stored(tmp_path, "error", **GIVEN)


def test_documents_without_duplicates_pass_in_silence(tmp_path, caplog):
    counts, texts = stored(tmp_path, "error", train=["a", "b"], val=["c"])
    assert counts == {} and not caplog.records
    assert texts == {"train": ["a", "b"], "val": ["c"], "test": []}


def test_duplicates_go_to_a_cut_split_together(tmp_path):
    many = [f"document {number % 50}" for number in range(150)]
    counts, texts = stored(tmp_path, "drop", (0.3, 0.3), train=many)
    assert sum(counts.values()) == 100 and set(counts) == set(SPLITS)
    assert sorted(text for part in texts.values() for text in part) == sorted(set(many))


def test_nothing_is_left_to_train_on(tmp_path):
    with pytest.raises(ValueError, match=r"no training document is left.*the other splits have them all"):
        stored(tmp_path, "drop", train=["a", "b"], val=["b", "a"])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=30))
def test_what_is_counted_is_what_is_dropped(documents):
    texts = np.array([text for text, _ in documents], dtype=np.int64)
    splits = np.array([split for _, split in documents], dtype=np.uint8)
    left = ~superfluous(texts, splits)
    assert sorted(texts[left]) == sorted(set(texts))
    for text, split in zip(texts[left], splits[left], strict=True):
        assert split == max(splits[texts == text])
    assert bool(repeats(texts, splits)) == (not left.all())
    assert not repeats(texts[left], splits[left])


def test_a_file_of_two_splits_is_a_leak(tmp_path, caplog):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
    source = TextFiles(str(tmp_path / "*.txt"), validation=str(tmp_path / "b.txt"))
    settings = dict(test=0, cache=str(tmp_path / "cache"))
    with caplog.at_level(logging.WARNING):
        data = TextData(source, ByteLevel(), **settings)
        assert data.report["duplicates"] == {"val in train": 1}
    assert f"(first: {tmp_path / 'b.txt'} equals {tmp_path / 'b.txt'})" in caplog.text and len(caplog.records) == 1
    assert TextData(source, ByteLevel(), **settings).report["duplicates"] == {"val in train": 1}  # from the cache
    assert TextData(source, ByteLevel(), on_duplicate="drop", **settings).report["train"]["documents"] == 1
    with pytest.raises(ValueError, match=r"1 of val in train \(a leak\)"):
        TextData(source, ByteLevel(), on_duplicate="error", **settings).prepare()


def test_a_split_given_twice_is_a_leak(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict({"text": ["one", "two", "one"]}).save_to_disk(tmp_path / "saved")
    source = HubText(str(tmp_path / "saved"), validation_split="train")
    data = TextData(source, ByteLevel(), test=0, cache=str(tmp_path / "cache"))
    assert data.report["duplicates"] == {"train": 1, "val": 1, "val in train": 3}


def test_an_unknown_policy(tmp_path):
    with pytest.raises(ValueError, match="on_duplicate is keep, drop or error, not 'warn'"):
        TextData(TextFiles("a.txt"), ByteLevel(), on_duplicate="warn")
