"""Tasks on the sentences of the documentation: marks of the language reference, capitals and punctuation."""

import hashlib
import re
from collections.abc import Iterator

import numpy as np

from ...ranges import BelowOne
from ..contracts import Split
from ..labelled import Example
from ..text.store import points_of
from .library import PythonTask, described, documents, group_of

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"*])")
_MARK = re.compile(r'"(?P<code>[^"\n]{1,60})"|(?<![\w*])\*(?P<name>[A-Za-z_][\w ]{0,40})\*(?![\w*])')
_WORD = re.compile(r"\w+|[^\w\s]")
_PROSE = re.compile(r"[A-Z][a-z]*(?:[,;:]? (?:[a-z]+|[A-Z][a-z]+|I|a|[A-Z]+)(?:'[a-z]+)?)+[.?!]")


class ReferenceMarks(PythonTask):
    """`tokens`: the words and signs of a sentence of the language reference, `tags`: which of them are marked there.

    The reference marks code by "quotation marks" and names by *asterisks*, which are taken away here. Each sentence
    has one mark or more. `held_out` is the fraction of the topics whose sentences are the test split: `validation` and
    `test` of data=python_docs together. There are too few topics to choose others for validation, so that the
    validation split is cut from the sentences of the rest.
    """

    def __init__(self, held_out: BelowOne = 0.2) -> None:
        self.held_out = held_out

    def settings(self) -> list[object]:
        return [self.held_out]

    def read(self) -> dict[Split, Iterator[Example]]:
        return {"train": self._examples(), "test": self._examples(held_out=True)}

    def _examples(self, held_out: bool = False) -> Iterator[Example]:
        topics = {name: text for name, text in documents().items() if name.startswith("pydoc_data.topics:")}
        for name, text in topics.items():
            if (point_of(text) < self.held_out) is held_out:
                for number, sentence in enumerate(sentences(text)):
                    fields = marked(sentence)
                    if set(fields["tags"]) - {"O"}:
                        yield Example(f"{name}, sentence {number}", fields)


class RestoredSentences(PythonTask):
    """`source`: a sentence of a docstring in small letters and without punctuation; `target`: the sentence.

    Of sentences with 8 to 30 words that have no code.
    """

    def _examples(self) -> Iterator[Example]:
        seen: set[str] = set()
        for each in described():
            for number, sentence in enumerate(sentences(each.text)):
                if sentence not in seen and _PROSE.fullmatch(sentence) and 8 <= len(sentence.split()) <= 30:
                    seen.add(sentence)
                    source = " ".join(re.sub(r"[^\w\s']", " ", sentence).lower().split())
                    name = f"{each.name}, sentence {number}"
                    yield Example(name, {"source": source, "target": sentence}, group=group_of(each.module))


def sentences(text: str) -> Iterator[str]:
    """The sentences of the paragraphs of prose, each on one line; lists, tables, code and headings are left out."""
    for paragraph in re.split(r"\n\s*\n", text):
        joined = " ".join(paragraph.split())
        if "::=" in joined or ">>>" in joined or not re.match(r'["*A-Z]', joined) or joined[-1] not in ".!?":
            continue
        yield from _SENTENCE_END.split(joined)


def marked(sentence: str) -> dict[str, list[str]]:
    """A sentence with marks -> words and signs without them, and IOB2 tags of what was marked: code or name."""
    tokens: list[str] = []
    tags: list[str] = []
    place = 0
    for found in [*_MARK.finditer(sentence), None]:
        before = _WORD.findall(sentence[place : found.start() if found else None])
        tokens += before
        tags += ["O"] * len(before)
        if found and found.lastgroup:
            words = _WORD.findall(found[found.lastgroup])
            tokens += words
            tags += [f"{'I' if number else 'B'}-{found.lastgroup}" for number in range(len(words))]
            place = found.end()
    return {"tokens": tokens, "tags": tags}


def point_of(document: str) -> float:
    """The number in [0, 1) that decides the split of a document."""
    digest = hashlib.sha1(document.encode()).digest()[:16]
    return float(points_of(np.frombuffer(digest, "S16"))[0])
