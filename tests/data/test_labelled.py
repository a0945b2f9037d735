"""Rows of files become labelled examples: checked, split, stored, and read as tokens."""

import importlib
import inspect
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import ByteLevel, Example, LabelledData, LabelledFiles, WordPiece
from variformer.data.labelled.example import FIELDS
from variformer.data.labelled.fields import value_of
from variformer.data.labelled.naming import in_order
from variformer.data.labelled.ragged import Ragged, RaggedFile


def csv(path, rows, header="text,label"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def many(path, count=300, labels=("bad", "good")):
    return csv(path, [f"review number {n},{labels[n % len(labels)]}" for n in range(count)])


@pytest.fixture
def data(tmp_path):
    """Makes a data set of a source, with a byte for each token."""

    def make(source, recipe=None, **settings):
        source = LabelledFiles(source) if isinstance(source, str) else source
        return LabelledData(source, recipe or ByteLevel(), cache=str(tmp_path / "cache"), **settings)

    return make


def texts(split):
    return [split.rows.value("text", index) for index in range(len(split))]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json"])
def test_rows_of_each_kind_of_file(tmp_path, data, kind):
    rows = [{"text": f"number {n}", "label": "ab"[n % 2]} for n in range(40)]
    sign = "," if kind == "csv" else "\t"
    content = {
        "jsonl": "\n".join(map(json.dumps, rows)),
        "json": json.dumps(rows),
    }.get(kind, "\n".join([f"text{sign}label", *(sign.join(row.values()) for row in rows)]))
    (tmp_path / f"data.{kind}").write_text(content)
    found = data(str(tmp_path / f"data.{kind}"))
    kept = {
        (text, split.rows.value("label", index))
        for split in map(found.split, ("train", "val", "test"))
        for index, text in enumerate(texts(split))
    }
    assert kept == {tuple(row.values()) for row in rows}


def test_a_view_gives_tokens_and_the_place_of_the_label(tmp_path, data):
    found = data(many(tmp_path / "a.csv"))
    split = found.split("train")
    view = split.texts(100)
    for index in (0, 5, len(view) - 1):
        sample = view.sample(index)
        assert found.tokenizer.decode(sample["text"]) == split.rows.value("text", index)
        assert found.labels[sample["label"]] == split.rows.value("label", index)
        assert sample["pair"] is None and view.lengths[index] == len(sample["text"])
    assert found.labels == ("bad", "good") and found.found_settings == {"labels": ["bad", "good"]}


def test_labels_that_are_given_decide_and_are_not_settled(tmp_path, data):
    path = many(tmp_path / "a.csv")
    found = data(path, labels=["good", "other", "bad"])
    sample = found.split("train").texts(100).sample(0)
    assert found.labels[sample["label"]] in ("good", "bad") and found.found_settings == {}
    same = data(path, labels=["bad", "good"])
    assert same.fingerprint == data(path).fingerprint != found.fingerprint


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["b", "a"], ("a", "b")),
        (["-1", "0.5", "1e3"], ("-1", "0.5", "1e3")),
        (["nan", "3"], ("3", "nan")),
    ],
)
def test_names_are_sorted_as_numbers_where_all_are(names, expected):
    assert in_order(names) == expected


def test_null_and_na_are_words(tmp_path, data):
    rows = [f"{word} {n},{word}" for n in range(30) for word in ("null", "NA", "None")]
    assert data(csv(tmp_path / "a.csv", rows)).labels == ("NA", "None", "null")


