"""What an objective asks of several data sets of labelled examples together."""

from collections.abc import Mapping, Set
from typing import Any

from ..text.tokenizer import Tokenizer


class MixedExamples:
    """What an objective asks of labelled examples, of all parts together."""

    def __init__(self, parts: Mapping[str, Any], tokenizer: Tokenizer) -> None:
        self.tokenizer, self._parts = tokenizer, dict(parts)

    @property
    def fields(self) -> Set[str]:
        """The fields that all parts have."""
        return frozenset.intersection(*(frozenset(part.fields) for part in self._parts.values()))

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of every part. Raises ValueError where they differ."""
        found = {name: part.labels for name, part in self._parts.items()}
        first = next(iter(found))
        for name, labels in found.items():
            if labels != found[first]:
                raise ValueError(
                    f"data.parts.{name} has the classes {', '.join(labels)}, and {first} has "
                    f"{', '.join(found[first])}: give the same list of labels to both, or let a model write the names"
                )
        return found[first]

    @property
    def label_counts(self) -> Mapping[str, int]:
        """How many training rows have each label."""
        counts = [part.label_counts for part in self._parts.values()]
        return {name: sum(each.get(name, 0) for each in counts) for name in self.labels}

    @property
    def scale(self) -> tuple[float, float]:
        raise ValueError("the values of several parts have no common scale; train on one of them")

    def require(self, *fields: str, reader: object) -> None:
        """Raises ValueError if a part lacks a field that `reader` needs."""
        for part in self._parts.values():
            part.require(*fields, reader=reader)
