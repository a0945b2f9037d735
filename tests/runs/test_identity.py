"""What has changed between two records of data is said in words."""

from variformer.runs.data_identity import changed_parts, some


def test_parts_that_changed_are_gone_or_are_new():
    then = {"parts": {"a.txt": "1", "b.txt": "2", "the tokenizer": "3"}}
    now = {"parts": {"a.txt": "9", "c.txt": "2", "the tokenizer": "3"}}
    assert list(changed_parts(then, now)) == ["changed: a.txt", "gone: b.txt", "new: c.txt"]
    assert list(changed_parts(then, then)) == []


def test_an_older_record_has_counts_alone():
    then = {"fingerprint": "a", "train": {"documents": 1200, "bytes": 5}, "skipped": {"empty": 1}}
    now = {"fingerprint": "b", "parts": {}, "train": {"documents": 1100, "bytes": 5}, "skipped": {"empty": 0}}
    assert list(changed_parts(then, now)) == ["train: 1,200 documents then, 1,100 now", "skipped: 1 empty then, 0 now"]


def test_of_many_names_the_first_are_shown():
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(list("abcde")) == "a, b, c and 2 more"
