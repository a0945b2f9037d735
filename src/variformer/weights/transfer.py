"""Starting a model from the weights of another: same names and shapes are copied, a few sizes are adjusted.

A transformer must be whole. What is outside of one is a head: a new head keeps its initial values, and a head of the
source that has no place is left behind; the report lists both. A decoder that reads an encoder's states is new as a
whole where the source has none.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import LearnedPositions, PatchEmbedding, Transformer
from ..models import Tuned

# Shapes: N rows of a table, D width, C channels, P side of a patch.

BODY = "body."  # where a model for a task keeps the pre-trained one


class Misfit(ValueError):
    """Weights that do not fit a model: what is missing, left over or of another shape, one tensor a line."""

    def __init__(self, model: nn.Module, problems: Iterable[str]):
        self.problems = sorted(problems)
        lines = [f"the weights do not fit this {type(model).__name__}:", *(f"  {each}" for each in self.problems)]
        super().__init__("\n".join(lines))


@dataclass
class Report:
    """What became of the weights."""

    copied: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)  # with both shapes; these are among the copied ones too
    shortened: list[str] = field(default_factory=list)  # likewise
    new: list[str] = field(default_factory=list)  # ours, which keep their initial values
    left_behind: list[str] = field(default_factory=list)  # the source's

    def lines(self) -> list[str]:
        kinds = {
            "resized by interpolation": self.resized,
            "cut to the first positions": self.shortened,
            "new, with initial values": self.new,
            "left behind": self.left_behind,
        }
        listed = [f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names]
        return [f"{len(self.copied)} tensors copied", *listed]


def initialise_from(model: nn.Module, tensors: Mapping[str, Tensor], offset: int | None = None) -> Report:
    """Copy `tensors`, named as in our models, into `model`, in the model's precision.

    Learned positions and patches of other sizes are interpolated, but a shorter text keeps the first positions as they
    are. `offset` is the source's `offset_of`. Raises Misfit that lists what is missing, left over or of another
    shape in a transformer, and positions that begin elsewhere in their table; then nothing is copied.
    """
    parameters = dict(model.state_dict(keep_vars=True))  # a tied one under both of its names
    tensors, report = interpolated(model, aligned(model, tensors))
    bodies, removed, absent = transformers(parameters), removable(model), absent_transformers(model, tensors)
    sources = transformers(tensors)
    problems = []
    if None not in (offset, offset_of(model)) and offset != offset_of(model):
        begin = f"the source's begin at row {offset} of their table, the model's at row {offset_of(model)}"
        problems.append(f"other positions: {begin} (give model.positions the offset {offset})")
    for name, parameter in parameters.items():
        if name in tensors and tensors[name].shape == parameter.shape:
            report.copied.append(name)
        elif belongs(name, absent):
            continue
        elif not belongs(name, bodies):
            report.new.append(name)
        elif name not in tensors:
            problems.append(f"missing: {name}, which the model has")
        else:
            found, expected = tuple(tensors[name].shape), tuple(parameter.shape)
            problems.append(
                f"of the wrong shape: {name} is {found}, the model asks for {expected}{cure(name, found, expected)}"
            )
    for name in tensors.keys() - parameters.keys():
        if belongs(name, sources) and not belongs(name, removed):
            problems.append(f"left over: {name}, which the model does not have")
        else:
            report.left_behind.append(name)
    problems += disagreements(parameters, tensors, report.copied)
    if problems:
        raise Misfit(model, problems)
    with torch.no_grad():
        for name in report.copied:
            parameters[name].copy_(tensors[name])
    report.left_behind.sort()
    copied = {id(parameters[name]) for name in report.copied}
    report.new = [*sorted(absent), *(name for name in report.new if id(parameters[name]) not in copied)]
    return report


def aligned(model: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors by the names of `model`, where only one of the two stands under a head for a task.

    The pooler of a pair head then becomes that of the new head (Devlin et al., 2018, section 4.1).
    """
    has_head, wanted = any(name.startswith(BODY) for name in tensors), isinstance(model, Tuned)
    if has_head == wanted:
        return dict(tensors)
    if has_head:
        return {name.removeprefix(BODY) if name.startswith(BODY) else f"tuned.{name}": t for name, t in tensors.items()}
    pool = {f"pair_head.pool.{kind}": f"head.pool.{kind}" for kind in ("weight", "bias")}
    return {pool.get(name, f"{BODY}{name}"): tensor for name, tensor in tensors.items()}


def removable(model: nn.Module) -> set[str]:
    """The parts that a head for a task takes the place of, which may hold a transformer (BART's decoder)."""
    return {f"{BODY}{name}" for name in model.body.head_names} if isinstance(model, Tuned) else set()


