"""Labelled examples: a source, checked, split and stored once, and the labels that its training rows have."""

import logging
from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from ...paths import LocalPath
from ...ranges import BelowOne, Finite, Positive
from ..cache import build_once, digest_of
from ..contracts import SPLITS, OnBad, Split
from ..text.base import KeptTokenizer, TokenisedData
from ..text.tokenizer_recipes import Recipe
from . import encoded, naming, store
from .checking import Checker
from .example import LISTS, TEXTS, Example, ExampleSource
from .rows import HeldRows, Rows
from .split import Examples
from .words import Cut, check_cut

log = logging.getLogger(__name__)

OnLong = Literal["cut", "error"]


class LabelledData(TokenisedData):
    """Examples of a source, checked, split and cached. The tokenizer is trained on the training texts, or loaded.

    labels: the names of the classes, or of the tags, in their order; None: those of the training split
    scale: mean and standard deviation of the labels, where these are numbers; None: those of the training split
    validation, test: the fractions of the training rows that are set aside where the source has no such split, by a
        hash of their texts or of their group, never of their labels
    on_bad: "error" stops at a row that cannot be used; "skip" leaves it out, and counts it in the report
    on_long: "cut" counts the texts that are longer than the model reads; "error" stops
    words: how a text without given words is cut into words: at white space, or also around every sign
    cache: a folder; None: $VARIFORMER_CACHE, else ~/.cache/variformer
    """

    holds: ClassVar = "examples"

    def __init__(
        self,
        source: ExampleSource,
        tokenizer_recipe: Recipe,
        *,
        labels: Sequence[str] | None = None,
        scale: tuple[Finite, Positive] | None = None,
        validation: BelowOne = 0.1,
        test: BelowOne = 0.1,
        on_bad: OnBad = "error",
        on_long: OnLong = "cut",
        words: Cut = "white_space",
        cache: LocalPath | None = None,
    ) -> None:
        super().__init__(source, tokenizer_recipe, validation=validation, test=test, on_bad=on_bad, cache=cache)
        check_cut(words)
        if on_long not in ("cut", "error"):
            raise ValueError(f"data.on_long is cut or error, not {on_long!r}")
        if labels is not None and len(set(labels)) < len(labels):
            raise ValueError(f"data.labels names a class twice: {', '.join(labels)}")
        self.source, self.on_long, self.words = source, on_long, words
        self._given_labels = None if labels is None else tuple(labels)
        self._given_scale = None if scale is None else (float(scale[0]), float(scale[1]))
        self._cut: dict[str, int] = {}

    @property
    def fingerprint(self) -> str:
        """A hash that changes whenever a sample would; where the tokenizer came from does not matter."""
        labels = self._given_labels or self._found_labels
        return digest_of(self.store_key, self.tokenizer.fingerprint, encoded.VERSION, labels, self.words)

    @property
    def described(self) -> "LabelledData":
        return self

    def prepare(self) -> None:
        """Make what is not in the cache yet."""
        self._store, self.tokenizer  # noqa: B018

    def split(self, name: Split) -> Examples:
        """One split; ValueError if it has no rows."""
        if name not in SPLITS:
            raise ValueError(f"no split {name!r}; there are: {', '.join(SPLITS)}")
        rows = self._store.rows(name)
        if not len(rows):
            raise ValueError(
                f"the {name} split of {self.source} has no rows: give it files of its own, or raise its fraction "
                f"(data.validation={self.validation}, data.test={self.test})"
            )
        return Examples(name, rows, self, self.cache / "examples_tokens" / self.store_key[:32])

    def hold(self, examples: Sequence[Example]) -> Examples:
        """Examples that are not of the source, as a split in memory. Those with faults are refused."""
        usable = list(Checker("error").usable(examples))
        return Examples("given", HeldRows(usable), self)

    def only(self, files: Sequence[str]) -> "LabelledData":
        """The same columns of other files, all of them the test split, with this tokenizer and these labels."""
        return LabelledData(
            self.source.only(files),
            KeptTokenizer(self.tokenizer),
            labels=self._given_labels or self._found_labels,
            scale=self._given_scale or self.__dict__.get("scale"),
            on_bad=self.on_bad,
            on_long=self.on_long,
            words=self.words,
            cache=str(self.cache),
        )

    @property
    def fields(self) -> Set[str]:
        """The fields that the examples have."""
        return frozenset(self._store.counts["fields"])

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, or of the tags, in their order: those given, else of the training split.

        Raises ValueError where there are none, fewer than two, or more than are found without being given.
        """
        if self._given_labels is not None:
            return self._given_labels
        if {"label", "tags"} <= self.fields:
            raise ValueError("rows have both a label and tags: leave one out by data.source.columns.label=null")
        if not {"label", "tags"} & self.fields:
            self.require("label", reader=self)
        if self._found_labels is None:
            raise ValueError(naming.too_many("tag" if "tags" in self.fields else "label"))
        naming.check_names(self._found_labels, self._store.counts["labels"]["train"])
        return self._found_labels

    @property
    def label_counts(self) -> Mapping[str, int]:
        """How many training rows have each label; empty where labels are no names."""
        counts: Mapping[str, int] = (self._store.counts["labels"] or {}).get("train", {})
        return counts

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the training labels, or those given; ValueError where they are no numbers."""
        return self._given_scale or naming.scale_of(naming.values(self._store.rows("train")))

    @property
    def found_settings(self) -> dict[str, Any]:
        """What was found because an objective asked for it: values of this data set's config, for the run to keep."""
        found = {"labels": self._given_labels is None, "scale": self._given_scale is None}
        return {name: list(self.__dict__[name]) for name, is_new in found.items() if is_new and name in self.__dict__}

    def require(self, *fields: str, reader: object) -> None:
        """Raises ValueError if the examples lack a field that `reader` needs."""
        for field in fields:
            if field not in self.fields:
                there = self.source.columns_there()
                cure = f"set data.source.columns.{field}=COLUMN" if there else "choose other data, or another objective"
                has = ", ".join(there or sorted(self.fields))
                raise ValueError(f"{self.source} has: {has}; {type(reader).__name__} needs {field}: {cure}")

    def count_cut(self, split: str, rows: Rows, cut: np.ndarray) -> None:
        """Count the rows of a view that were cut. Raises ValueError with on_long=error."""
        total = int(cut.sum())
        if not total:
            return
        first = rows.name(int(cut.argmax()))
        what = f"{total} of {len(rows)} {split} rows are longer than the model reads (first: {first})"
        if self.on_long == "error":
            raise ValueError(f"{what}: raise length, or set data.on_long=cut")
        if self._cut.get(split) != total:
            self._cut[split] = total
            log.warning("%s, and were cut; raise length to read all", what)

    @property
    def report(self) -> dict[str, Any]:
        """{"train": {"examples", "labels": {name: rows}}, ..., "skipped": {reason: rows}, "cut": {split: rows}, ...}.

        "cut" holds the splits that an objective has read so far.
        """
        counts = self._store.counts
        labels = counts["labels"] or {}
        splits: dict[str, Any] = {
            name: {"examples": len(self._store.rows(name)), **({"labels": labels[name]} if labels.get(name) else {})}
            for name in SPLITS
        }
        kept = ("skipped", "moved_answers", "repeated", "in_two_splits", "contradictory")
        return {**splits, **{name: counts[name] for name in kept}, "cut": dict(self._cut)}

    @cached_property
    def _found_labels(self) -> tuple[str, ...] | None:
        """Of the training rows; None where there are none, or too many."""
        counts = self._store.counts
        if counts["class_names"]:
            return tuple(counts["class_names"])
        return None if counts["labels"] is None else naming.in_order(counts["labels"]["train"])

    @cached_property
    def store_key(self) -> str:
        settings = [self.validation, self.test, self.on_bad]
        return digest_of(self.source.fingerprint(self.cache), settings, store.VERSION)

    @cached_property
    def _store(self) -> store.ExampleStore:
        def build(folder: Path) -> None:
            store.write_store(folder, self.source, Checker(self.on_bad), self.validation, self.test)

        return store.ExampleStore(build_once(self.cache / "examples" / self.store_key[:32], build))

    def _versions(self) -> list[int]:
        return [store.VERSION, encoded.VERSION]

    def training_texts(self) -> "TrainingTexts":
        return TrainingTexts(self._store.rows("train"))


class TrainingTexts:
    """Every text of the rows, which a tokenizer may read more than once."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __iter__(self) -> Any:
        for index in range(len(self.rows)):
            for field in (*TEXTS, LISTS[0]):
                if field in self.rows.fields and (value := self.rows.value(field, index)):
                    yield value if isinstance(value, str) else " ".join(value)