def test_a_split_follows_the_input_and_never_the_label(tmp_path, data):
    def splits(name, label):
        found = data(csv(tmp_path / name, [f"review number {n},{label(n)}" for n in range(300)]))
        return [texts(found.split(split)) for split in ("train", "val", "test")]

    one = splits("a.csv", lambda n: n % 2)
    assert one == splits("b.csv", lambda n: (n // 2) % 2)
    assert min(map(len, one)) > 10 and len(set().union(*one)) == 300


def test_rows_of_a_group_stay_together(tmp_path, data):
    rows = [f"review number {n},{n % 2},g{n % 40}" for n in range(400)]
    found = data(LabelledFiles(csv(tmp_path / "a.csv", rows, "text,label,film"), group="film"))
    groups = [{int(text.split()[-1]) % 40 for text in texts(found.split(split))} for split in ("train", "val", "test")]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 40


def test_a_text_that_two_files_have_stays_in_the_later_split(tmp_path, data, caplog):
    train = csv(tmp_path / "a.csv", ["one,a", "two,b", "two,a", "three,b", "four,a", "four,a"])
    other = csv(tmp_path / "b.csv", ["three,a", "five,b"])
    found = data(LabelledFiles(train, test=other), validation=0)
    assert texts(found.split("train")) == ["one", "two", "two", "four", "four"]
    assert texts(found.split("test")) == ["three", "five"]
    report = found.report
    assert (report["in_two_splits"], report["repeated"], report["contradictory"]) == (1, 2, 3)
    assert f"(first: {train}:5)" in caplog.text and f"another label (first: {train}:3)" in caplog.text


BAD = [
    (" ,a", "empty text"),
    ("word,", "empty label"),
    ("caf\udce9,a", "not UTF-8"),
    ("a,b,c", "more fields than the header"),
]


@pytest.mark.parametrize(("row", "fault"), BAD)
def test_a_bad_row_is_named_by_its_line(tmp_path, data, row, fault):
    good = [f"review {n},{'ab'[n % 2]}" for n in range(20)]
    content = "\n".join(["text,label", *good, row, "last,a"])
    (tmp_path / "a.csv").write_bytes(content.encode(errors="surrogateescape"))
    path = str(tmp_path / "a.csv")
    with pytest.raises(ValueError, match=rf"a\.csv:22: {fault}; mend it, or set data\.on_bad=skip"):
        data(path).prepare()
    report = data(path, on_bad="skip").report
    assert (
        report["skipped"] == {fault: 1} and sum(report[split]["examples"] for split in ("train", "val", "test")) == 21
    )


def test_a_column_that_is_not_there(tmp_path, data):
    path = csv(tmp_path / "a.csv", ["x,1,2"], "id,review,stars")
    with pytest.raises(ValueError, match=r"a\.csv:2: no column 'txt'; there are: id, review, stars"):
        data(LabelledFiles(path, columns={"text": "txt"})).prepare()
    with pytest.raises(ValueError, match=r"columns\.txt: no field of a task; there are: text, pair"):
        LabelledFiles(path, columns={"txt": "review"})
    found = data(LabelledFiles(path, columns={"text": "review"}), validation=0, test=0)
    with pytest.raises(ValueError, match=r"has: id, review, stars; LabelledData needs label: set data"):
        found.labels  # noqa: B018


def test_an_unknown_label_is_answered_with_all_of_them(tmp_path, data):
    found = data(many(tmp_path / "a.csv"))
    other = found.only([csv(tmp_path / "b.csv", ["x,good", "y,so-so", "z,so-so", "w,fine"])])
    with pytest.raises(ValueError, match=r"b\.csv:3: label 'so-so' is none of bad, good .*so-so \(2\), fine \(1\)"):
        other.split("test").texts(10)


def test_other_files_have_the_same_tokens_and_labels(tmp_path, data):
    found = data(many(tmp_path / "a.csv"), WordPiece(200))
    other = found.only([csv(tmp_path / "b.csv", ["review number 3,good"]), csv(tmp_path / "c.csv", ["new"], "text")])
    view = other.split("test").texts(30)
    assert other.tokenizer.fingerprint == found.tokenizer.fingerprint and other.labels == found.labels
    assert [view.sample(index)["label"] for index in (0, 1)] == [1, -1]
    held = found.hold([Example("here", {"text": "review number 3"})]).texts(30)
    np.testing.assert_array_equal(held.sample(0)["text"], view.sample(0)["text"])


def test_one_label_alone_is_refused(tmp_path, data):
    found = data(csv(tmp_path / "a.csv", [f"review {n},good" for n in range(50)]))
    with pytest.raises(ValueError, match=r"all \d+ training labels are 'good': there is nothing to tell apart"):
        found.labels  # noqa: B018


def test_a_label_with_a_single_row_is_told(tmp_path, data, caplog):
    rows = [f"review {n},{n % 2}" for n in range(30)] + ["the only one,2"]
    assert data(csv(tmp_path / "a.csv", rows), validation=0, test=0).labels == ("0", "1", "2")
    assert "1 label(s) have a single training row, such as '2' (0: 15, 1: 15, 2: 1)" in caplog.text


def test_too_many_labels_are_refused_unless_given(tmp_path, data):
    path = csv(tmp_path / "a.csv", [f"review {n},n{n}" for n in range(1200)])
    with pytest.raises(ValueError, match="more than 1000 different labels: is this the right column"):
        data(path, validation=0, test=0).labels  # noqa: B018
    given = data(path, labels=[f"n{n}" for n in range(1200)], validation=0, test=0)
    assert given.split("train").texts(20).sample(7)["label"] == 7


def test_numbers_as_labels(tmp_path, data):
    found = data(csv(tmp_path / "a.csv", [f"review {n},{n / 4}" for n in range(9)]), validation=0, test=0)
    assert found.scale == pytest.approx((1.0, np.std(np.arange(9) / 4)))
    assert found.split("train").rated_texts(9).sample(3)["value"] == 0.75
    assert found.found_settings == {"scale": list(found.scale)}
    words = data(csv(tmp_path / "b.csv", ["a,1", "b,good"]), validation=0, test=0)
    with pytest.raises(ValueError, match=r"label 'good' at .*b\.csv:3 is no number; objective=sequence_classification"):
        words.scale  # noqa: B018


def test_long_texts_are_cut_and_counted_or_refused(tmp_path, data, caplog):
    path = csv(tmp_path / "a.csv", ["a,x", "abcdef,y", "abcdefgh,x"])
    found = data(path, validation=0, test=0)
    view = found.split("train").texts(4)
    assert view.lengths.tolist() == [1, 4, 4] and found.report["cut"] == {"train": 2}
    assert "2 of 3 train rows are longer than the model reads" in caplog.text
    with pytest.raises(ValueError, match=r"first: .*a\.csv:3\): raise length, or set data\.on_long=cut"):
        data(path, validation=0, test=0, on_long="error").split("train").texts(4)


@given(first=st.integers(0, 12), second=st.integers(0, 12), length=st.integers(1, 20))
def test_of_two_texts_the_longer_is_cut_first(first, second, length):
    from variformer.data.labelled.views import CutTexts

    one, two = (Ragged.of([np.arange(size)], np.int64) for size in (first, second))
    view = CutTexts(one, two, length)
    text, pair = view.tokens(0)
    assert len(text) + len(pair) == view.lengths[0] == min(first + second, length)
    left = [first, second]
    while sum(left) > length:  # one token at a time, as Hugging Face's "longest_first" does it
        left[int(left[1] >= left[0])] -= 1
    assert sorted((len(text), len(pair))) == sorted(left) and view.cut[0] == (first + second > length)


def test_pairs_and_targets(tmp_path, data):
    path = csv(tmp_path / "a.csv", [f"one {n},two {n},{n % 2}" for n in range(9)], "text,pair,label")
    found = data(path, validation=0, test=0)
    sample = found.split("train").texts(50).sample(2)
    assert (found.tokenizer.decode(sample["text"]), found.tokenizer.decode(sample["pair"])) == ("one 2", "two 2")
    path = csv(tmp_path / "b.csv", ["abc,xyz"] * 3, "source,target")
    found = data(path, validation=0, test=0)
    sample = found.split("train").text_pairs(6, 2, prefix="do: ").sample(0)
    assert found.tokenizer.decode(sample["source"]) == "do: ab"
    assert found.tokenizer.decode(sample["target"]) == "xy" and sample["reference"] == "xyz"


def test_tokens_are_made_once(tmp_path, data, monkeypatch):
    path = many(tmp_path / "a.csv")
    before = data(path).split("train").texts(50)
    monkeypatch.setattr("variformer.data.labelled.encoded.encodings", None)
    after = data(path).split("train").texts(50)
    np.testing.assert_array_equal(before.text.values, after.text.values)


def test_a_worker_opens_the_files_again(tmp_path, data):
    view = data(many(tmp_path / "a.csv")).split("train").texts(50)
    content = pickle.dumps(view)
    assert len(content) < 5000 + 8 * len(view) * 3
    np.testing.assert_array_equal(pickle.loads(content).sample(4)["text"], view.sample(4)["text"])


@given(st.lists(st.lists(st.integers(0, 255), max_size=5), max_size=6))
def test_ragged_rows_come_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "a"
    with RaggedFile(path, np.uint8) as file:
        for row in rows:
            file.add(np.array(row, np.uint8))
    for found in (Ragged.open(path), Ragged.of(map(np.array, rows), np.uint8)):
        assert [row.tolist() for row in found] == rows and found.lengths.tolist() == [len(row) for row in rows]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("label", 3, "3"),
        ("label", True, "true"),
        ("label", 0.5, "0.5"),
        ("tokens", "a b  c", ["a", "b", "c"]),
        ("tags", [0, 1], ["0", "1"]),
        ("answers", "yes", [{"text": "yes", "start": -1}]),
        ("answers", {"text": ["a"], "answer_start": [3]}, [{"text": "a", "start": 3}]),
        ("answers", [{"text": "a", "answer_start": 3}], [{"text": "a", "start": 3}]),
        ("answers", {"text": [], "answer_start": []}, []),
    ],
)
def test_values_as_they_are_kept(field, value, expected):
    assert value_of(field, value) == expected


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "conf" / "data").glob("*.yaml")), ids=lambda p: p.stem
)
def test_configs_hold_the_defaults(path):
    """Every argument of the data set and of its source stands in the file, with the default of the class."""
    node = yaml.safe_load(path.read_text())
    if not str(node.get("_target_")).endswith(".LabelledData"):
        return
    source = node.pop("source")
    kind = getattr(
        importlib.import_module(source["_target_"].rpartition(".")[0]), source["_target_"].rpartition(".")[2]
    )
    parameters = inspect.signature(LabelledData).parameters
    assert node.keys() - {"_target_", "_partial_"} == parameters.keys() - {"source", "tokenizer_recipe"}
    held_out = {"test": 0.0, "words": "punctuation"} if path.stem == "reference_marks" else {}
    for name in node.keys() - {"_target_", "_partial_"}:
        assert node[name] == held_out.get(name, parameters[name].default), name
    parameters = inspect.signature(kind).parameters
    assert source.keys() - {"_target_"} == parameters.keys()
    for name, value in source.items():
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        if default not in (inspect.Parameter.empty, value) and name != "columns":
            raise AssertionError(f"{name} is {value}, and the class has {default}")
    if "text" in source.get("columns", {}):
        assert source["columns"] == {field: field for field in FIELDS if field in source["columns"]}
        assert set(source["columns"]) == set(FIELDS)