def absent_transformers(model: nn.Module, tensors: Mapping[str, Tensor]) -> set[str]:
    """The transformers that read the states of another, and of which the source has nothing (a decoder)."""
    prefix, body = (BODY, model.body) if isinstance(model, Tuned) else ("", model)
    above = [f"{prefix}{name}" for name in getattr(body, "head_names", ())]
    own = [name for name, _ in model.named_parameters()]  # a shared one under its first name, which is the encoder's
    found = transformers(name for name in own if belongs(name, above))
    return {each for each in found if not any(name in tensors for name in own if belongs(name, [each]))}


def transformers(names: Iterable[str]) -> set[str]:
    """The transformers that these tensors are of: what is before `blocks`."""
    found = (re.match(r"(.+?)\.blocks\.\d+\.", name) for name in names)
    return {match[1] for match in found if match}


def belongs(name: str, parts: Iterable[str]) -> bool:
    """Whether a tensor is of one of these parts of a model, such as "encoder" or "head.scores"."""
    return any(name.startswith(f"{part}.") for part in parts)


def cure(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if name.endswith("embedding.tokens.weight") and found[0] != expected[0]:
        return (
            f" (another vocabulary: set model.vocab_size={found[0]}, and tokenizer=pretrained with "
            "tokenizer.path=... for the tokenizer that the weights were trained with)"
        )
    return ""


def disagreements(parameters: Mapping[str, Tensor], tensors: Mapping[str, Tensor], copied: list[str]) -> list[str]:
    """Where the model has one parameter under two names, and the source two different tensors."""
    first: dict[int, str] = {}
    problems = []
    for name in copied:
        original = first.setdefault(id(parameters[name]), name)
        if original != name and not torch.equal(tensors[name], tensors[original]):
            problems.append(f"not tied: {name} differs from {original}, which the model ties")
    return problems


def offset_of(model: nn.Module) -> int | None:
    """How many first rows of its tables are no positions; None for a model that has no learned positions."""
    return next((each.offset for each in model.modules() if isinstance(each, LearnedPositions)), None)


def interpolated(model: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Report]:
    """The same tensors, with positions and patches in the model's sizes; the report says which were changed."""
    result, report = dict(tensors), Report()
    for prefix, transformer in model.named_modules():
        if not isinstance(transformer, Transformer):
            continue
        positions, kernels = f"{prefix}.positions.table.weight", f"{prefix}.embedding.patches.weight"
        if positions in result and isinstance(transformer.positions, LearnedPositions):
            result[positions] = fitted_positions(transformer, transformer.positions, result[positions])
        if kernels in result and isinstance(transformer.embedding, PatchEmbedding):
            result[kernels] = resize_patches(result[kernels], transformer.embedding.patches.kernel_size[0])
        for name in (positions, kernels):
            if name in result and result[name].shape != tensors[name].shape:
                is_grid = isinstance(transformer.embedding, PatchEmbedding)
                cut = not is_grid and len(result[name]) < len(tensors[name])
                changed = report.shortened if cut else report.resized
                changed.append(f"{name} {tuple(tensors[name].shape)} -> {tuple(result[name].shape)}")
    return result, report


def fitted_positions(transformer: Transformer, positions: LearnedPositions, table: Tensor) -> Tensor:
    length = positions.table.num_embeddings
    if isinstance(transformer.embedding, PatchEmbedding):
        return resize_grid(table, length, kept=len(transformer.embedding.specials))
    return resize_line(table, length, kept=positions.offset)


def resize_line(table: Tensor, length: int, kept: int = 0) -> Tensor:
    """(N, D) -> (length, D). To a longer one linearly; the first position stays the first, and the last the last.

    To a shorter one, the first rows: squeezed, neighbours would no longer be as far apart as all that was trained on
    top of them knows. The first `kept` rows are no positions and stay as they are.
    """
    if len(table) <= kept:
        return table
    if length <= len(table):
        return table[:length]
    line = table[kept:].float().T[None]
    resized = F.interpolate(line, length - kept, mode="linear", align_corners=True)
    return torch.cat([table[:kept], resized[0].T.to(table.dtype)])


def resize_grid(table: Tensor, length: int, kept: int = 1) -> Tensor:
    """(kept + side^2, D) -> (length, D): positions of square grids of patches, bicubically.

    Dosovitskiy et al., 2020, section 3.2. A table that holds no square is returned as it is.
    """
    old, new = (round(max(rows - kept, 0) ** 0.5) for rows in (len(table), length))
    if old == new or old**2 + kept != len(table):
        return table
    grid = table[kept:].float().T.unflatten(1, (old, old))[None]
    resized = F.interpolate(grid, (new, new), mode="bicubic", antialias=True)
    return torch.cat([table[:kept], resized[0].flatten(1).T.to(table.dtype)])


def resize_patches(kernels: Tensor, side: int) -> Tensor:
    """(D, C, P, P) -> (D, C, side, side): what a patch is multiplied with, bicubically."""
    if kernels.size(-1) == side:
        return kernels
    return F.interpolate(kernels.float(), (side, side), mode="bicubic", antialias=True).to(kernels.dtype)
