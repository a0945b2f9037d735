"""A text data set: from a source and a kind of tokenizer to memory-mapped tokens, each step made once."""

import json
import logging
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ...paths import LocalPath
from ...ranges import BelowOne, Count
from ..cache import build_once, cache_folder, digest_of
from ..contracts import SPLITS, OnBad, OnDuplicate, Split, check_choices
from . import cleaning, corpus, store
from .corpus import Corpus
from .document import TextSource
from .tokenizer import Tokenizer
from .tokenizer_recipes import Recipe

log = logging.getLogger(__name__)

_NAMED = 100  # files that `parts` lists one by one


class TextData:
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
        if not (validation >= 0 and test >= 0 and validation + test < 1):
            raise ValueError(
                f"validation={validation} and test={test} must be fractions that leave something to train on"
            )
        check_choices(on_bad, on_duplicate)
        self.source, self.recipe = source, tokenizer_recipe
        self.validation, self.test = validation, test
        self.on_bad, self.max_document_bytes = on_bad, max_document_bytes
        self.on_duplicate = on_duplicate
        self.cache = cache_folder(cache)

    @property
    def fingerprint(self) -> str:
        """A hash that changes whenever the tokens of a split would; where the tokenizer came from does not matter."""
        return digest_of(self._store_key, self.tokenizer.fingerprint, corpus.VERSION)

    @property
    def parts(self) -> dict[str, str]:
        """What the fingerprint follows from, each with a short text that changes whenever it does."""
        contents = self.source.contents(self.cache)
        if len(contents) > _NAMED:
            contents = {"the files": digest_of(sorted(contents.items()))}
        versions = [cleaning.VERSION, store.VERSION, corpus.VERSION]
        code = {"how this version of the code reads texts": digest_of(versions)}
        parts = contents | {"the tokenizer": self.tokenizer.fingerprint} | code
        return {name: digest_of(text)[:16] for name, text in parts.items()}

    def prepare(self) -> None:
        """Make what is not in the cache yet."""
        build_once(self._folder, self._build)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        key = digest_of(self._store_key, self.recipe.fingerprint())

        def train(folder: Path) -> None:
            self.recipe.train(self._texts.texts("train")).save(folder)

        return Tokenizer.load(build_once(self.cache / "tokenizers" / key[:32], train))

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
    def _store_key(self) -> str:
        settings: list[Any] = [self.validation, self.test, self.on_bad, self.max_document_bytes]
        settings += [] if self.on_duplicate == "keep" else [self.on_duplicate]  # as in earlier runs
        return digest_of(self.source.fingerprint(self.cache), settings, cleaning.VERSION, store.VERSION)

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
        key = digest_of(self._store_key, store.FORMAT)
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
