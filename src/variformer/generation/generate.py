"""How a text is written: the settings, and the one function that every writer of texts calls."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from ..randomness import sample_key
from ..ranges import Count, NotNegative, PartOrAll, Positive, Probability, Seed, Whole
from ..samples import TextCodec, required
from .beams import Beams, search
from .choosing import Choice
from .few_rows import few_rows
from .following import Following
from .one_by_one import Row, write_rows
from .reading import DecoderOnly, EncoderDecoder, Prompts, Reader, least

Watch = Callable[[int, str], None]  # the number of a text, and its next piece


class Written(NamedTuple):
    """A text behind a prompt.

    `tokens` include the end token, and those of a stop string; `text` has neither. `score` is the sum of the log
    probabilities of the tokens, of beams as beam search divides it. `ended` says why the text goes no further: an end
    token, a stop string, `count` tokens, or the length of the model.
    """

    tokens: list[int]
    score: float
    ended: Literal["end", "stop", "count", "length"]
    text: str


@dataclass(frozen=True)
class Decoding:
    """How a text is written.

    count: new tokens at most, the prompt not included
    temperature: by which scores are divided before a token is drawn; 0 always takes the best token
    top_k: so many of the likeliest tokens remain (Fan et al., 2018); None: all
    top_p: the likeliest tokens remain whose probabilities add up to it (Holtzman et al., 2019)
    min_p: tokens remain that are at least so many times as likely as the likeliest (Nguyen et al., 2024)
    repetition_penalty: lowers the scores of tokens that the prompt or the text has (Keskar et al., 2019); 1: does not
    beams: texts that are written at once, of which the likeliest is taken
    length_penalty: the power of its length by which the score of a beam is divided; above 0 favours long texts
    early_stopping: of beams. True: as soon as so many texts have ended. never: when no better text is possible
    samples: texts for each prompt
    stop: strings before which a text ends
    seed: of the random numbers. They depend on it, on the prompt and on the number of the sample, on nothing else

    Raises ValueError where samples would all be the same, or beams would be drawn at random.
    """

    count: Count = 128
    temperature: NotNegative = 0.0
    top_k: Count | None = None
    top_p: PartOrAll = 1.0
    min_p: Probability = 0.0
    repetition_penalty: Positive = 1.0
    beams: Count = 1
    length_penalty: NotNegative = 1.0
    early_stopping: bool | Literal["never"] = False
    samples: Count = 1
    stop: tuple[str, ...] = ()
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.beams > 1 and self.temperature > 0:
            raise ValueError(f"beams={self.beams} look for the likeliest text, and need temperature=0")
        if self.samples > self.beams and self.temperature == 0:
            problem = f"samples={self.samples} would all be the same"
            raise ValueError(f"{problem}: set temperature above 0, or as many beams")
        if isinstance(self.stop, str) or not all(self.stop):
            raise ValueError(f"stop={self.stop!r} must be a list of strings, none of them empty")

    def __call__(
        self, model: nn.Module, prompts: Prompts, *, tokenizer: TextCodec, longest: int | None = None
    ) -> list[list[Written]]:
        """`generate` with these settings, for an objective that is given them by a config."""
        return generate(model, prompts, self, tokenizer=tokenizer, longest=longest)


@torch.inference_mode()
def generate(
    model: nn.Module,
    prompts: Prompts,
    decoding: Decoding,
    *,
    tokenizer: TextCodec,
    longest: int | None = None,
    ends: Sequence[int] | None = None,
    watch: Watch | None = None,
) -> list[list[Written]]:
    """Texts behind each prompt, `decoding.samples` of them: of GPT what follows it, of T5 and BART what it becomes.

    Prompts are token ids, with the special tokens that the model expects (`prompt_ids`). All of them are one batch.
    `longest`: tokens that the model reads at once, where that is less than its positions allow. `ends`: tokens that end
    a text; None: the tokenizer's. `watch` gets the number of a text (prompt * samples + sample) and its next piece.
    Raises ValueError for a prompt that is empty or too long, and for a model that writes no texts.
    """
    if not prompts:
        return []
    if ends is None:
        ends = [] if tokenizer.end is None else [tokenizer.end]
    with plain_evaluation(model) as device, few_rows(model):
        reader = reader_of(model, tokenizer, device, longest)
        last = getattr(model, "last_token", None)
        forced = required(tokenizer, last, model) if last is not None and ends else None
        return Writing(reader, decoding, tokenizer, list(ends), forced, watch).write(prompts)


@dataclass(frozen=True)
class Writing:
    """One call of `generate`."""

    reader: Reader
    decoding: Decoding
    tokenizer: TextCodec
    ends: list[Whole]
    forced: Whole | None
    watch: Watch | None

    def write(self, prompts: Prompts) -> list[list[Written]]:
        if any(not len(each) for each in prompts):
            raise ValueError("a prompt without tokens: begin with the token that starts a text")
        most = [least(self.decoding.count, self.reader.room(each)) or 1 for each in prompts]
        return self.by_beams(prompts, most) if self.decoding.beams > 1 else self.one_by_one(prompts, most)

    def one_by_one(self, prompts: Prompts, most: list[int]) -> list[list[Written]]:
        how = self.decoding
        rows = [
            Row(
                prompt,
                self.reader.before(prompt),
                key_of(prompt, how.seed, sample),
                most[number],
                self.following(prompt, number, sample),
                self.forced,
            )
            for number, prompt in enumerate(prompts)
            for sample in range(how.samples)
        ]
        choice = Choice(how.temperature, how.top_k, how.top_p, how.min_p)
        write_rows(self.reader, list(rows), how.samples, choice, how.repetition_penalty, self.ends)
        texts = [self.written(row.tokens, row.score, row.following) for row in rows]
        return [texts[start : start + how.samples] for start in range(0, len(texts), how.samples)]

    def by_beams(self, prompts: Prompts, most: list[int]) -> list[list[Written]]:
        how = self.decoding
        silent = [Following(self.tokenizer, self.reader.before(prompt), how.stop) for prompt in prompts]
        found = search(
            self.reader,
            prompts,
            most,
            beams=Beams(how.beams, how.length_penalty, how.early_stopping),
            penalty=how.repetition_penalty,
            ends=self.ends,
            forced=self.forced,
            is_stopped=(lambda number, tokens: silent[number].is_stopped(tokens)) if how.stop else None,
        )
        return [
            [
                self.written(tokens, score, self.following(prompts[number], number, sample))
                for sample, (tokens, score) in enumerate(texts[: how.samples])
            ]
            for number, texts in enumerate(found)
        ]

    def following(self, prompt: Sequence[int], number: int, sample: int) -> Following:
        watch, text = self.watch, number * self.decoding.samples + sample
        show = None if watch is None else lambda piece: watch(text, piece)
        return Following(self.tokenizer, self.reader.before(prompt), self.decoding.stop, show)

    def written(self, tokens: list[int], score: float, following: Following) -> Written:
        text = following.finish(tokens)
        if tokens and tokens[-1] in self.ends:
            return Written(tokens, score, "end", text)
        if following.is_stopped(tokens):
            return Written(tokens, score, "stop", text)
        return Written(tokens, score, "count" if len(tokens) == self.decoding.count else "length", text)


def key_of(prompt: Sequence[int], seed: int, sample: int) -> int:
    """The key of a text's random numbers. It knows neither its batch nor its place there."""
    content = blake2b(np.asarray(prompt, dtype=np.int64).tobytes(), digest_size=8).digest()
    return sample_key(seed, sample, int.from_bytes(content, "little"))


def reader_of(model: Any, tokenizer: TextCodec, device: torch.device, longest: int | None) -> Reader:
    """The reader for a model. Raises ValueError for one that writes no texts."""
    if not hasattr(model, "new_cache"):
        raise ValueError(f"{type(model).__name__} writes no texts: a decoder does (GPT, T5, BART)")
    if hasattr(model, "encode"):
        return EncoderDecoder(model, device, longest, required(tokenizer, model.start_token, model))
    return DecoderOnly(model, device, longest)


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
