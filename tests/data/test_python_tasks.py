"""Tasks made of the installed Python: their rows, and the splits that follow data=python_docs."""

import ast
import re

import numpy as np
import pytest

from variformer.data import ByteLevel, LabelledData, PythonDocs, TextData
from variformer.data.python_tasks import (
    CodeSummaries,
    DescribedFunctions,
    DocstringAreas,
    ReferenceMarks,
    RestoredSentences,
    SignatureDefaults,
    library,
)
from variformer.data.python_tasks.library import signature
from variformer.data.python_tasks.sentences import marked, sentences
from variformer.data.text import python_docs

KINDS = [CodeSummaries, DescribedFunctions, DocstringAreas, ReferenceMarks, RestoredSentences, SignatureDefaults]
MODULES = ("json", "tarfile", "textwrap", "threading", "calendar", "shutil", "zipfile", "logging", "argparse", "random")


@pytest.fixture(scope="module", autouse=True)
def few_modules():
    """Of the standard library ten modules: the whole of it takes ten seconds for each task."""
    files = [(module, path) for module, path in library.library_files() if module in MODULES]
    library.documents.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for place in (library, python_docs):
            patch.setattr(place, "library_files", lambda root=None: iter(files))
        yield
    library.documents.cache_clear()


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")

    def of(source, fraction=0.3):  # so that no split of few modules is empty
        data = LabelledData(source, ByteLevel(), validation=fraction, test=fraction, cache=str(cache))
        return {split: data._store.rows(split) for split in ("train", "val", "test")}

    return of


def values(rows, field):
    return [rows.value(field, index) for index in range(len(rows))]


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_are_the_same_every_time(kind):
    one, two = (list(kind().read()["train"]) for _ in range(2))
    assert one == two and len(one) > 30
    assert kind().fingerprint(None) == kind().fingerprint(None)


def test_rows_are_in_the_split_of_their_document(rows, tmp_path):
    docs = TextData(PythonDocs(), ByteLevel(), validation=0.3, test=0.3, cache=str(tmp_path))
    found = rows(DocstringAreas())
    seen = 0
    for split in ("train", "val", "test"):
        texts = "\n".join(docs._texts.texts(split))
        for docstring in values(found[split], "text"):
            seen += 1
            line = max(docstring.split("\n"), key=len).rstrip()
            assert line in texts, (split, docstring)
    assert seen > 200 and len(found["val"]) and len(found["test"])


def test_areas(rows):
    labels = values(rows(DocstringAreas())["train"], "label")
    assert len(DocstringAreas().class_names()) == 13 and set(labels) <= set(DocstringAreas().class_names())
    assert len(set(labels)) > 3


def test_half_of_the_sentences_describe_another_function():
    found = list(DescribedFunctions().read()["train"])
    yes = [row for row in found if row.fields["label"] == "yes"]
    assert 0.35 < len(yes) / len(found) < 0.65
    own: dict[str, set[str]] = {}
    for each, _ in library.functions():
        own.setdefault(each.name, set()).add(library.first_sentence(each.text))
    assert all((row.fields["text"] in own[row.name]) is (row.fields["label"] == "yes") for row in found)


def test_defaults_stand_in_their_signature():
    for row in SignatureDefaults(unanswerable=True).read()["train"]:
        parameter = re.fullmatch(r"what is the default of (\w+)\?", row.fields["question"])[1]
        for answer in row.fields["answers"]:
            before = row.fields["context"][: answer["start"]]
            assert row.fields["context"][answer["start"] :].startswith(answer["text"]) and answer["text"] != "None"
            assert before.endswith(f"{parameter}=")
    found = [bool(row.fields["answers"]) for row in SignatureDefaults(True).read()["train"]]
    counts = [found.count(True), found.count(False)]
    assert min(counts) > 20
    assert all(row.fields["answers"] for row in SignatureDefaults().read()["train"])


def test_a_signature_without_annotations():
    node = ast.parse("async def f(self, a: int, /, b: str = 'x', *c: int, d: float = 1.0, **e) -> int: ...").body[0]
    assert signature(node) == "f(self, a, /, b='x', *c, d=1.0, **e)"


def test_marks_are_taken_away_and_become_tags():
    found = marked('The *name* in "x.__len__()" is "None".')
    tagged = [(word, tag) for word, tag in zip(found["tokens"], found["tags"], strict=True) if tag != "O"]
    assert tagged == [
        ("name", "B-name"),
        *[("x", "B-code"), (".", "I-code"), ("__len__", "I-code"), ("(", "I-code"), (")", "I-code")],
        ("None", "B-code"),
    ]
    assert found["tokens"][-1] == "." and not {"*", '"'} & set(found["tokens"])


def test_topics_to_test_on_are_others(rows):
    found = rows(ReferenceMarks(held_out=0.2))
    topics = [{found[split].name(index).partition(",")[0] for index in range(len(found[split]))} for split in found]
    assert topics[1] & topics[0] and not topics[2] & (topics[0] | topics[1]) and len(topics[2]) > 2


def test_sentences_are_prose():
    text = "First one. Second one!\n\n* a list\n\nsmall letters.\n\nA heading\n\nWith code >>> f().\n\nLast\none."
    assert list(sentences(text)) == ["First one.", "Second one!", "Last one."]


def test_what_is_restored_has_the_same_letters():
    found = list(RestoredSentences().read()["train"])
    for row in found:
        source, target = row.fields["source"], row.fields["target"]
        assert re.sub(r"[^\w']", "", target).lower() == source.replace(" ", "") and target[0].isupper()
    assert np.mean([len(row.fields["target"].split()) for row in found]) > 6


def test_code_comes_without_its_docstring():
    for row in CodeSummaries().read()["train"]:
        tree = ast.parse(row.fields["source"])
        assert ast.get_docstring(tree.body[0]) is None and row.fields["target"] not in row.fields["source"]
