import importlib
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from variformer.data import (
    ByteLevel,
    ByteLevelBPE,
    CharacterLevel,
    Pretrained,
    TextData,
    TextFiles,
    WordPiece,
)

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def files(tmp_path):
    """A source of 200 short documents."""
    texts = [f"Document {number}. It has\ntwo lines or sentences, {'word ' * (number % 7)}" for number in range(200)]
    rows = [{"text": text, "title": text[:12]} for text in texts]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return TextFiles(str(tmp_path / "data.jsonl"))


def texts_of(data, split):
    corpus = data.split(split)
    return [
        data.tokenizer.decode(corpus.tokens[a:b])
        for a, b in zip(corpus.documents[:-1], corpus.documents[1:], strict=True)
    ]


def test_from_files_to_tokens_and_back(files, tmp_path):
    data = TextData(files, ByteLevelBPE(300), validation=0.1, test=0.1, cache=str(tmp_path / "cache"))
    data.prepare()
    found = [text for split in ("train", "val", "test") for text in texts_of(data, split)]
    assert sorted(found) == sorted(document.text.strip() for document in files.read()["train"])
    assert data.split("train").tokenizer is data.tokenizer


def test_the_report_counts_what_there_is(files, tmp_path):
    data = TextData(files, ByteLevel(), cache=str(tmp_path / "cache"))
    report = data.report
    assert set(report) == {"train", "val", "test", "skipped", "duplicates"}
    assert sum(report[split]["documents"] for split in ("train", "val", "test")) == 200
    for split in ("train", "val", "test"):
        corpus = data.split(split)
        assert report[split]["tokens"] == report[split]["bytes"] == len(corpus.tokens)
    assert report["skipped"] == report["duplicates"] == {}


def test_only_the_training_split_makes_the_tokenizer(tmp_path):
    for name, text in (("train", "abc\n"), ("val", "xyz\n")):
        (tmp_path / f"{name}.txt").write_text(text)
    source = TextFiles(str(tmp_path / "train.txt"), validation=str(tmp_path / "val.txt"))
    data = TextData(source, CharacterLevel(), test=0, cache=str(tmp_path / "cache"))
    assert data.tokenizer.size == 4 + 256 + 3
    assert texts_of(data, "val") == ["xyz"]


def test_what_is_cached_is_not_made_again(files, tmp_path, monkeypatch):
    cache = str(tmp_path / "cache")
    TextData(files, WordPiece(200), cache=cache).prepare()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}

    def fail(*_):
        raise AssertionError("the cache was not used")

    monkeypatch.setattr(TextFiles, "read", fail)
    monkeypatch.setattr(WordPiece, "train", fail)
    monkeypatch.setattr("variformer.data.text.corpus.write_corpus", fail)
    monkeypatch.setattr("hashlib.file_digest", fail)
    start = time.perf_counter()
    data = TextData(files, WordPiece(200), cache=cache)
    data.prepare()
    assert len(data.split("train").windows(8)) > 0
    assert time.perf_counter() - start < 0.5
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")} == before


def test_another_tokenizer_does_not_read_the_documents_again(files, tmp_path, monkeypatch):
    cache = str(tmp_path / "cache")
    TextData(files, ByteLevel(), cache=cache).prepare()
    monkeypatch.setattr(TextFiles, "read", None)
    assert TextData(files, CharacterLevel(), cache=cache).split("train").tokens.size > 0


def test_the_fingerprint_follows_everything_that_changes_tokens(files, tmp_path):
    def fingerprint(source=files, recipe=None, **settings):
        return TextData(source, recipe or ByteLevel(), cache=str(tmp_path / "cache"), **settings).fingerprint

    others = [
        fingerprint(recipe=CharacterLevel()),
        fingerprint(validation=0.1),
        fingerprint(test=0.1),
        fingerprint(on_bad="skip"),
        fingerprint(on_duplicate="error"),
        fingerprint(on_duplicate="drop"),
        fingerprint(max_document_bytes=100),
        fingerprint(source=TextFiles(files.train, column="title")),
    ]
    before = fingerprint()
    assert len({before, *others}) == len(others) + 1
    assert before == fingerprint() == TextData(files, ByteLevel(), cache=str(tmp_path / "other")).fingerprint
    with open(files.train, "a") as file:
        file.write('\n{"text": "one more", "title": "one"}')
    assert fingerprint() != before


def test_what_has_changed_is_known_by_name(files, tmp_path, monkeypatch):
    def parts(recipe=None):
        return TextData(files, recipe or ByteLevel(), cache=str(tmp_path / "cache")).parts

    def changed(after):
        return [name for name in before if after[name] != before[name]]

    before = parts()
    assert files.train in before and changed(parts()) == []
    assert changed(parts(CharacterLevel())) == ["the tokenizer"]
    with open(files.train, "a") as file:
        file.write("\n")
    assert changed(parts()) == [files.train]
    before = parts()
    monkeypatch.setattr("variformer.data.text.corpus.VERSION", 99)
    assert changed(parts()) == ["how this version of the code reads texts"]


def test_of_many_files_the_parts_are_few(files, tmp_path, monkeypatch):
    monkeypatch.setattr("variformer.data.text.base._NAMED", 0)
    data = TextData(files, ByteLevel(), cache=str(tmp_path / "cache"))
    assert set(data.parts) == {"the files", "the tokenizer", "how this version of the code reads texts"}


def test_a_changed_file_gives_new_tokens(files, tmp_path):
    cache = str(tmp_path / "cache")
    before = TextData(files, ByteLevel(), cache=cache).report
    with open(files.train, "a") as file:
        file.write('\n{"text": "one more document"}')
    after = TextData(files, ByteLevel(), cache=cache).report
    assert sum(after[s]["documents"] - before[s]["documents"] for s in ("train", "val", "test")) == 1


