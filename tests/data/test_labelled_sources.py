"""Sources of labelled examples: CoNLL's and SQuAD's formats, and Hugging Face data sets."""

import gzip
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import (
    ByteLevel,
    ByteLevelBPE,
    ConllFiles,
    Example,
    HubExamples,
    LabelledData,
    SquadFiles,
    Unigram,
    WordPiece,
)
from variformer.data.labelled.questions import spans_of

CONLL = """-DOCSTART- -X- O O

# a comment
EU NNP B-ORG
rejects VBZ O

Peter NNP B-PER
Blackburn NNP I-PER
-DOCSTART- -X- O O
BRUSSELS NNP B-LOC
"""
CONTEXT = "Super Bowl 50 was played on February 7, 2016, in Santa Clara."


def squad(path, questions, version="1.1"):
    content = {"version": version, "data": [{"title": "Bowl", "paragraphs": [{"context": CONTEXT, "qas": questions}]}]}
    path.write_text(json.dumps(content))
    return str(path)


def question(id, text="Super Bowl 50", start=0, **more):
    return {"id": id, "question": f"What is {id}?", "answers": [{"text": text, "answer_start": start}]} | more


@pytest.fixture
def labelled(tmp_path):
    def make(source, recipe=None, **settings):
        return LabelledData(
            source, recipe or ByteLevel(), **{"validation": 0, "test": 0, "cache": str(tmp_path / "cache")} | settings
        )

    return make


def examples(source):
    return list(source.read()["train"])


@pytest.mark.parametrize("compressed", ["", ".gz"])
def test_sentences_of_conll(tmp_path, compressed):
    path = tmp_path / f"ner.conll{compressed}"
    path.write_bytes(gzip.compress(CONLL.encode()) if compressed else CONLL.encode())
    assert examples(ConllFiles(str(path))) == [
        Example(f"{path}:4", {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}),
        Example(f"{path}:7", {"tokens": ["Peter", "Blackburn"], "tags": ["B-PER", "I-PER"]}),
        Example(f"{path}:10", {"tokens": ["BRUSSELS"], "tags": ["B-LOC"]}),
    ]
    parts = examples(ConllFiles(str(path), columns={"tokens": 0, "tags": 1}, keep_documents=True))
    assert parts[0].fields["tags"] == ["NNP", "VBZ"] and parts[0].group == parts[1].group != parts[2].group


def test_tags_can_be_left_out(tmp_path):
    (tmp_path / "a.conll").write_text("EU\nrejects\n")
    found = examples(ConllFiles(str(tmp_path / "a.conll"), columns={"tokens": 0, "tags": None, "label": None}))
    assert found[0].fields == {"tokens": ["EU", "rejects"]}


def test_columns_by_name(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("# global.columns = FORM NER\nEU\tB-ORG\n")
    found = examples(ConllFiles(str(path), columns={"tokens": "FORM", "tags": "NER"}, separator="\t"))
    assert found[0].fields == {"tokens": ["EU"], "tags": ["B-ORG"]}
    with pytest.raises(ValueError, match="no column 'TAG' for the tags; there are: FORM, NER"):
        examples(ConllFiles(str(path), columns={"tags": "TAG"}))


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("EU NNP B-ORG\nrejects\n", "2: 1 column where the others have 3"),
        ("EU NNP B-ORG\n# note\nx y\n", "3: 2 columns where the others have 3"),
        ("EU\n", "1: 1 column, and none of number 3 for the tags"),
    ],
)
def test_a_broken_line_is_named(tmp_path, labelled, lines, fault):
    (tmp_path / "ner.txt").write_text(lines)
    columns = {"tokens": 0, "tags": 3 if "none of" in fault else -1}
    with pytest.raises(ValueError, match=rf"ner\.txt:{fault}"):
        labelled(ConllFiles(str(tmp_path / "ner.txt"), columns=columns)).prepare()


def test_tags_have_places_and_unknown_ones_are_told(tmp_path, labelled):
    (tmp_path / "a.conll").write_text(CONLL)
    (tmp_path / "b.conll").write_text("He O\nflew B-VERB\n")
    data = labelled(ConllFiles(str(tmp_path / "a.conll")))
    assert data.labels == ("B-LOC", "B-ORG", "B-PER", "I-PER", "O")
    assert data.split("train").words().sample(1)["tags"].tolist() == [2, 3]
    with pytest.raises(ValueError, match=r"b\.conll:1: label 'B-VERB' is none of B-LOC, B-ORG.*B-VERB \(1\)"):
        data.only([str(tmp_path / "b.conll")]).split("test").words()


RECIPES = [ByteLevel(), ByteLevelBPE(300), WordPiece(200), Unigram(300, sentinels=0)]
WORD = st.text(st.characters(exclude_categories=("Cs", "Zs", "Cc", "Zl", "Zp")), min_size=1, max_size=6)


@pytest.fixture(scope="module", params=RECIPES, ids=lambda recipe: type(recipe).__name__)
def tagged(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagged")
    (folder / "a.conll").write_text(CONLL * 3)
    source = ConllFiles(str(folder / "a.conll"))
    return LabelledData(source, request.param, validation=0, test=0, cache=str(folder / "cache"))


@given(words=st.lists(WORD.filter(str.strip), min_size=1, max_size=6))
def test_every_word_has_tokens_of_its_own(tagged, words):
    """Of every tokenizer: each word has a first token, in order, and its place in the sentence."""
    sample = tagged.hold([Example("here", {"tokens": words})]).words().sample(0)
    starts, offsets = sample["starts"], sample["offsets"]
    assert len(starts) == len(words) == len(sample["tags"]) and set(sample["tags"]) == {-1}
    assert (np.diff(starts) > 0).all() and starts[0] == 0 and starts[-1] < len(sample["tokens"])
    assert [sample["sentence"][begin:end] for begin, end in offsets] == words


@given(text=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30).filter(str.strip))
def test_words_of_a_text_keep_their_places(tagged, text):
    sample = tagged.hold([Example("here", {"text": text})]).words().sample(0)
    assert [sample["sentence"][begin:end] for begin, end in sample["offsets"]] == re.findall(r"\S+", text)
    assert len(sample["starts"]) == len(set(sample["starts"].tolist()))


