"""Questions with answers in a context, in SQuAD's format (Rajpurkar et al., 2016; 2.0: Rajpurkar et al., 2018)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...paths import LocalPattern
from ..text.readers import open_file
from .example import Example
from .fields import answers_of
from .files import SplitFiles


@dataclass(frozen=True)
class SquadFiles(SplitFiles):
    """Local json files of version 1.1 or 2.0, each also as .gz. Paths may be folders or globs.

    Questions of one article stay in one split. In 2.0, a question with is_impossible has no answer.
    """

    train: LocalPattern | Sequence[LocalPattern] | None
    validation: LocalPattern | Sequence[LocalPattern] | None = None
    test: LocalPattern | Sequence[LocalPattern] | None = None

    kinds = (".json",)

    def __str__(self) -> str:
        return ", ".join(path for found in self._patterns().values() for path in found)

    def only(self, files: Sequence[str]) -> "SquadFiles":
        return replace(self, train=None, validation=None, test=list(files))

    def _layout(self) -> object:
        return "squad"

    def _read(self, path: Path) -> Iterator[Example]:
        try:
            with open_file(path) as file:
                articles = json.load(file)["data"]
        except (ValueError, EOFError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not SQuAD's format ({type(error).__name__}: {error})") from error
        for number, article in enumerate(articles):
            title = str(article.get("title", f"article {number}"))
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    yield _example(path, title, paragraph["context"], question)


def _example(path: Path, title: str, context: str, question: dict[str, Any]) -> Example:
    name = f"{path}:id {question['id']}"
    answers = [] if question.get("is_impossible") else answers_of(question.get("answers"))
    fields = {"id": str(question["id"]), "question": question["question"], "context": context, "answers": answers}
    return Example(name, fields, group=title)