def test_bad_documents_are_an_error_or_counted(tmp_path, caplog):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"text": "good"}\n{broken\n{"text": ""}\n{"text": "\xff"}\n{"text": "' + b"long" * 10 + b'"}\n')
    source = TextFiles(str(path))
    settings = dict(validation=0, test=0, max_document_bytes=20, cache=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"data\.jsonl:2: not JSON; mend it, or set on_bad=skip"):
        TextData(source, ByteLevel(), on_bad="error", **settings).prepare()
    with caplog.at_level(logging.WARNING):
        data = TextData(source, ByteLevel(), on_bad="skip", **settings)
        skipped = {"not JSON": 1, "empty": 1, "not UTF-8": 1, "longer than 20 bytes": 1}
        assert data.report["skipped"] == skipped
    assert len(caplog.records) == 1 and "left out 4 documents" in caplog.text
    assert texts_of(data, "train") == ["good"]
    assert TextData(source, ByteLevel(), on_bad="skip", **settings).report["skipped"] == skipped  # from the cache


def test_splits_that_are_not_there(files, tmp_path):
    (tmp_path / "one.txt").write_text("one document")
    cache = str(tmp_path / "cache")
    one = TextData(TextFiles(str(tmp_path / "one.txt")), ByteLevel(), cache=cache)
    assert texts_of(one, "train") == ["one document"]
    with pytest.raises(ValueError, match=r"the val split of .*one\.txt.* has no documents.*document_separator"):
        one.split("val")
    with pytest.raises(ValueError, match="no split 'valid'; there are: train, val, test"):
        one.split("valid")
    with pytest.raises(ValueError, match=r"validation=0\.5 and test=0\.5"):
        TextData(files, ByteLevel(), validation=0.5, test=0.5)


def test_a_pretrained_tokenizer(files, tmp_path):
    cache = str(tmp_path / "cache")
    trained = TextData(files, ByteLevelBPE(300), cache=cache)
    trained.tokenizer.save(tmp_path / "tokenizer")
    loaded = TextData(files, Pretrained(str(tmp_path / "tokenizer")), cache=cache)
    np.testing.assert_array_equal(loaded.split("val").tokens, trained.split("val").tokens)


def test_two_processes_may_build_the_same_cache_at_once(files, tmp_path):
    script = (
        "import sys, time\n"
        "from variformer.data import TextData, TextFiles, WordPiece\n"
        "data = TextData(TextFiles(sys.argv[1]), WordPiece(200), cache=sys.argv[2])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "data.prepare()\n"
        "print(data.split('train').tokens.tobytes().hex())\n"
    )
    command = [sys.executable, "-c", script, files.train, str(tmp_path / "cache")]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    tokens = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(tokens) == 1 and tokens != {""}
    for kind in ("texts", "tokenizers", "corpora"):
        assert len(os.listdir(tmp_path / "cache" / kind)) == 1


def test_tokens_do_not_depend_on_the_cache(files, tmp_path):
    parts = [TextData(files, WordPiece(200), cache=str(tmp_path / name)).split("train") for name in "ab"]
    np.testing.assert_array_equal(parts[0].tokens, parts[1].tokens)
    np.testing.assert_array_equal(parts[0].sentences, parts[1].sentences)


def test_importing_is_cheap():
    slow = ("torch", "datasets", "torchvision", "rich")
    script = f"import sys, variformer.data; print([name for name in {slow} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


def build(node, **extra):
    """A stand-in for Hydra's instantiation: plain classes and their arguments."""
    if not isinstance(node, dict):
        return node
    module, name = node["_target_"].rsplit(".", 1)
    arguments = {key: build(value) for key, value in node.items() if key not in ("_target_", "_partial_")}
    return getattr(importlib.import_module(module), name)(**arguments, **extra)


@pytest.mark.parametrize("name", ["python_docs", "text_files", "hub_text"])
def test_data_configs_name_every_argument(name, tmp_path):
    node = yaml.safe_load((CONF / "data" / f"{name}.yaml").read_text())
    assert node["_partial_"] is True
    data = build(node, tokenizer_recipe=ByteLevel())
    default = TextData(data.source, ByteLevel())
    assert vars(data).keys() == vars(default).keys()
    for setting in ("validation", "test", "on_duplicate", "max_document_bytes", "cache"):
        assert getattr(data, setting) == getattr(default, setting)
    assert data.on_bad == ("skip" if name == "hub_text" else default.on_bad)  # rows of a hub's data set may be empty


@pytest.mark.parametrize("name", ["byte_bpe", "word_piece", "roberta_bpe", "unigram", "bytes", "characters"])
def test_tokenizer_configs_hold_the_defaults(name):
    node = yaml.safe_load((CONF / "tokenizer" / f"{name}.yaml").read_text())
    assert node.pop("vocab_size", "${model.vocab_size}") == "${model.vocab_size}"  # the model says how many fit
    recipe = build(node)
    assert recipe == type(recipe)()


def test_the_fingerprint_follows_the_tokenizer_not_its_origin(files, tmp_path):
    cache = str(tmp_path / "cache")
    trained = TextData(files, WordPiece(200), cache=cache)
    trained.tokenizer.save(tmp_path / "run")
    assert TextData(files, Pretrained(str(tmp_path / "run")), cache=cache).fingerprint == trained.fingerprint


def test_the_data_of_earlier_runs_is_known_again(files, tmp_path):
    """The part of the fingerprint that does not follow the tokenizers library is as it was before `on_duplicate`."""
    data = TextData(files, ByteLevel(), on_bad="skip", cache=str(tmp_path / "cache"))
    assert data.store_key == "b981d4b85b1a1722230927fc101fd738730b05fb5dff48064964b6227ca3293b"
