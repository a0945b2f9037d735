"""Entities are seqeval's, lenient and strict, and counts are sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval import scheme as seqeval
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.metrics.v1 import precision_recall_fscore_support

from variformer.metrics.entities import (
    LENIENT,
    STRICT,
    count_entities,
    find_entities,
    find_misfit,
    kinds_of,
    match,
    measure_entities,
)

KINDS = ["LOC", "PER", "a-b"]
SCHEMES = {"iob2": seqeval.IOB2, "iobes": seqeval.IOBES, "iob1": seqeval.IOB1}


def tags(prefixes: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in prefixes if prefix != "O" for kind in KINDS)])


def sentences(prefixes: str, size: int = 12) -> st.SearchStrategy[list[str]]:
    return st.lists(tags(prefixes), max_size=size)


def tagged_pairs(prefixes: str) -> st.SearchStrategy[list[list[tuple[str, str]]]]:
    """Sentences whose words have a true and a found tag."""
    words = st.lists(st.tuples(tags(prefixes), tags(prefixes)), min_size=1, max_size=8)
    return st.lists(words, min_size=1, max_size=6)


@given(sentences("BIOES"))
def test_lenient_entities_are_those_of_seqeval(sentence):
    expected = [(kind, start, end + 1) for kind, start, end in get_entities(sentence)]
    assert [tuple(each) for each in find_entities(sentence, "iob2")] == expected


@pytest.mark.parametrize("name", SCHEMES)
def test_strict_entities_are_those_of_seqeval(name):
    @given(sentences(STRICT[name].prefixes))
    def compare(sentence):
        expected = [(each.tag, each.start, each.end) for each in seqeval.Tokens(sentence, SCHEMES[name]).entities]
        assert [tuple(each) for each in find_entities(sentence, name, strict=True)] == expected

    compare()


@pytest.mark.filterwarnings("ignore")  # of seqeval, where nothing is to be divided by
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", SCHEMES)
def test_precision_recall_and_f1_are_those_of_seqeval(name, strict):
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as lenient

    @given(tagged_pairs(STRICT[name].prefixes))
    def compare(samples):
        true, found = ([[pair[side] for pair in words] for words in samples] for side in (0, 1))
        counts = np.stack([count_entities(*each, KINDS, name, strict) for each in zip(true, found, strict=True)])
        metrics = measure_entities(counts, KINDS)
        for average in ("micro", None):
            if strict:
                given = precision_recall_fscore_support(true, found, average=average, scheme=SCHEMES[name])
            else:
                given = lenient(true, found, average=average)
            occurring = [kind for kind, each in zip(KINDS, counts.sum(0), strict=True) if each.any()]
            for name_of_metric, expected in zip(("precision", "recall", "f1"), given[:3], strict=True):
                names = [name_of_metric] if average else [f"{name_of_metric}_{kind}" for kind in occurring]
                assert [metrics[each] for each in names] == pytest.approx(np.atleast_1d(expected).tolist(), abs=1e-12)

    compare()


@given(tagged_pairs("BIO"), st.integers(0, 6))
def test_counts_of_parts_sum_to_those_of_the_whole(samples, cut):
    def counted(part) -> np.ndarray:
        found = [count_entities(*zip(*words, strict=True), KINDS, "iob2") for words in part]
        return np.array(found, dtype=int).reshape(-1, len(KINDS), 3).sum(0)

    assert (counted(samples[:cut]) + counted(samples[cut:]) == counted(samples)).all()


def test_tags_without_prefixes_join_neighbours_of_a_kind():
    found = find_entities(["PER", "PER", "LOC", "O", "PER"], "plain")
    assert [tuple(each) for each in found] == [("PER", 0, 2), ("LOC", 2, 3), ("PER", 4, 5)]
    assert kinds_of(["PER", "O", "LOC", "PER"], "plain") == ["LOC", "PER"]
    assert kinds_of(["B-PER", "O", "I-LOC"], "iob2") == ["LOC", "PER"]


def test_other_schemes_and_tags_are_refused():
    with pytest.raises(ValueError, match="scheme=bio: choose iob2, iobes, iob1, plain"):
        find_entities(["O"], "bio")
    with pytest.raises(ValueError, match="S-PER is no tag of scheme=iob2: its tags begin with B-, I- or O"):
        find_entities(["O", "S-PER"], "iob2", strict=True)
    with pytest.raises(ValueError, match="PER is no tag of scheme=iob2"):
        find_entities(["PER"], "iob2")


@pytest.mark.parametrize(
    ("sentence", "scheme", "place", "what", "cure"),
    [
        ("O I-PER", "iob2", 1, "I-PER after O is not IOB2", "objective.scheme=iob1 or objective.strict=false"),
        ("I-PER", "iob2", 0, "I-PER after the begin of the sentence is not IOB2", "objective.scheme=iob1 or"),
        ("B-PER I-LOC", "iob2", 1, "I-LOC after B-PER is not IOB2", "set objective.strict=false"),
        ("B-PER O", "iobes", 1, "O after B-PER is not IOBES", "objective.scheme=iob2"),
        ("O B-PER", "iobes", 1, "B-PER at the end of the sentence is not IOBES", "objective.scheme=iob2"),
        ("B-PER E-LOC", "iobes", 1, "E-LOC after B-PER is not IOBES", "set objective.strict=false"),
        ("O B-PER", "iob1", 1, "B-PER after O is not IOB1", "objective.scheme=iob2"),
        ("O S-PER", "iob2", 1, "S-PER is not IOB2, whose tags begin with B-, I- or O", "objective.scheme=iobes"),
        ("O PER", "iob2", 1, "PER is not IOB2, whose tags begin with B-, I- or O", "objective.scheme=plain"),
        ("O B-PER", "plain", 1, "B-PER is not PLAIN, whose tags begin with no prefix", "objective.scheme=iob2"),
    ],
)
def test_the_first_tag_that_does_not_fit_is_told(sentence, scheme, place, what, cure):
    found = find_misfit(sentence.split(), scheme)
    assert found.place == place and found.what == what and cure in found.cure


@pytest.mark.parametrize("name", SCHEMES)
def test_tags_fit_where_strict_and_lenient_find_the_same(name):
    """Of one scheme, every tag is part of an entity that strict reading finds, too."""

    @given(sentences(STRICT[name].prefixes, size=6))
    def compare(sentence):
        strict, lenient = (find_entities(sentence, name, strict) for strict in (True, False))
        covered = {place for each in strict for place in range(each.start, each.end)}
        whole = covered == {place for place, tag in enumerate(sentence) if tag != "O"}
        assert (find_misfit(sentence, name) is None) == (whole and strict == lenient)

    compare()


@given(tags("BIOES"), tags("BIOES"))
def test_lenient_rules_leave_no_tag_out(before, now):
    before, now = map(LENIENT.read, (before, now))
    if now.prefix != "O":
        assert match(LENIENT.begin, before, now) != match(LENIENT.go_on, before, now)
