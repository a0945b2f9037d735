"""Entities in tagged words: named spans, found and counted as seqeval 1.2.2 does.

Tags are "O" or a prefix and a kind: B-PER begins an entity, I-PER lies inside, E-PER ends it, S-PER is one word.
Ramshaw and Marcus, 1995 (IOB1); Tjong Kim Sang and De Meulder, 2003, "Introduction to the CoNLL-2003 Shared Task".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# Shapes: N sentences, K kinds; the last axis of counts holds entities true, found, and both.


class Tag(NamedTuple):
    prefix: str
    kind: str


class Entity(NamedTuple):
    """The words from `start` to before `end`."""

    kind: str
    start: int
    end: int


Pattern = tuple[str, str, bool | None]  # prefixes before, prefixes now, whether the kind is the same (None: any)
OUTSIDE, ANY = Tag("O", ""), "BIOES"


@dataclass(frozen=True)
class Rules:
    """What a tag does behind another one. `prefixed` is false where each tag but O is only a kind."""

    prefixes: str
    begin: tuple[Pattern, ...]
    go_on: tuple[Pattern, ...]
    end: tuple[Pattern, ...]
    prefixed: bool = True

    def read(self, tag: str) -> Tag:
        if tag == "O":
            return OUTSIDE
        return Tag(*tag.partition("-")[::2]) if self.prefixed else Tag("I", tag)


def match(patterns: Iterable[Pattern], before: Tag, now: Tag) -> bool:
    return any(
        before.prefix in first and now.prefix in second and same in (None, before.kind == now.kind)
        for first, second, same in patterns
    )


# As conlleval finds entities in tags of any scheme: a stray I- begins one.
LENIENT = Rules(
    ANY,
    begin=((ANY, "BS", None), ("OES", "IE", None), ("BI", "IE", False)),
    go_on=(("BI", "IE", True),),
    end=((ANY, ANY, None),),
)
PLAIN = Rules("IO", LENIENT.begin, LENIENT.go_on, LENIENT.end, prefixed=False)  # neighbours of a kind are one entity

# The strict mode of seqeval, whose patterns these are.
STRICT = {
    "iob2": Rules(
        "BIO",
        begin=((ANY, "B", None),),
        go_on=(("BI", "I", True),),
        end=(("BI", "OB", None), ("BI", "I", False)),
    ),
    "iobes": Rules(
        "BIOES",
        begin=((ANY, "BS", None),),
        go_on=(("BI", "IE", True),),
        end=(("ES", ANY, None),),
    ),
    "iob1": Rules(
        "BIO",
        begin=(("OB", "I", None), ("I", "I", False), ("BI", "B", True)),
        go_on=(("BI", "I", True),),
        end=(("BI", "O", None), ("BI", "I", False), ("I", "B", None), ("B", "B", True)),
    ),
    "plain": PLAIN,
}


def rules_of(scheme: str, strict: bool) -> Rules:
    """Raises ValueError for an unknown scheme."""
    if scheme not in STRICT:
        raise ValueError(f"scheme={scheme}: choose {', '.join(STRICT)}")
    return STRICT[scheme] if strict or scheme == "plain" else LENIENT


def find_entities(tags: Sequence[str], scheme: str, strict: bool = False) -> list[Entity]:
    """The entities of one sentence. Raises ValueError for an unknown scheme, or a tag that it does not have."""
    rules = rules_of(scheme, strict)
    read = [*map(rules.read, tags), OUTSIDE]
    for tag, (prefix, _) in zip(tags, read, strict=False):
        if prefix not in rules.prefixes or not prefix:
            raise ValueError(f"{tag} is no tag of scheme={scheme}: its tags begin with {spelled(rules)}")
    found, before, place = [], OUTSIDE, 0
    while place < len(read):
        end = place + 1
        if match(rules.begin, before, read[place]):
            while match(rules.go_on, read[end - 1], read[end]):
                end += 1
            if match(rules.end, read[end - 1], read[end]):
                found.append(Entity(read[place].kind, place, end))
        before, place = read[end - 1], end
    return found


class Misfit(NamedTuple):
    """The first tag of a sentence that is not of its scheme: its place among the tags, why, and what would do."""

    place: int
    what: str
    cure: str


def find_misfit(tags: Sequence[str], scheme: str) -> Misfit | None:
    """None where the tags of a sentence are of the scheme. Raises ValueError for an unknown scheme."""
    wrong = first_wrong(tags, scheme)
    if wrong is None:
        return None
    fitting = [f"objective.scheme={each}" for each in STRICT if first_wrong(tags, each) is None]
    return Misfit(*wrong, f"set {' or '.join([*fitting[:1], 'objective.strict=false'])}")


def first_wrong(tags: Sequence[str], scheme: str) -> tuple[int, str] | None:
    rules, before, spelled_before, inside = rules_of(scheme, strict=True), OUTSIDE, "the begin of the sentence", False
    for place, tag in enumerate(tags):
        now = rules.read(tag)
        if now.prefix not in rules.prefixes or not now.prefix or (not rules.prefixed and tag[:2] in PREFIXED):
            return place, f"{tag} is not {scheme.upper()}, whose tags begin with {spelled(rules)}"
        goes_on = inside and match(rules.go_on, before, now)
        if not goes_on:
            unfinished = inside and not match(rules.end, before, now)
            inside = match(rules.begin, before, now)
            if unfinished or (now != OUTSIDE and not inside):
                return place, f"{tag} after {spelled_before} is not {scheme.upper()}"
        before, spelled_before = now, tag
    if inside and not match(rules.end, before, OUTSIDE):
        return len(tags) - 1, f"{spelled_before} at the end of the sentence is not {scheme.upper()}"
    return None


PREFIXED = tuple(f"{prefix}-" for prefix in "BIES")


def spelled(rules: Rules) -> str:
    """B-, I- or O."""
    if not rules.prefixed:
        return "no prefix"
    return f"{', '.join(f'{prefix}-' for prefix in rules.prefixes if prefix != 'O')} or O"


def kinds_of(tags: Iterable[str], scheme: str) -> list[str]:
    """The kinds that tags tell apart, in alphabetical order."""
    rules = rules_of(scheme, strict=False)
    return sorted({kind for prefix, kind in map(rules.read, tags) if prefix != "O"})


def count_entities(
    true: Sequence[str], found: Sequence[str], kinds: Sequence[str], scheme: str, strict: bool = False
) -> np.ndarray:
    """The tags of one sentence, true and found -> (K, 3) counts of each kind's entities: true, found, both."""
    places = {kind: place for place, kind in enumerate(kinds)}
    sets = [set(find_entities(tags, scheme, strict)) for tags in (true, found)]
    counts = np.zeros((len(kinds), 3), dtype=np.int64)
    for column, entities in enumerate((*sets, sets[0] & sets[1])):
        for entity in entities:
            counts[places[entity.kind], column] += 1
    return counts


class Agreement(NamedTuple):
    precision: float
    recall: float
    f1: float


def agreement(counts: np.ndarray) -> Agreement:
    """(3,) entities true, found and both -> how well they agree; zero where there is nothing to divide by."""
    true, found, both = counts.tolist()
    return Agreement(ratio(both, found), ratio(both, true), ratio(2 * both, true + found))


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def measure_entities(counts: np.ndarray, kinds: Sequence[str]) -> dict[str, float]:
    """(N, K, 3) counts of each sentence -> precision, recall and F1 of all entities, then of each kind: "f1_PER"."""
    sums = counts.sum(0)
    metrics: dict[str, float] = agreement(sums.sum(0))._asdict()
    for kind, each in zip(kinds, sums, strict=True):
        metrics |= {f"{name}_{kind}": value for name, value in agreement(each)._asdict().items()}
    return metrics