def test_signs_may_be_words_of_their_own(labelled, tmp_path):
    (tmp_path / "a.conll").write_text(CONLL)
    data = labelled(ConllFiles(str(tmp_path / "a.conll")), words="punctuation")
    sample = data.hold([Example("here", {"text": "Peter, of EU."})]).words().sample(0)
    assert [sample["sentence"][a:b] for a, b in sample["offsets"]] == ["Peter", ",", "of", "EU", "."]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_answers_of_squad_are_found_in_tokens(tmp_path, labelled, recipe):
    questions = [question("a"), question("b", "February 7, 2016", 28), question("c", "Clara.", 55)]
    data = labelled(SquadFiles(squad(tmp_path / "a.json", questions)), recipe)
    view = data.split("train").questions()
    for index in range(3):
        sample = view.sample(index)
        (first, last), answer = sample["spans"][0], sample["answers"][0]
        text = sample["passage"][sample["offsets"][first][0] : sample["offsets"][last][1]]
        assert answer in text and len(text) <= len(answer) + 2 and sample["id"] == "abc"[index]
        assert view.lengths[index] == len(sample["question"]) + len(sample["context"])


@given(data=st.data())
def test_spans_hold_the_answer_and_no_more(data):
    lengths = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    ends = np.cumsum(lengths)
    offsets = np.stack([ends - lengths, ends], axis=1)
    start = data.draw(st.integers(0, int(ends[-1]) - 1))
    end = data.draw(st.integers(start + 1, int(ends[-1])))
    first, last = spans_of(np.array([[start, end]]), offsets)[0]
    assert offsets[first][0] <= start < offsets[first][1] and offsets[last][0] < end <= offsets[last][1]


def test_questions_without_an_answer(tmp_path, labelled):
    questions = [question("a"), {"id": "b", "question": "Why?", "answers": [], "is_impossible": True}]
    sample = labelled(SquadFiles(squad(tmp_path / "a.json", questions, "2.0"))).split("train").questions().sample(1)
    assert sample["answers"] == [] and sample["spans"].shape == (0, 2)


def test_an_answer_elsewhere_in_the_context_is_moved(tmp_path, labelled, caplog):
    data = labelled(SquadFiles(squad(tmp_path / "a.json", [question("a", "Santa Clara", 3)])))
    sample = data.split("train").questions().sample(0)
    first, last = sample["spans"][0]
    assert sample["passage"][sample["offsets"][first][0] : sample["offsets"][last][1]] == "Santa Clara"
    assert data.report["moved_answers"] == 1 and "1 answers stood elsewhere in their context" in caplog.text


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (question("b", "Denver", 3), "id b: an answer that is not in its context"),
        (question("a", "Santa Clara", 49), "id a: an id that another row has"),
        ({"id": "b", "question": " ", "answers": []}, "id b: empty question"),
    ],
)
def test_a_bad_question_is_named_by_its_id(tmp_path, labelled, bad, fault):
    path = squad(tmp_path / "a.json", [question("a"), bad])
    with pytest.raises(ValueError, match=rf"a\.json:{fault}; mend it"):
        labelled(SquadFiles(path)).prepare()
    assert labelled(SquadFiles(path), on_bad="skip").report["skipped"] == {fault.partition(": ")[2]: 1}


def test_what_is_not_squad_is_refused(tmp_path):
    (tmp_path / "a.json").write_text('[{"question": "What?"}]')
    with pytest.raises(ValueError, match=r"a\.json: not SQuAD's format"):
        examples(SquadFiles(str(tmp_path / "a.json")))


def test_class_labels_of_datasets_keep_their_names_and_order(tmp_path, labelled):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["positive", "negative"])}
    )
    rows = {"sentence": [f"text {n}" for n in range(20)], "label": [n % 2 for n in range(20)]}
    datasets.Dataset.from_dict(rows, features).save_to_disk(str(tmp_path / "saved"))
    source = HubExamples(str(tmp_path / "saved"), columns={"text": "sentence"})
    data = labelled(source)
    assert data.labels == ("positive", "negative")
    assert [data.split("train").texts(20).sample(n)["label"] for n in range(4)] == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="no column 'txt'; there are: sentence, label"):
        labelled(HubExamples(str(tmp_path / "saved"), columns={"text": "txt"})).prepare()


def test_tags_of_datasets_have_names(tmp_path, labelled):
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["O", "B-X"])
    features = datasets.Features({"tokens": [datasets.Value("string")], "ner_tags": [names]})
    rows = {"tokens": [["a", "b"], ["c"]], "ner_tags": [[0, 1], [1]]}
    datasets.Dataset.from_dict(rows, features).save_to_disk(str(tmp_path / "saved"))
    data = labelled(HubExamples(str(tmp_path / "saved"), columns={"tags": "ner_tags"}))
    assert data.labels == ("O", "B-X") and data.split("train").words().sample(0)["tags"].tolist() == [0, 1]
