"""What the writers give a model to read, and what they make of its answer."""

from types import SimpleNamespace

import torch
from torch import nn

from variformer.data import RobertaBPE, WordPiece
from variformer.generation import FilledBlanks, RestoredTexts
from variformer.layers.transformer import Cache
from variformer.models import Albert, Bart, Roberta

TEXTS = ["Return a copy of the object.", "Return a new list of the keys."] * 40


class Answers(nn.Module):
    """Writes the same tokens whatever it reads; keeps what it was given."""

    def __init__(self, answer: list[int], size: int):
        super().__init__()
        self.answer, self.size = answer, size
        self.decoder = SimpleNamespace(new_cache=lambda: Cache([]))
        self.nothing = nn.Parameter(torch.zeros(1))
        self.read: list[list[int]] = []
        self.starts: list[int] = []

    def encode(self, source):
        self.read.append(source[0].tolist())
        return source

    def decode(self, target, memory, cache):
        if cache.length == 0:
            self.starts.append(target.item())
        scores = nn.functional.one_hot(torch.tensor([[self.answer[cache.length]]]), self.size)
        cache.length += 1
        return scores.float()


def test_a_text_is_restored_as_bart_was_trained():
    tokenizer = RobertaBPE(400).train(TEXTS)
    model = Answers([tokenizer.start, *tokenizer.encode(TEXTS[0]), tokenizer.end], tokenizer.size)
    text = RestoredTexts(["Return a ____ of the ____."], count=40)(model, tokenizer, 64)
    assert text == f"Return a ____ of the ____.\n    {TEXTS[0]}"
    # A mask stands for a word with its space, as when a span of tokens was hidden.
    before, between, after = (tokenizer.encode(piece) for piece in ("Return a", " of the", "."))
    inner = [*before, tokenizer.mask, *between, tokenizer.mask, *after]
    assert model.read == [[tokenizer.start, *inner, tokenizer.end]]
    assert model.starts == [tokenizer.end]


def test_a_new_model_writes_no_more_than_it_has_positions_for():
    tokenizer = RobertaBPE(300).train(TEXTS)
    model = Bart(vocab_size=tokenizer.size, width=16, depth=1, heads=2, hidden=32, max_length=40)
    text = RestoredTexts(["Return a ____."], count=1000)(model, tokenizer, 40)
    assert text.startswith("Return a ____.\n    ")
    assert model.training


def test_every_masked_language_model_fills_blanks():
    sizes = {"width": 16, "depth": 1, "heads": 2, "hidden": 32, "max_length": 40}
    for recipe, family in (RobertaBPE(300), Roberta), (WordPiece(200), Albert):
        tokenizer = recipe.train(TEXTS)
        text = FilledBlanks(["____ a ____ of."], choices=2)(family(vocab_size=tokenizer.size, **sizes), tokenizer, 40)
        lines = text.splitlines()
        assert lines[0] == "____ a ____ of." and len(lines) == 3
        assert all(line.count("%") == 2 for line in lines[1:])
