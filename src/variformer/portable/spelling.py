"""How a folder with its own modelling code names a model's tensors: as checkpoints of training do, behind "model."."""

from collections.abc import Mapping

from torch import Tensor, nn

MODEL_TYPE = "variformer"
PREFIX = "model."


def further_names(model: nn.Module) -> dict[str, str]:
    """The further names of tied parameters, and the first name of each."""
    first: dict[int, str] = {}
    named = model.named_parameters(remove_duplicate=False)
    return {name: original for name, each in named if (original := first.setdefault(id(each), name)) != name}


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """The model's tensors by their names in a folder, a tied one once."""
    tied = further_names(model)
    return {f"{PREFIX}{name}": tensor.contiguous() for name, tensor in model.state_dict().items() if name not in tied}


def with_further_names(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a folder by our names, a tied one under all of them. Raises ValueError where two that are tied differ.

    A model that transformers saved may hold a tied tensor under another of its names than we do.
    """
    ours = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    groups: dict[str, list[str]] = {}
    for name, original in further_names(model).items():
        groups.setdefault(original, [original]).append(name)
    for names in groups.values():
        held = [name for name in names if name in ours]
        for name in held[1:]:
            if not ours[name].equal(ours[held[0]]):
                raise ValueError(f"{name} differs from {held[0]}, which the model ties")
        ours |= {name: ours[held[0]] for name in names if held}
    return ours
