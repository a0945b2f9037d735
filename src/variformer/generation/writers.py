"""Texts that show what a model has learned: one writer for each way to train on text."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..models.contracts import CausalLanguageModel, EncoderDecoder, MaskedLanguageModel
from ..ranges import Count, NotNegative, PartOrAll, Seed
from ..samples import TextCodec, required
from .decode import continue_tokens, write_target
from .sampling import Sampling

BLANK = "____"  # stands in a prompt where the model fills something in


class Continuations:
    """A causal model goes on from each prompt for `count` tokens."""

    def __init__(
        self,
        prompts: list[str],
        count: Count = 120,
        temperature: NotNegative = 0.8,
        top_k: Count | None = 50,
        top_p: PartOrAll = 1.0,
        seed: Seed = 0,
    ):
        self.prompts, self.count, self.seed = prompts, count, seed
        self.sampling = Sampling(temperature, top_k, top_p)

    def __call__(self, model: CausalLanguageModel, tokenizer: TextCodec, longest: int) -> str:
        with plain_evaluation(model) as device:
            generator = torch.Generator(device).manual_seed(self.seed)
            texts = []
            for prompt in self.prompts:
                ids = [required(tokenizer, "end", self), *tokenizer.encode(prompt)]
                tokens = continue_tokens(
                    model,
                    torch.tensor([ids], device=device),
                    self.count,
                    sampling=self.sampling,
                    generator=generator,
                    longest=longest,
                )
                texts.append(tokenizer.decode(tokens[0, 1:].tolist(), skip_special=False))
            return "\n\n---\n\n".join(texts)


class FilledBlanks:
    """A masked language model fills each ____ of the prompts with its `choices` likeliest tokens."""

    def __init__(self, prompts: list[str], choices: Count = 3):
        self.prompts, self.choices = prompts, choices

    def __call__(self, model: MaskedLanguageModel, tokenizer: TextCodec, longest: int) -> str:
        with plain_evaluation(model) as device:
            return "\n".join(self.fill(model, tokenizer, prompt, device) for prompt in self.prompts)

    @torch.inference_mode()
    def fill(self, model: MaskedLanguageModel, tokenizer: TextCodec, prompt: str, device: torch.device) -> str:
        tokens = torch.tensor([masked(prompt, tokenizer, self)], device=device)
        places = (tokens[0] == required(tokenizer, "mask", self)).nonzero().squeeze(1)
        likeliest = model(tokens, predict=places).tokens.softmax(-1).topk(self.choices)
        lines = [prompt]
        for probabilities, choices in zip(likeliest.values.tolist(), likeliest.indices.tolist(), strict=True):
            pairs = zip(probabilities, choices, strict=True)
            shown = (f"{tokenizer.decode([token]).strip()} {probability:.0%}" for probability, token in pairs)
            lines.append("    " + ", ".join(shown))
        return "\n".join(lines)


class FilledSpans:
    """An encoder-decoder writes what each ____ of the prompts stands for, behind the sentinels."""

    def __init__(self, prompts: list[str], count: Count = 40):
        self.prompts, self.count = prompts, count

    def __call__(self, model: EncoderDecoder, tokenizer: TextCodec, longest: int) -> str:
        with plain_evaluation(model) as device:
            return "\n".join(self.fill(model, tokenizer, prompt, device) for prompt in self.prompts)

    def fill(self, model: EncoderDecoder, tokenizer: TextCodec, prompt: str, device: torch.device) -> str:
        ids: list[int] = []
        for number, piece in enumerate(prompt.split(BLANK)):
            ids += ([int(tokenizer.sentinels[number - 1])] if number else []) + tokenizer.encode(piece)
        end = required(tokenizer, "end", self)
        source = torch.tensor([[*ids, end]], device=device)
        written = write_target(
            model,
            source,
            self.count,
            start=required(tokenizer, "pad", self),
            end=end,
            sampling=Sampling(temperature=0),
            generator=torch.Generator(device),
        )
        return f"{prompt}\n    {tokenizer.decode(written[0].tolist(), skip_special=False)}"


class RestoredTexts:
    """An encoder-decoder writes each prompt again, with any number of tokens in place of each ____."""

    def __init__(self, prompts: list[str], count: Count = 40):
        self.prompts, self.count = prompts, count

    def __call__(self, model: EncoderDecoder, tokenizer: TextCodec, longest: int) -> str:
        with plain_evaluation(model) as device:
            return "\n".join(self.restore(model, tokenizer, prompt, device, longest) for prompt in self.prompts)

    def restore(
        self, model: EncoderDecoder, tokenizer: TextCodec, prompt: str, device: torch.device, longest: int
    ) -> str:
        end = required(tokenizer, "end", self)
        written = write_target(
            model,
            torch.tensor([masked(prompt, tokenizer, self)], device=device),
            min(self.count, longest),
            start=end,  # as in training: the first token to write is `start`
            end=end,
            sampling=Sampling(temperature=0),
            generator=torch.Generator(device),
        )
        return f"{prompt}\n    {tokenizer.decode(written[0].tolist())}"


def masked(prompt: str, tokenizer: TextCodec, writer: object) -> list[int]:
    """The ids of a prompt, in which each ____ and the space before it is one mask.

    Raises ValueError if the tokenizer has no mask, start or end.
    """
    start, mask, end = (required(tokenizer, name, writer) for name in ("start", "mask", "end"))
    first, *others = (piece.rstrip(" ") for piece in prompt.split(BLANK))
    ids = [start, *tokenizer.encode(first)]
    for piece in others:
        ids += [mask, *tokenizer.encode(piece)]
    return [*ids, end]


@contextmanager
def plain_evaluation(model: nn.Module) -> Iterator[torch.device]:
    """The model in evaluation mode, uncompiled (lengths change at every token); then as before. Gives its device."""
    training = model.training
    model.eval()
    try:
        with torch.compiler.set_stance("force_eager"):
            yield next(model.parameters()).device
    finally:
        model.train(training)
