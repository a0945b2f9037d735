"""Several data sets as one: a shared tokenizer, prefixes, shares, and what an objective is given."""

from functools import partial

import numpy as np
import pytest

from variformer.data import (
    ByteLevel,
    CharacterLevel,
    LabelledData,
    LabelledFiles,
    Mixture,
    Pretrained,
    PythonDocs,
    TextData,
    TextFiles,
)
from variformer.objectives.objective import ExampleObjective
from variformer.training.data_module import DataModule


def corpus(folder, name, text, documents):
    (folder / f"{name}.txt").write_text("\n\n\n".join(f"{text} {n}" for n in range(documents)))
    source = TextFiles(str(folder / f"{name}.txt"), document_separator="\n\n\n")
    return partial(TextData, source, validation=0.2, test=0.2, cache=str(folder / "cache"))


def task(folder, name, rows, header="source,target", **settings):
    (folder / f"{name}.csv").write_text("\n".join([header, *rows]))
    source = LabelledFiles(str(folder / f"{name}.csv"))
    return partial(LabelledData, source, **{"validation": 0, "test": 0, "cache": str(folder / "cache")} | settings)


@pytest.fixture
def mixed(tmp_path):
    def make(parts, recipe=None, **settings):
        return Mixture(parts, recipe or ByteLevel(), cache=str(tmp_path / "cache"), **settings)

    return make


@pytest.fixture
def corpora(tmp_path, mixed):
    return lambda **settings: mixed(
        {"ab": corpus(tmp_path, "ab", "abab", 60), "xy": corpus(tmp_path, "xy", "xyxyxy", 20)}, **settings
    )


@pytest.fixture
def tasks(tmp_path, mixed):
    rows = [f"word {n},{n}" for n in range(30)]
    return lambda **settings: mixed(
        {"many": task(tmp_path, "many", rows), "few": task(tmp_path, "few", rows[:10])}, **settings
    )


def test_all_parts_make_the_tokenizer(corpora):
    data = corpora()
    data.recipe = CharacterLevel()
    letters = {data.tokenizer.decode([id]) for text in ("a", "y") for id in data.tokenizer.encode(text)}
    assert letters == {"a", "y"} and data.tokenizer.size > 256
    assert all(part.tokenizer.fingerprint == data.tokenizer.fingerprint for part in data.members.values())


def test_a_pretrained_tokenizer_serves_all_parts(corpora, tmp_path):
    corpora().tokenizer.save(tmp_path / "tokenizer")
    data = corpora()
    data.recipe = Pretrained(str(tmp_path / "tokenizer"))
    assert data.split("val").windows(8).sample(0)["tokens"].shape == (8,)


def test_a_view_holds_the_samples_of_all_parts(corpora):
    data = corpora()
    data.prepare()
    mixed, parts = data.split("train").windows(16), [part.split("train").windows(16) for part in data.members.values()]
    assert mixed.sizes == list(map(len, parts)) and len(mixed) == sum(mixed.sizes) and mixed.lengths is None
    for index in (0, mixed.sizes[0] - 1, mixed.sizes[0], len(mixed) - 1):
        part = int(index >= mixed.sizes[0])
        sample = mixed.sample(index, 3)
        np.testing.assert_array_equal(sample["tokens"], parts[part].sample(index - part * mixed.sizes[0], 3)["tokens"])
        assert sample["part"] == ("ab", "xy")[part]


def test_prefixes_stand_before_the_sources_of_their_part(tasks):
    data = tasks(prefixes={"few": "count: "})
    view = data.split("train").text_pairs(40, 40, prefix="> ")
    decode = data.tokenizer.decode
    assert decode(view.sample(0)["source"]).startswith("> word")
    assert decode(view.sample(30)["source"]).startswith("> count: word")
    assert view.lengths.shape == (40,) and view.lengths[30] > view.lengths[0] + 5
    with pytest.raises(ValueError, match="prefixes stand before sources, which this objective does not read"):
        data.split("train").words()


