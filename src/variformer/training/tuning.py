"""How a pre-trained model is tuned: what is frozen, and which learning rate each of its parameters has.

The body is what was pre-trained: below a head for a task all else, of a classifier of images its transformers, and of
any other model the whole. Its parameters also answer to their names behind "body.", so that a pattern such as "body.*"
means the same in every model.
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from torch import nn

from ..layers import Transformer
from ..layers.low_rank import adapter_names
from ..models import Tuned
from .optimizer import ParameterGroups, decay_groups

BODY = "body."


def parameter_groups(model: nn.Module, layer_decay: float = 1.0, head_lr: float = 1.0) -> ParameterGroups:
    """The groups by decay, each divided by learning rate: `scale` is a factor of the optimizer's own.

    A block has layer_decay ^ (blocks above it + 1), embeddings have one factor more (Clark et al., 2020, "ELECTRA",
    appendix B; Howard and Ruder, 2018, section 3.2), and what is outside of the body has `head_lr`.
    """
    groups = decay_groups(model)
    if layer_decay == head_lr == 1.0:
        return groups
    blocks = {f"{name}.": each for name, each in model.named_modules() if isinstance(each, Transformer)}
    scales = {
        id(parameter): layer_decay ** level(name, blocks) if is_body(name, model) else head_lr
        for name, parameter in model.named_parameters()
    }
    return [
        {**group, "params": chosen, "scale": scale}
        for group in groups
        for scale in sorted(set(scales.values()), reverse=True)
        if (chosen := [each for each in group["params"] if scales[id(each)] == scale])
    ]


def level(name: str, transformers: dict[str, Transformer]) -> int:
    """How many layers a parameter lies below the head: 0 for what is above all blocks."""
    prefix = max((each for each in transformers if name.startswith(each)), key=len, default="")
    if not prefix:
        return 0
    part, _, rest = name.removeprefix(prefix).partition(".")
    if part == "blocks":
        return len(transformers[prefix].blocks) - int(rest.partition(".")[0])
    return 0 if part == "final_norm" else len(transformers[prefix].blocks) + 1


def is_body(name: str, model: nn.Module) -> bool:
    """Whether a parameter was pre-trained, and is no head for a task."""
    if isinstance(model, Tuned):
        return name.startswith(BODY)
    if hasattr(model, "head_names"):
        return True
    inside = (f"{each}." for each, module in model.named_modules() if isinstance(module, Transformer))
    return name.startswith(tuple(inside))


def freeze(model: nn.Module, frozen: Sequence[str], trained: Sequence[str] = (), new: Collection[str] = ()) -> None:
    """Let the parameters that `frozen` names stay as they are, but those that `trained` names and those of adapters.

    `new` are the names of parameters that no pre-trained model has given values. Raises ValueError for a pattern that
    names nothing, for a new parameter that would be frozen, and where nothing is left to train.
    """
    names = [name for name, _ in model.named_parameters()]
    also = {name: f"{BODY}{name}" for name in names if is_body(name, model) and not isinstance(model, Tuned)}
    chosen = matched("frozen", frozen, names, also) - matched("trained", trained, names, also) - adapter_names(model)
    if untaught := sorted(chosen & set(new)):
        raise ValueError(f"tuning.frozen: {untaught[0]} is new, so it must be trained; give init_from a model with it")
    if chosen and chosen == set(names):
        raise ValueError("tuning.frozen: nothing is left to train; freeze less, or set tuning=low_rank")
    for name in chosen:
        model.get_parameter(name).requires_grad_(False)


def matched(key: str, patterns: Sequence[str], names: Sequence[str], also: dict[str, str]) -> set[str]:
    """The names that answer to a pattern."""
    found: set[str] = set()
    for place, pattern in enumerate(patterns):
        hits = {name for name in names if any(fnmatchcase(each, pattern) for each in (name, also.get(name, name)))}
        if not hits:
            near = nearest(pattern, names)
            raise ValueError(f'tuning.{key}[{place}]: "{pattern}" names no parameter; nearest: {near}')
        found |= hits
    return found


def nearest(pattern: str, names: Sequence[str]) -> str:
    """The name of a parameter, or of a part of the model, that is most like a pattern."""
    parts = {name.rpartition(".")[0] for name in names}
    while above := {part.rpartition(".")[0] for part in parts if "." in part} - parts:
        parts |= above
    known = [*sorted(f"{part}.*" for part in parts if part), *names]
    return get_close_matches(pattern, known, n=1, cutoff=0.0)[0]
