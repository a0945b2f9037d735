"""Decide what happens to examples that cannot be used, before they are kept."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ..contracts import OnBad, check_choices
from .example import TEXTS, Example


class Checker:
    """Checks examples. One that cannot be used is an error, or is left out and counted (on_bad="skip")."""

    def __init__(self, on_bad: OnBad) -> None:
        check_choices(on_bad)
        self.on_bad = on_bad
        self.skipped: Counter[str] = Counter()
        self.moved = 0  # answers that stood elsewhere in their context
        self.first: dict[str, str] = {}  # the first example that was left out, of each reason
        self._ids: set[str] = set()

    def usable(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The examples of one split that can be used."""
        self._ids = set()
        for example in examples:
            fault = example.fault or self._fault(dict(example.fields))
            if fault is None:
                yield example
            elif self.on_bad == "error":
                raise ValueError(f"{example.name}: {fault}; mend it, or set data.on_bad=skip to leave such rows out")
            else:
                self.skipped[fault] += 1
                self.first.setdefault(fault, example.name)

    def summary(self) -> str:
        """One line: how many examples were left out, and why; empty where there were none."""
        reasons = [f"{count} {reason} (first: {self.first[reason]})" for reason, count in self.skipped.items()]
        return f"left out {self.skipped.total()} rows: {'; '.join(reasons)}" if reasons else ""

    def _fault(self, fields: dict[str, Any]) -> str | None:
        if not all(map(_is_unicode, _strings(fields))):
            return "not UTF-8"
        for name in (*TEXTS, "label", "tokens"):
            if name in fields and not (fields[name].strip() if isinstance(fields[name], str) else fields[name]):
                return f"empty {name}"
        return self._words_fault(fields) or self._answers_fault(fields) or self._id_fault(fields.get("id"))

    def _words_fault(self, fields: dict[str, Any]) -> str | None:
        tokens, tags = fields.get("tokens"), fields.get("tags")
        if tokens is not None and not all(token.strip() for token in tokens):
            return "an empty word among the tokens"
        if tokens is not None and tags is not None and len(tokens) != len(tags):
            return f"tokens and tags of {len(tokens)} and {len(tags)}"
        return None

    def _answers_fault(self, fields: dict[str, Any]) -> str | None:
        """Answers that stand elsewhere in their context are moved there, and counted."""
        context = fields.get("context")
        if context is None:
            return None
        for answer in fields.get("answers", ()):
            text, start = answer["text"], answer["start"]
            if start >= 0 and context[start : start + len(text)] == text:
                continue
            if not text.strip() or text not in context:
                return "an answer that is not in its context"
            self.moved += start >= 0
            answer["start"] = context.index(text)
        return None

    def _id_fault(self, id: str | None) -> str | None:
        if not id:
            return None
        if id in self._ids:
            return "an id that another row has"
        self._ids.add(id)
        return None


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates: undecodable bytes, or half a pair in JSON
        return False
    return True
