"""A text data set: from a source and a kind of tokenizer to memory-mapped tokens, each step made once."""

import json
import logging
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ...paths import LocalPath
from ...ranges import BelowOne, Count
from ..cache import build_once, digest_of
from ..contracts import SPLITS, OnBad, OnDuplicate, Split, check_choices
from . import cleaning, corpus, store
from .base import TokenisedData
from .corpus import Corpus
from .document import TextSource
from .tokenizer import Tokenizer
from .tokenizer_recipes import Recipe

log = logging.getLogger(__name__)


class TextData(TokenisedData):
    """Documents of a source, cleaned, split, tokenised and cached.

    validation, test: the fractions of the training documents that are set aside where the source has no such split
    on_bad: "error" stops at a document that is empty, not UTF-8 or longer than `max_document_bytes`; "skip" leaves it
        out, and counts it in the report
    on_duplicate: what happens to documents of equal text, which the report counts too: "keep" keeps all of them (a
        source may repeat some on purpose), "drop" keeps one of each (in test or val where it is there too), and
        "error" stops
    cache: a folder; None: $VARIFORMER_CACHE, else ~/.cache/variformer
    """

    holds: ClassVar = "text"

    def __init__(
        self,
        source: TextSource,
        tokenizer_recipe: Recipe,
        *,
        validation: BelowOne = 0.05,
        test: BelowOne = 0.05,
        on_bad: OnBad = "error",
        on_duplicate: OnDuplicate = "keep",
        max_document_bytes: Count = 64 * 2**20,
        cache: LocalPath | None = None,
    ) -> None:
        super().__init__(source, tokenizer_recipe, validation=validation, test=test, on_bad=on_bad, cache=cache)
        check_choices(on_bad, on_duplicate)
        self.source, self.max_document_bytes, self.on_duplicate = source, max_document_bytes, on_duplicate

    @property
    def fingerprint(self) -> str:
        """A hash that changes whenever the tokens of a split would; where the tokenizer came from does not matter."""
        return digest_of(self.store_key, self.tokenizer.fingerprint, corpus.VERSION)

    @property
    def described(self) -> Tokenizer:
        return self.tokenizer

    def prepare(self) -> None:
        """Make what is not in the cache yet."""
        build_once(self._folder, self._build)

    def split(self, name: Split) -> Corpus:
        """One split; ValueError if it has no documents."""
        if name not in SPLITS:
            raise ValueError(f"no split {name!r}; there are: {', '.join(SPLITS)}")
        self.prepare()
        if not (self._folder / name).is_dir():
            raise ValueError(
                f"the {name} split of {self.source} has no documents: give it files of its own, raise its "
                f"fraction (validation={self.validation}, test={self.test}), or cut long texts by a "
                "document_separator"
            )
        return Corpus.open(self._folder / name, self.tokenizer)

    @property
    def report(self) -> dict[str, Any]:
        """{"train": {"documents", "tokens", "bytes", ...}, ..., "skipped": {reason: documents}, "duplicates": {...}}.

        Duplicates are counted by kind: "train" within a split, "val in train" between two.
        """
        self.prepare()
        splits = [name for name in SPLITS if (self._folder / name).is_dir()]
        counts = {name: json.loads((self._folder / name / "meta.json").read_text()) for name in splits}
        return {**counts, **json.loads((self._folder / "meta.json").read_text())}

    @cached_property
    def store_key(self) -> str:
        settings: list[Any] = [self.validation, self.test, self.on_bad, self.max_document_bytes]
        settings += [] if self.on_duplicate == "keep" else [self.on_duplicate]  # as in earlier runs
        return digest_of(self.source.fingerprint(self.cache), settings, cleaning.VERSION, store.VERSION)

    def _versions(self) -> list[int]:
        return [cleaning.VERSION, store.VERSION, corpus.VERSION]

    def training_texts(self) -> store.Texts:
        return self._texts.texts("train")

    @cached_property
    def _folder(self) -> Path:
        return self.cache / "corpora" / digest_of(self.fingerprint, store.FORMAT)[:32]

    def _build(self, folder: Path) -> None:
        self.tokenizer.save(folder / "tokenizer")  # so that the folder explains itself
        for name in SPLITS:
            if len(self._texts.texts(name)):
                (folder / name).mkdir()
                _tokenise(folder / name, self._texts.texts(name), self.tokenizer)
        counts = {"skipped": self._texts.skipped, "duplicates": self._texts.duplicates}
        (folder / "meta.json").write_text(json.dumps(counts, indent=2))

    @cached_property
    def _texts(self) -> store.TextStore:
        key = digest_of(self.store_key, store.FORMAT)
        return store.TextStore(build_once(self.cache / "texts" / key[:32], self._build_store))

    def _build_store(self, folder: Path) -> None:
        cleaner = cleaning.Cleaner(self.on_bad, self.max_document_bytes)
        store.write_store(folder, self.source, cleaner, self.validation, self.test, self.on_duplicate)


def _tokenise(folder: Path, texts: store.Texts, tokenizer: Tokenizer) -> None:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(f"tokenising {folder.name}", total=len(texts))
        corpus.write_corpus(folder, texts, tokenizer, lambda documents: progress.advance(task, documents))
