"""A model as an ONNX file, for runtimes without Python: any batch size, any length that the model takes.

The inputs have the names of the arguments of the model's `forward`: tokens, mask and segments; source, target and their
masks; images. The outputs have the names of what it returns: `scores`, or the fields of its named tuple, of which
`tokens`, an input as well, becomes `scores_of_tokens`. Scores at padding mean nothing, and runtimes differ there.
"""

import inspect
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from ..layers import Attention, LearnedPositions, PatchEmbedding, TokenEmbedding

# Shapes: B batch, T tokens, C channels.

TOLERANCE = 1e-4  # of a runtime's scores, in proportion to the largest
TOKENS, MASKS = ("tokens", "source", "target"), ("mask", "source_mask", "target_mask")
LEFT_OUT = ("predict", "cache")  # arguments that change what is computed at once, not what comes out
EXTRA = "an ONNX file needs packages that are not installed; pip install 'variformer[onnx]'"


class Answers(nn.Module):
    """A model whose result is a plain tuple of tensors, without what it left out."""

    def __init__(self, model: nn.Module, names: list[str]):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(answers(self.model(**dict(zip(self.names, inputs, strict=True)))).values())


@torch.no_grad()
def write_onnx(model: nn.Module, file: str | Path) -> float:
    """Write `model`, put in evaluation mode, and return how far ONNX Runtime's scores are from ours.

    The distance is the largest one, in proportion to the largest score, over batches of several sizes and lengths.
    Weights above 2 GB lie beside the file, in NAME.onnx.data. Raises ImportError where the extra is not installed, and
    ValueError where an argument of the model is unknown here or the distance is above 1e-4: then nothing is written.
    """
    require_extra()
    file, inputs = Path(file), samples(model.eval())
    with TemporaryDirectory(dir=file.parent, prefix=f".{file.stem}.") as folder:
        trial = Path(folder, file.name)
        traced(model, inputs[0]).save(trial)
        distance = torch.tensor(list(distances(model, trial, inputs))).max().item()  # nan where one is
        if not distance <= TOLERANCE:
            difference = f"ONNX Runtime's scores differ from the model's by {distance:.1e} of the largest"
            raise ValueError(f"{difference}, more than {TOLERANCE:.0e}: {file} was not written")
        for each in Path(folder).iterdir():
            os.replace(each, file.parent / each.name)
    return distance


def traced(model: nn.Module, inputs: dict[str, Tensor]) -> Any:
    """The model as an ONNX program, for batches and lengths of any size."""
    outputs = answers(model(**inputs))
    return torch.onnx.export(
        Answers(model, list(inputs)).eval(),
        tuple(inputs.values()),
        input_names=list(inputs),
        output_names=[f"scores_of_{name}" if name in inputs else name for name in outputs],
        dynamic_shapes=(tuple(dict.fromkeys(axes(name), Dim.DYNAMIC) for name in inputs),),
        dynamo=True,
        verbose=False,
    )


def require_extra() -> None:
    """Raises ImportError that says how to install it."""
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise ImportError(EXTRA) from None


def samples(model: nn.Module) -> list[dict[str, Tensor]]:
    """Inputs of the model's kind: the first is the one that is traced; the others are of other sizes."""
    names = arguments(model)
    if "images" in names:
        return [{"images": images(model, batch)} for batch in (2, 1, 5)]
    longest = min((longest_of(each) for each in model.modules()), default=2**31)
    windows = [each.window for each in model.modules() if isinstance(each, Attention) and each.window]
    first = min(longest, max([16, *(window + 2 for window in windows)]))  # longer than any window, which then counts
    shapes = [(2, first), (1, 1), (5, min(first + 7, longest))]
    return [{name: sample(model, name, batch, length) for name in names} for batch, length in shapes]


def arguments(model: nn.Module) -> list[str]:
    names = [name for name in inspect.signature(model.forward).parameters if name not in LEFT_OUT]
    segments = any(isinstance(each, TokenEmbedding) and each.segments is not None for each in model.modules())
    names = [name for name in names if segments or name != "segments"]
    if unknown := [name for name in names if name not in (*TOKENS, *MASKS, "segments", "images")]:
        raise ValueError(f"{type(model).__name__}.forward takes {', '.join(unknown)}, of which no sample is known here")
    return names


def longest_of(part: nn.Module) -> int:
    return part.table.num_embeddings - part.offset if isinstance(part, LearnedPositions) else 2**31


def sample(model: nn.Module, name: str, batch: int, length: int) -> Tensor:
    """(B, T): token ids, segments, or a mask whose first row ends in padding."""
    generator = torch.Generator().manual_seed(length)
    if name in MASKS:
        real = torch.ones(batch, length, dtype=torch.bool)
        real[0, (length + 1) // 2 :] = False
        return real
    embedding = next(each for each in model.modules() if isinstance(each, TokenEmbedding))
    table: Any = embedding.segments if name == "segments" else embedding.tokens
    return torch.randint(table.num_embeddings, (batch, length), generator=generator)


def images(model: nn.Module, batch: int) -> Tensor:
    """(B, C, size, size) of noise."""
    embedding = next(each for each in model.modules() if isinstance(each, PatchEmbedding))
    size, channels = embedding.image_size, embedding.patches.in_channels
    return torch.randn(batch, channels, size, size, generator=torch.Generator().manual_seed(batch))


def axes(name: str) -> tuple[int, ...]:
    """Which of an input's have any size."""
    return (0,) if name == "images" else (0, 1)


def answers(result: Any) -> dict[str, Tensor]:
    """What a model returns, by name."""
    if isinstance(result, Tensor):
        return {"scores": result}
    return {name: value for name, value in result._asdict().items() if value is not None}


def distances(model: nn.Module, file: Path, inputs: list[dict[str, Tensor]]) -> Iterator[float]:
    """Of each output and sample: the largest difference, in proportion to the largest value."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    for each in inputs:
        found = session.run(None, {name: each[name].numpy() for name in names})
        real = next((mask for name, mask in reversed(each.items()) if name in MASKS and name != "source_mask"), None)
        for ours, theirs in zip(answers(model(**each)).values(), map(torch.from_numpy, found), strict=True):
            if real is not None and ours.shape[:2] == real.shape:
                ours, theirs = ours[real], theirs[real]
            yield ((ours - theirs).abs().max() / ours.abs().max().clamp(min=1e-12)).item()


def inputs_of(model: nn.Module) -> Mapping[str, str]:
    """What a runtime gives, by name: the type and the axes."""
    types = {"images": "float (batch, channels, size, size)"}
    return {
        name: types.get(name, f"{'bool' if name in MASKS else 'int64'} (batch, length)") for name in arguments(model)
    }
