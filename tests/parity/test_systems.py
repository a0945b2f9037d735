"""Every system, in a small size: the class of transformers that it is exported as computes the same."""

import json
from typing import Any

import pytest
import torch
import transformers as hf
from systems import SYSTEMS, TEXT, TURNING, VOCABULARY, drawn, inputs_of, small
from torch import Tensor, nn

from variformer.layers import Transformer
from variformer.models import Electra, EncoderDecoder, ImageClassifier
from variformer.weights.files import write_tensors
from variformer.weights.huggingface import config_of, load, to_huggingface

from .conftest import KEY_BIAS, Twins

Given = dict[str, Tensor]
NOTHING = r"(?!)"  # where keys turn, the gradient of their bias is not zero


@pytest.fixture
def pair(tmp_path):
    """A system -> theirs, read from the folder that we write of a random model; and ours, read from it again."""

    def make(system: str) -> Twins:
        model, folder = drawn(small(system)), tmp_path / system
        write_tensors(to_huggingface(model), folder)
        written = config_of(model)
        (folder / "config.json").write_text(json.dumps(written))
        theirs, ours = getattr(hf, written["architectures"][0]).from_pretrained(folder), load(folder)
        assert type(ours) is type(model) and config_of(ours) == written
        return Twins(theirs.eval(), ours.eval(), folder)

    return make


def batch_of(ours: nn.Module, pad: int, rows: int = 3, length: int = 9) -> tuple[Given, Given, Tensor]:
    """What ours takes, what theirs takes, and which scores count: not those of padding, on the right."""
    if isinstance(ours, ImageClassifier):
        (images,) = inputs_of(ours, rows)
        return {"images": images}, {"pixel_values": images}, torch.ones(rows, dtype=torch.bool)
    mask = torch.arange(length) < torch.arange(length, length - rows, -1)[:, None]
    first, *others = (tokens.clamp(min=4) for tokens in inputs_of(ours, rows, length))  # some know padding by its id
    first = first.masked_fill(~mask, pad)
    if isinstance(ours, EncoderDecoder):
        given = {"source": first, "target": others[0], "source_mask": mask}
        theirs = {"input_ids": first, "attention_mask": mask.long(), "decoder_input_ids": others[0]}
        return given, theirs, torch.ones_like(others[0], dtype=torch.bool)
    given, theirs = {"tokens": first, "mask": mask}, {"input_ids": first, "attention_mask": mask.long()}
    table = next(each.embedding.segments for each in ours.modules() if isinstance(each, Transformer))
    if table is not None and table.num_embeddings > 1:
        given["segments"] = theirs["token_type_ids"] = torch.randint(2, (rows, length))
    return given, theirs, mask


def pad_of(made: Twins) -> int:
    return getattr(made.theirs.config, "pad_token_id", None) or 0


def ours_of(found: Any) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    return [value for name, value in found._asdict().items() if value is not None and name != "states"]


def theirs_of(found: Any) -> list[Tensor]:
    several = [value for name, value in found.items() if name.endswith("_logits")]
    return several or [found.logits]


def of_classes(scores: Tensor, real: Tensor) -> Tensor:
    """(..., classes) of what is real. A single score is that of the second of two classes."""
    if scores.shape == real.shape:
        scores = torch.stack([torch.zeros_like(scores), scores], -1)
    return scores[real] if scores.shape[: real.dim()] == real.shape else scores


@pytest.mark.parametrize("system", SYSTEMS)
def test_scores_and_gradients(pair, close, same_step, system):
    made = pair(system)
    given, taken, real = batch_of(made.ours, pad_of(made))
    ours, theirs = ours_of(made.ours(**given)), theirs_of(made.theirs(**taken))
    ours, theirs = ([of_classes(each, real) for each in found] for found in (ours, theirs))
    assert all(close(mine, its) for mine, its in zip(ours, theirs, strict=True))
    losses = [sum(each.logsumexp(-1).mean() - each[..., 0].mean() for each in scores) for scores in (ours, theirs)]
    positions = {type(each.positions) for each in made.ours.modules() if isinstance(each, Transformer)}
    zero = NOTHING if positions & set(TURNING) else KEY_BIAS
    same_step(made, *losses, zero=zero)


@pytest.mark.parametrize("system", TEXT)
def test_tokens_are_read_at_several_lengths(pair, close, system):
    made = pair(system)
    for rows, length in (1, 2), (2, 20):
        given, taken, real = batch_of(made.ours, pad_of(made), rows, length)
        ours, theirs = ours_of(made.ours(**given))[0], theirs_of(made.theirs(**taken))[0]
        assert close(ours[real], theirs[real])
        assert ours.shape[2:] == (() if made.ours.kind == Electra.kind else (VOCABULARY,))
