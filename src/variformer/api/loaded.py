"""A loaded model, which writes and fills texts."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from ..data import Tokenizer
    from ..generation import Decoding, Filled, Written


class Loaded(tuple["nn.Module", Any]):
    """A model and what turns raw input into its input: `model, tokenizer = variformer.load(...)`.

    variformer.load("runs/gpt").generate("Return a new list", temperature=0.7)
    variformer.load("runs/bert").fill("Return a ____ of the object.").text
    """

    folder: Path

    def __new__(cls, model: "nn.Module", reader: Any, folder: str | Path) -> "Loaded":
        made = super().__new__(cls, (model, reader))
        made.folder = Path(folder)
        return made

    @property
    def model(self) -> "nn.Module":
        """In evaluation mode, on the CPU."""
        return self[0]

    @property
    def tokenizer(self) -> "Tokenizer":
        """Raises ValueError where the model came without one."""
        if not hasattr(self[1], "encode"):
            raise ValueError(f"{self.folder} has no tokenizer, so {type(self.model).__name__} reads no text")
        return self[1]

    def generate(self, prompt: str, *, watch: Callable[[str], None] | None = None, **options: Any) -> str:
        """The text that follows a prompt (GPT), or that it becomes (T5, BART).

        `options` are those of `variformer.generation.Decoding`, such as `count=40, temperature=0.7`; without them the
        likeliest tokens are written. `watch` is given each further piece of the text. Raises ValueError for options
        that do not fit, several samples among them, and for a prompt that leaves no room.
        """
        show = None if watch is None else lambda number, piece: watch(piece)
        ((written, *others),) = self.write([prompt], self.decoding(options), show)
        if others:
            raise ValueError(f"samples={len(others) + 1}: generate_all gives several texts")
        return written.text

    def generate_all(self, prompts: Sequence[str], *, batch: int = 16, **options: Any) -> "list[list[Written]]":
        """For each prompt its texts, as many as `samples`, with tokens, scores and why each ended.

        `batch` prompts are written at once, of similar lengths. It changes no text. Raises ValueError as `generate`.
        """
        decoding = self.decoding(options)
        order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
        found: dict[int, list[Written]] = {}
        for start in range(0, len(order), batch):
            numbers = order[start : start + batch]
            written = self.write([prompts[number] for number in numbers], decoding)
            found |= dict(zip(numbers, written, strict=True))
        return [found[number] for number in range(len(prompts))]

    def fill(self, text: str, choices: int = 3) -> "Filled":
        """Fill each ____ of a text, as `variformer.generation.fill` does."""
        from ..generation import fill

        return fill(self.model, self.tokenizer, text, choices)

    def write(
        self, prompts: Sequence[str], decoding: "Decoding", watch: Callable[[int, str], None] | None = None
    ) -> "list[list[Written]]":
        """In one batch, as `variformer.generation.generate` does."""
        from ..exchange.generation_settings import generation_settings
        from ..generation import generate, prompt_ids

        model, tokenizer = self.model, self.tokenizer
        ids = [prompt_ids(model, tokenizer, each) for each in prompts]
        ends = generation_settings(self.folder).ends
        return generate(model, ids, decoding, tokenizer=tokenizer, ends=ends, watch=watch)

    def decoding(self, options: dict[str, Any]) -> "Decoding":
        """The options, checked as those of a config."""
        from ..config import instantiate

        return instantiate({"_target_": "variformer.generation.Decoding", **options})
