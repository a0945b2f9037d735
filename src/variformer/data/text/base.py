"""What all data sets of texts share: a source that is read and split once, and a tokenizer of its training texts."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ...ranges import BelowOne
from ..cache import build_once, cache_folder, digest_of
from ..contracts import OnBad, Split, check_choices
from .tokenizer import Tokenizer
from .tokenizer_recipes import Recipe

_NAMED = 100  # files that `parts` lists one by one


class Origin(Protocol):
    """What a source says of its content."""

    def fingerprint(self, cache: Path) -> str: ...

    def contents(self, cache: Path) -> dict[str, str]: ...


class TokenisedData:
    """A source, the fractions of its training items that become the splits it lacks, and a kind of tokenizer.

    A subclass says what it `holds`, how the items are kept (`store_key`, `training_texts`), and which `_versions` of
    the code decide what a model reads.
    """

    holds: ClassVar[str]

    def __init__(
        self,
        source: Origin,
        recipe: Recipe,
        *,
        validation: BelowOne,
        test: BelowOne,
        on_bad: OnBad,
        cache: str | None,
    ) -> None:
        if not (validation >= 0 and test >= 0 and validation + test < 1):
            raise ValueError(
                f"validation={validation} and test={test} must be fractions that leave something to train on"
            )
        check_choices(on_bad)
        self.recipe = recipe
        self.validation, self.test, self.on_bad = validation, test, on_bad
        self.cache = cache_folder(cache)
        self._origin = source

    @property
    def parts(self) -> dict[str, str]:
        """What the fingerprint follows from, each with a short text that changes whenever it does."""
        contents = self._origin.contents(self.cache)
        if len(contents) > _NAMED:
            contents = {"the files": digest_of(sorted(contents.items()))}
        code = {"how this version of the code reads texts": digest_of(self._versions())}
        parts = contents | {"the tokenizer": self.tokenizer.fingerprint} | code
        return {name: digest_of(text)[:16] for name, text in parts.items()}

    @cached_property
    def tokenizer(self) -> Tokenizer:
        key = digest_of(self.store_key, self.recipe.fingerprint())

        def train(folder: Path) -> None:
            self.recipe.train(self.training_texts()).save(folder)

        return Tokenizer.load(build_once(self.cache / "tokenizers" / key[:32], train))

    @property
    def fingerprint(self) -> str:
        """Changes whenever a sample would."""
        raise NotImplementedError

    @property
    def report(self) -> dict[str, Any]:
        """Counts, as JSON."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what is not in the cache yet."""
        raise NotImplementedError

    def split(self, name: Split) -> Any:
        raise NotImplementedError

    @property
    def described(self) -> Any:
        """What an objective is built with."""
        raise NotImplementedError

    @property
    def store_key(self) -> str:
        """Changes whenever another text is kept, or is in another split."""
        raise NotImplementedError

    def _versions(self) -> list[int]:
        raise NotImplementedError

    def training_texts(self) -> Iterable[str]:
        raise NotImplementedError


class KeptTokenizer:
    """The recipe of a tokenizer that is there already."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def train(self, texts: Iterable[str]) -> Tokenizer:
        return self.tokenizer

    def fingerprint(self) -> str:
        return digest_of("KeptTokenizer", self.tokenizer.fingerprint)
