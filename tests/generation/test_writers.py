"""What the writers give a model to read, and what they make of its answer."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from variformer.data import RobertaBPE, Unigram, WordPiece
from variformer.generation import Continuations, Decoding, FilledBlanks, FilledSpans, RestoredTexts, fill
from variformer.layers.transformer import Cache
from variformer.models import GPT, T5, Albert, Bart, Roberta

TEXTS = ["Return a copy of the object.", "Return a new list of the keys."] * 40


class Answers(nn.Module):
    """Writes the same tokens whatever it reads; keeps what it was given."""

    start_token, source_token, last_token = "end", "start", "end"

    def __init__(self, answer: list[int], size: int):
        super().__init__()
        self.answer, self.size = answer, size
        self.encoder = self.decoder = SimpleNamespace(positions=SimpleNamespace(longest=None))
        self.nothing = nn.Parameter(torch.zeros(1))
        self.read: list[list[int]] = []
        self.starts: list[int] = []

    def new_cache(self):
        return Cache([])

    def encode(self, source, mask):
        self.read.append(source[0].tolist())
        return source

    def decode(self, target, memory, memory_mask, cache):
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


def spans_of(answers: list[str], tokenizer) -> list[int]:
    """What a T5 writes that knows the answers, with words in front that belong to no blank."""
    tokens = tokenizer.encode("the")
    for number, answer in enumerate(answers):
        tokens += [int(tokenizer.sentinels[number]), *tokenizer.encode(answer)]
    return [*tokens, int(tokenizer.sentinels[len(answers)]), *tokenizer.encode("the"), tokenizer.end]


@pytest.mark.parametrize("blank", ["____", "[MASK]", "<mask>"])
def test_t5_fills_a_blank_with_what_stands_behind_its_sentinel(blank):
    tokenizer = Unigram(150, sentinels=5).train(TEXTS)
    model = Answers(spans_of(["a copy", "the object"], tokenizer), tokenizer.size)
    model.start_token = "pad"
    filled = fill(model, tokenizer, f"Return {blank} of {blank}.")
    assert filled.text == "Return a copy of the object."
    assert [[each.text for each in blank] for blank in filled.blanks] == [["a copy"], ["the object"]]
    first, second = (int(each) for each in tokenizer.sentinels[:2])
    between = [*tokenizer.encode("of"), second, *tokenizer.encode(".")]
    assert model.read == [[*tokenizer.encode("Return"), first, *between, tokenizer.end]]


def test_a_blank_is_filled_with_the_likeliest_words():
    tokenizer = WordPiece(200).train(TEXTS)
    torch.manual_seed(0)
    model = Albert(vocab_size=tokenizer.size, width=16, depth=1, heads=2, hidden=32, max_length=40).eval()
    filled = fill(model, tokenizer, "Return a [MASK] of", choices=4)
    (blank,) = filled.blanks
    read = [tokenizer.start, *tokenizer.encode("Return a"), tokenizer.mask, *tokenizer.encode("of"), tokenizer.end]
    shares = model(torch.tensor([read])).tokens[0, read.index(tokenizer.mask)].softmax(-1)
    assert [each.probability for each in blank] == pytest.approx(shares.topk(4).values.tolist())
    assert filled.text == f"Return a {blank[0].text} of"


def test_what_cannot_be_filled_is_refused():
    tokenizer = RobertaBPE(300).train(TEXTS)
    gpt = GPT(vocab_size=tokenizer.size, width=16, depth=1, heads=2, hidden=32, max_length=40)
    with pytest.raises(ValueError, match="GPT fills no blanks: a masked language model does, or T5, or BART"):
        fill(gpt, tokenizer, "Return a ____.")
    with pytest.raises(ValueError, match="has no blank to fill: write ____ where a word is missing"):
        fill(Roberta(vocab_size=tokenizer.size, width=16, depth=1, heads=2, hidden=32), tokenizer, "Return.")
    few = Unigram(150, sentinels=1).train(TEXTS)
    with pytest.raises(ValueError, match="2 blanks, but the tokenizer has 1 sentinels"):
        fill(T5(vocab_size=few.size, width=16, depth=1, heads=2, hidden=32), few, "____ a ____")


def test_continuations_show_prompt_and_text():
    tokenizer = RobertaBPE(300).train(TEXTS)
    model = GPT(vocab_size=tokenizer.size, width=16, depth=1, heads=2, hidden=32, max_length=40)
    text = Continuations(TEXTS[:2], Decoding(5, temperature=1.0))(model, tokenizer, 40)
    first, second = text.split("\n\n---\n\n")
    assert first.startswith(TEXTS[0]) and second.startswith(TEXTS[1])
    assert Continuations(["a"], count=7, temperature=0.5).decoding == Decoding(7, 0.5, 50)  # as configs of earlier runs


def test_spans_are_shown_behind_their_sentinels():
    tokenizer = Unigram(150, sentinels=5).train(TEXTS)
    model = Answers(spans_of(["a copy"], tokenizer), tokenizer.size)
    model.start_token = "pad"
    assert "<extra_id_0>" in FilledSpans(["Return ____."])(model, tokenizer, 40)
