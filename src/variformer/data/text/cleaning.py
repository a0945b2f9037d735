"""Clean text once, before anything else sees it, and decide what happens to documents that cannot be used."""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from ...ranges import Count
from ..contracts import OnBad, check_choices
from .document import Document

log = logging.getLogger(__name__)

VERSION = 1  # part of the cache's key: count up whenever `clean` changes
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # what str.splitlines takes for a line end, bar \n
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
_BLANK_LINES = re.compile("\n{3,}")


def clean(text: str) -> str:
    r"""Line ends as \n, no controls but tabs, NFC, no spaces at line ends, one blank line in a row."""
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    text = unicodedata.normalize("NFC", text)
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", text).strip("\n")


class Cleaner:
    """Cleans documents. A document that cannot be used is an error, or is left out and counted (on_bad="skip")."""

    def __init__(self, on_bad: OnBad, max_document_bytes: Count) -> None:
        check_choices(on_bad)
        self.on_bad = on_bad
        self.max_document_bytes = max_document_bytes
        self.skipped: Counter[str] = Counter()
        self.examples: dict[str, str] = {}  # the first document left out for each reason

    def texts(self, documents: Iterable[Document]) -> Iterator[tuple[str, bytes]]:
        """(the document's name, its cleaned text as UTF-8)."""
        for document in documents:
            text, fault = self._clean(document)
            if fault is None:
                yield document.name, text
            else:
                self._leave_out(document, fault)

    def summary(self) -> str:
        """One line: how many documents were left out, and why; empty where there were none."""
        reasons = [f"{count} {reason} (first: {self.examples[reason]})" for reason, count in self.skipped.items()]
        return f"left out {self.skipped.total()} documents: {'; '.join(reasons)}" if reasons else ""

    def _clean(self, document: Document) -> tuple[bytes, str | None]:
        if document.fault is not None:
            return b"", document.fault
        try:
            text = clean(document.text).encode()
        except UnicodeEncodeError:  # lone surrogates: undecodable bytes, or half a pair in JSON
            return b"", "not UTF-8"
        if not text.strip():
            return b"", "empty"
        if len(text) > self.max_document_bytes:
            return b"", f"longer than {self.max_document_bytes} bytes"
        return text, None

    def _leave_out(self, document: Document, fault: str) -> None:
        if self.on_bad == "error":
            raise ValueError(f"{document.name}: {fault}; mend it, or set on_bad=skip to leave such documents out")
        self.skipped[fault] += 1
        self.examples.setdefault(fault, document.name)
