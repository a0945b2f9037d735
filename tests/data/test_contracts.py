"""Text and images are read by one contract: sources, data sets, and what happens to what cannot be used."""

import inspect
from typing import get_args

import pytest
import torch

from variformer.data import (
    ByteLevel,
    ConllFiles,
    ExampleSource,
    HubExamples,
    HubText,
    LabelledData,
    LabelledFiles,
    PythonDocs,
    SquadFiles,
    TextData,
    TextFiles,
)
from variformer.data.contracts import SPLITS, DataSet, LabelledDataSet, OnBad, Split, TextDataSet
from variformer.data.images import Digits, Glyphs, HubImages, ImageData, ImageFolder
from variformer.data.python_tasks import DocstringAreas, ReferenceMarks
from variformer.samples import ExampleSplit, ImageTransform, LabelledTexts, SizedView, TextCodec, TextSplit, View

TEXTS = [TextFiles, HubText, PythonDocs]
EXAMPLES = [LabelledFiles, HubExamples, ConllFiles, SquadFiles, DocstringAreas, ReferenceMarks]


def members(protocol: type) -> set[str]:
    names = {name for base in protocol.__mro__ for name in [*vars(base), *getattr(base, "__annotations__", {})]}
    return {name for name in names - set(dir(object)) if not name.startswith(("_abc", "__", "_is_", "_"))}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    (folder / "a.txt").write_text("\n\n".join(f"Document {n}. It has two sentences." for n in range(40)))
    source = TextFiles(str(folder / "a.txt"), document_separator="\n\n")
    return TextData(source, ByteLevel(), validation=0.2, test=0.2, cache=str(folder / "cache"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    fields = ["text", "label", "tokens", "question", "context", "answers", "source", "target"]
    rows = [",".join([f"text {n}", "ab"[n % 2], "a word", f"why {n}", f"as {n}", "as", "in", "out"]) for n in range(30)]
    (folder / "a.csv").write_text("\n".join([",".join(fields), *rows]))
    return LabelledData(LabelledFiles(str(folder / "a.csv")), ByteLevel(), cache=str(folder / "cache"))


@pytest.fixture(scope="module")
def images():
    return ImageData(Digits(), image_size=8, channels=1, classes=10)


def test_one_default_for_what_cannot_be_used():
    defaults = {inspect.signature(kind).parameters["on_bad"].default for kind in (TextData, LabelledData, ImageData)}
    assert defaults == {"error"} and defaults < set(get_args(OnBad))


@pytest.mark.parametrize("kind", [*TEXTS, *EXAMPLES, Digits, Glyphs, HubImages, ImageFolder])
def test_every_source_is_read_in_the_same_way(kind):
    assert list(inspect.signature(kind.read).parameters) == ["self"]
    assert not {"given", "documents"} & set(dir(kind))


@pytest.mark.parametrize("kind", [PythonDocs, Digits, Glyphs])
def test_a_source_gives_splits_by_name(kind):
    splits = kind().read()
    assert "train" in splits and set(splits) <= set(SPLITS) == set(get_args(Split))


def test_a_text_source_opens_nothing_before_it_is_read():
    splits = HubText("nobody/nothing", validation_split="valid").read()
    assert list(splits) == ["train", "val"]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_source_of_examples_has_what_its_data_set_asks(kind):
    assert members(ExampleSource) and all(hasattr(kind, name) for name in members(ExampleSource))


@pytest.mark.parametrize("data", ["text", "images", "examples"])
def test_a_data_set_has_what_a_run_needs(data, request):
    data = request.getfixturevalue(data)
    assert members(DataSet) == {"holds", "prepare", "split", "fingerprint", "parts", "report"}
    data.prepare()
    assert all(hasattr(data, name) for name in members(DataSet))
    assert data.holds in ("text", "images", "examples") and isinstance(data.fingerprint, str)
    assert set(SPLITS) <= data.report.keys() and all(isinstance(part, str) for part in data.parts.values())


def test_a_data_set_of_texts_has_a_tokenizer(text, images):
    assert members(TextDataSet) - members(DataSet) == {"tokenizer"}
    assert hasattr(text, "tokenizer") and not hasattr(images, "tokenizer")


def test_splits_and_tokenizers_have_what_objectives_need(text, images):
    split = text.split("train")
    assert members(TextSplit) and all(hasattr(split, name) for name in members(TextSplit))
    assert members(TextCodec) and all(hasattr(text.tokenizer, name) for name in members(TextCodec))
    for view in (
        split.windows(8),
        split.whole_sentences(8),
        split.pairs(8),
        split.ordered_pairs(8),
        images.split("val"),
    ):
        assert all(hasattr(view, name) for name in members(View)) and len(view)
        assert view.sample(0, 1).keys() == view.sample(len(view) - 1, 2).keys()


def test_labelled_examples_have_what_objectives_need(examples):
    assert members(LabelledDataSet) >= members(LabelledTexts) and members(ExampleSplit) and members(SizedView)
    asked = members(LabelledDataSet) - {"scale"}  # which raises where labels are no numbers
    assert all(hasattr(examples, name) for name in asked) and hasattr(type(examples), "scale")
    split = examples.split("train")
    assert all(hasattr(split, name) for name in members(ExampleSplit))
    for view in (split.texts(9), split.words(), split.questions(), split.text_pairs(9, 9)):
        assert all(hasattr(view, name) for name in members(SizedView)) and len(view) == len(view.lengths)
        assert view.sample(0, 1).keys() == view.sample(len(view) - 1, 2).keys()


def test_an_image_transform_makes_what_a_model_takes():
    from variformer.data.images.preprocessing import preprocessor, transform

    steps: ImageTransform = transform(
        preprocessor({"channels": 1, "image_size": 8, "mean": [0.5], "std": [0.5], "centre": 1.0})
    )
    assert steps(torch.zeros(1, 8, 8, dtype=torch.uint8)).shape == (1, 8, 8)
