"""Which class of transformers has the parts of a model.

Several of their classes may serve one class of ours: a GPT with rotary positions is a GPT-NeoX, and with RMSNorm and
gates a Llama. Each family says in which parts a model differs from its class; the first without a difference is taken.
"""

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from .matching import Format, body_of, table_of, tensors_of
from .table import Difference, Family
from .tables import FAMILIES


class Destination(NamedTuple):
    """The class of transformers that a model is exported as, or why there is none."""

    architecture: str | None  # "GPTNeoXForCausalLM"; None where no class has the model's parts
    because: str = ""  # how the model differs from the nearest class, in one line; empty where a class has its parts

    def __str__(self) -> str:
        """As in "as GPTNeoXForCausalLM" or "with its own code, because ..."; before it stands "exports"."""
        return f"as {self.architecture}" if self.architecture else f"with its own code, because {self.because}"


def destination(model: nn.Module, model_type: str | None = None) -> Destination:
    """The class of transformers that has the parts of a model, or how the model differs from the nearest class.

    Of several that fit, that of `model_type` is taken, or else the first in the order of `FAMILIES`. Values of tensors
    are not read: the model may be on the meta device.
    """
    try:
        return Destination(format_of(model, model_type).architecture(model))
    except ValueError as error:
        return Destination(None, str(error))


def format_of(model: nn.Module, model_type: str | None = None) -> Format:
    """The first format whose class has all parts of a model; that of `model_type` goes before the others.

    Raises ValueError that says in one line how the model differs from the nearest class: that with the fewest
    differences, and of equal ones with the same positions.
    """
    differing: list[tuple[Format, list[Difference]]] = []
    for format in candidates(model, model_type):
        if not (found := differences_of(model, format)):
            return format
        differing.append((format, found))
    nearest, found = min(differing, key=lambda each: (len(each[1]), any(one.part == "positions" for one in each[1])))
    raise ValueError(line_of(nearest.architecture(model), found))


def line_of(architecture: str, differences: list[Difference]) -> str:
    """As in "positions: RotaryPositions, norm: RMSNorm; GPT2LMHeadModel has LearnedPositions, LayerNorm"."""
    ours = ", ".join(f"{each.part}: {each.ours}" for each in differences)
    return f"{ours}; {architecture} has {', '.join(each.theirs for each in differences)}"


def candidates(model: nn.Module, model_type: str | None = None) -> list[Format]:
    """The formats of the model's class, that of `model_type` first. Raises ValueError where there is none."""
    families = families_of(model)
    preferred = FAMILIES.get(model_type or "")
    formats = [format_in(family, model) for family in sorted(families, key=lambda each: each is not preferred)]
    found = [each for each in formats if each is not None]
    if not found:
        known = ", ".join(dict.fromkeys(task.model.__name__ for family in families for task in family.tasks))
        kind = type(body_of(model)).__name__
        raise ValueError(f"transformers has no class for {type(model).__name__} on {kind}, only for {known}")
    return found


def families_of(model: nn.Module) -> list[Family]:
    """Those that serve the nearest class to that of a model, or of its body. Raises ValueError where there is none."""
    served = {kind for family in FAMILIES.values() for kind in family.models}
    nearest = next((kind for kind in type(body_of(model)).__mro__ if kind in served), None)
    if nearest is None:
        known = ", ".join(sorted(kind.__name__ for kind in served))
        raise ValueError(f"transformers has no class for {type(body_of(model)).__name__}, only for {known}")
    return [family for family in FAMILIES.values() if nearest in family.models]


def format_in(family: Family, model: nn.Module) -> Format | None:
    """A family's class for such a model; None where it has none with the model's head."""
    task = next((task for task in family.tasks if task.model is type(model)), None)
    return Format(family, task) if body_of(model) is model or task else None


def differences_of(model: nn.Module, format: Format) -> list[Difference]:
    """All parts of a model for which a class has no place; where there are none, the tensors without a place."""
    body, (family, task) = body_of(model), format
    kind = next(kind for kind in type(body).__mro__ if kind in family.models)
    try:
        found = [*family.differences(body), *(task.differences(model) if task else ())]
    except AttributeError as error:  # a class of one's own without a part that all others have
        return [Difference("model", f"{type(body).__name__} ({error})", f"the parts of {kind.__name__}")]
    if type(body).forward is not kind.forward:
        found.append(Difference("forward", f"{type(body).__name__}'s own", f"{kind.__name__}'s"))
    return list(dict.fromkeys(found)) or list(unmatched(model, format))


def unmatched(model: nn.Module, format: Format) -> Iterator[Difference]:
    ours, table = tensors_of(model, format.family), table_of(model, format)
    listed = {name for row in table for name in row.ours}
    if absent := next(((row, name) for row in table for name in row.ours if name not in ours), None):
        yield Difference("tensors", f"no {absent[1]}", absent[0].theirs[0])
    if left_over := next((name for name in ours if name not in listed), None):
        yield Difference("tensors", left_over, "no such tensor")