def test_shares_by_size_temperature_limit_or_as_given(tasks):
    def shares(**settings):
        return tasks(**settings).split("train").text_pairs(9, 9).shares

    assert shares() == [0.75, 0.25] and shares(most=10) == [0.5, 0.5]
    assert shares(temperature=2.0) == pytest.approx([3**0.5 / (1 + 3**0.5), 1 / (1 + 3**0.5)])
    assert shares(shares={"few": 4, "many": 1}) == [0.2, 0.8]


class Pairs(ExampleObjective):
    def view(self, data):
        return data.text_pairs(self.length, self.length)

    def collate(self, samples, keys, train):
        return {"count": len(samples)}


def test_training_takes_shares_and_evaluation_each_sample(tmp_path, mixed):
    rows = [f"word {n},{n}" for n in range(60)]
    parts = {name: task(tmp_path, name, rows[:size], validation=0.2) for name, size in (("many", 60), ("few", 20))}
    data = mixed(parts, shares={"many": 1, "few": 3})
    module = DataModule(
        data, Pairs(data.described, 20), seed=0, global_batch=8, micro_batch=4, eval_batch=4, max_steps=40
    )
    read = [part for batch in module.train_dataloader() for part in batch["part"]]
    assert abs(read.count("few") / len(read) - 0.75) < 0.03
    batches = list(module.val_dataloader())
    assert all(len(set(batch["part"])) == 1 for batch in batches)
    seen = sorted(index for batch in batches for index in batch["index"])
    assert seen == list(range(len(module.view("val"))))


def test_classes_must_be_those_of_all_parts(tmp_path, mixed):
    one, two = ([f"text {n},{names[n % 2]}" for n in range(12)] for names in (("a", "b"), ("a", "c")))
    parts = {
        name: task(tmp_path, name, rows, "text,label") for name, rows in (("one", one), ("two", two), ("three", one))
    }
    same = mixed({"one": parts["one"], "three": parts["three"]}).described
    assert same.labels == ("a", "b") and same.label_counts == {"a": 12, "b": 12} and same.fields == {"text", "label"}
    other = mixed({"one": parts["one"], "two": parts["two"]}).described
    with pytest.raises(ValueError, match=r"data\.parts\.two has the classes a, c, and one has a, b"):
        other.labels  # noqa: B018


def test_the_names_of_classes_are_settled_in_their_part(tmp_path, mixed):
    rows = [f"text {n},{'ab'[n % 2]}" for n in range(12)]
    data = mixed({"one": task(tmp_path, "one", rows, "text,label")})
    assert data.found_settings == {} and data.described.labels == ("a", "b")
    assert data.found_settings == {"parts": {"one": {"labels": ["a", "b"]}}}


def test_fingerprint_and_report_follow_the_parts(tasks):
    fingerprints = {
        tasks(**each).fingerprint for each in ({}, {"most": 9}, {"prefixes": {"few": "x"}}, {"temperature": 2.0})
    }
    assert len(fingerprints) == 4 and tasks().fingerprint in fingerprints
    report = tasks().report
    assert report["train"]["many"]["examples"] == 30 and report["train"]["few"]["examples"] == 10
    assert {"many: the tokenizer", "few: the tokenizer"} <= tasks().parts.keys()


def test_parts_that_do_not_fit(tmp_path, mixed, tasks):
    with pytest.raises(ValueError, match=r"must all be texts, or all .*: a holds text, b holds examples"):
        mixed({"a": partial(TextData, PythonDocs()), "b": task(tmp_path, "b", ["x,y"])})
    with pytest.raises(ValueError, match=r"data\.prefixes\.fewer: no such part; there are: many, few"):
        tasks(prefixes={"fewer": "x"})
    with pytest.raises(ValueError, match=r"data\.shares must name every part, and no other: many, few"):
        tasks(shares={"few": 1})
