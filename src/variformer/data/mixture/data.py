"""Several data sets as one: tasks with prefixes, or corpora, each with its share of the training."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ...paths import LocalPath
from ...ranges import Count, Positive
from ..cache import build_once, cache_folder, digest_of
from ..contracts import Split
from ..shuffles import mixing_shares
from ..text.base import TokenisedData
from ..text.tokenizer import Tokenizer
from ..text.tokenizer_recipes import Recipe
from .described import MixedExamples
from .split import MixedSplit

# Shapes: K parts.


class Mixture:
    """Data sets of texts, or of labelled examples, that share one tokenizer, which all of their training texts make.

    parts: the data sets by name; each is given its tokenizer by the mixture
    prefixes: of a part the text that stands before each of its sources, such as "summarize: "
    shares: of each part its weight in training, in samples; None: min(size, most) ^ (1 / temperature) (Raffel et al.,
        2019, section 3.5.2), so that by default all samples come equally often
    most: the size limit of that; None: no limit
    """

    def __init__(
        self,
        parts: Mapping[str, Callable[..., TokenisedData]],
        tokenizer_recipe: Recipe,
        *,
        prefixes: Mapping[str, str] | None = None,
        shares: Mapping[str, Positive] | None = None,
        temperature: Positive = 1.0,
        most: Count | None = None,
        cache: LocalPath | None = None,
    ) -> None:
        self.recipe, self.cache = tokenizer_recipe, cache_folder(cache)
        self.members = {name: make(tokenizer_recipe=SharedTokenizer(self)) for name, make in parts.items()}
        self.prefixes, self.shares = dict(prefixes or {}), None if shares is None else dict(shares)
        self.temperature, self.most = temperature, most
        if not self.members or len({each.holds for each in self.members.values()}) > 1:
            kinds = ", ".join(f"{name} holds {each.holds}" for name, each in self.members.items()) or "there are none"
            raise ValueError(f"data.parts must all be texts, or all be labelled examples: {kinds}")
        if unknown := sorted(set(self.prefixes) - set(self.members)):
            raise ValueError(f"data.prefixes.{unknown[0]}: no such part; there are: {', '.join(self.members)}")
        if shares is not None and set(shares) != set(self.members):
            raise ValueError(f"data.shares must name every part, and no other: {', '.join(self.members)}")

    @property
    def holds(self) -> str:
        return next(each.holds for each in self.members.values())

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Trained on the training texts of all parts, or loaded."""

        def train(folder: Path) -> None:
            self.recipe.train(JoinedTexts(list(self.members.values()))).save(folder)

        return Tokenizer.load(build_once(self.cache / "tokenizers" / self.tokenizer_key[:32], train))

    @property
    def tokenizer_key(self) -> str:
        stores = {name: part.store_key for name, part in self.members.items()}
        return digest_of("Mixture", stores, self.recipe.fingerprint())

    @property
    def described(self) -> Tokenizer | MixedExamples:
        """What an objective is built with."""
        return self.tokenizer if self.holds == "text" else MixedExamples(self.members, self.tokenizer)

    def prepare(self) -> None:
        """Make what is not in the cache yet."""
        for part in self.members.values():
            part.prepare()

    def split(self, name: Split) -> MixedSplit:
        """The same split of every part."""
        return MixedSplit(
            {part: data.split(name) for part, data in self.members.items()}, self.prefixes, self.shares_of
        )

    def shares_of(self, sizes: Mapping[str, int]) -> list[float]:
        """(K,) the share of each part, of which there are so many samples."""
        if self.shares is None:
            return mixing_shares(list(sizes.values()), self.temperature, self.most)
        return [self.shares[name] / sum(self.shares.values()) for name in sizes]

    @property
    def fingerprint(self) -> str:
        parts = {name: part.fingerprint for name, part in self.members.items()}
        return digest_of("Mixture", parts, self.prefixes, self.shares, self.temperature, self.most)

    @property
    def parts(self) -> dict[str, str]:
        """What the fingerprint follows from, by name, each with a short text that changes whenever it does."""
        found = {f"{name}: {key}": text for name, data in self.members.items() for key, text in data.parts.items()}
        mixing = digest_of(self.prefixes, self.shares, self.temperature, self.most)[:16]
        return found | {"the prefixes and shares of the parts": mixing}

    @property
    def report(self) -> dict[str, Any]:
        """{"train": {part: counts}, ...}: the report of each part, by what it counts."""
        reports = {name: part.report for name, part in self.members.items()}
        keys = dict.fromkeys(key for report in reports.values() for key in report)
        return {key: {name: report[key] for name, report in reports.items() if key in report} for key in keys}

    @property
    def found_settings(self) -> dict[str, Any]:
        """What was found in the parts: values of their config."""
        found = {name: each for name, part in self.members.items() if (each := getattr(part, "found_settings", None))}
        return {"parts": found} if found else {}


class SharedTokenizer:
    """The recipe of a part's tokenizer: that of the mixture."""

    def __init__(self, mixture: Mixture) -> None:
        self.mixture = mixture

    def train(self, texts: object) -> Tokenizer:
        return self.mixture.tokenizer

    def fingerprint(self) -> str:
        return self.mixture.tokenizer_key


class JoinedTexts:
    """The training texts of several data sets, which a tokenizer may read more than once."""

    def __init__(self, parts: Sequence[TokenisedData]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.training_texts()
