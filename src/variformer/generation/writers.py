"""Texts that show what a model has learned: one writer for each way to train on text."""

from torch import nn

from ..ranges import Count, NotNegative, PartOrAll, Seed
from ..samples import TextCodec
from .filling import fill
from .generate import Decoding, generate
from .prompts import prompt_ids, with_sentinels


class Continuations:
    """A causal model goes on from each prompt, as `decoding` says.

    In place of it, runs from before it had `count`, `temperature`, `top_k`, `top_p` and `seed`.
    """

    def __init__(
        self,
        prompts: list[str],
        decoding: Decoding | None = None,
        *,
        count: Count = 120,
        temperature: NotNegative = 0.8,
        top_k: Count | None = 50,
        top_p: PartOrAll = 1.0,
        seed: Seed = 0,
    ):
        self.prompts = prompts
        self.decoding = decoding or Decoding(count, temperature, top_k, top_p, seed=seed)

    def __call__(self, model: nn.Module, tokenizer: TextCodec, longest: int) -> str:
        ids = [prompt_ids(model, tokenizer, each) for each in self.prompts]
        prompts = [each[-max(longest - 1, 1) :] for each in ids]  # a prompt that is too long ends no training
        written = generate(model, prompts, self.decoding, tokenizer=tokenizer, longest=longest)
        pairs = zip(self.prompts, written, strict=True)
        return "\n\n---\n\n".join(prompt + each.text for prompt, texts in pairs for each in texts)


class FilledBlanks:
    """A masked language model fills each ____ of the prompts with its `choices` likeliest tokens."""

    def __init__(self, prompts: list[str], choices: Count = 3):
        self.prompts, self.choices = prompts, choices

    def __call__(self, model: nn.Module, tokenizer: TextCodec, longest: int) -> str:
        lines = []
        for prompt in self.prompts:
            lines.append(prompt)
            for blank in fill(model, tokenizer, prompt, self.choices).blanks:
                lines.append("    " + ", ".join(f"{each.text} {each.probability:.0%}" for each in blank))
        return "\n".join(lines)


class FilledSpans:
    """An encoder-decoder writes what each ____ of the prompts stands for, behind the sentinels."""

    def __init__(self, prompts: list[str], count: Count = 40):
        self.prompts, self.count = prompts, count

    def __call__(self, model: nn.Module, tokenizer: TextCodec, longest: int) -> str:
        sources = [with_sentinels(prompt, tokenizer, self) for prompt in self.prompts]
        written = generate(model, sources, Decoding(self.count), tokenizer=tokenizer, longest=longest)
        pairs = zip(self.prompts, written, strict=True)
        return "\n".join(
            f"{prompt}\n    {tokenizer.decode(each.tokens, skip_special=False)}" for prompt, (each,) in pairs
        )


class RestoredTexts:
    """An encoder-decoder writes each prompt again, with any number of tokens in place of each ____."""

    def __init__(self, prompts: list[str], count: Count = 40):
        self.prompts, self.count = prompts, count

    def __call__(self, model: nn.Module, tokenizer: TextCodec, longest: int) -> str:
        decoding = Decoding(min(self.count, longest))
        return "\n".join(f"{each}\n    {fill(model, tokenizer, each, decoding=decoding).text}" for each in self.prompts)
