"""Texts while they grow: the pieces are the text, for every tokenizer, whatever tokens come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from variformer.data import ByteLevel, ByteLevelBPE, CharacterLevel, RobertaBPE, Unigram, WordPiece
from variformer.generation.following import Following

TEXTS = ["Return a copy of the object, née “x” 🙂.", "The end of 1,000 naïve lists; don't."] * 30
RECIPES = {
    "bytes": ByteLevel(),
    "byte_bpe": ByteLevelBPE(330),
    "roberta_bpe": RobertaBPE(320),
    "unigram": Unigram(140, sentinels=3),
    "characters": CharacterLevel(),
    "word_piece": WordPiece(120),
}
TOKENIZERS = {name: recipe.train(TEXTS) for name, recipe in RECIPES.items()}

tokens = st.lists(st.integers(0, 10_000), max_size=12)


def written(tokenizer, before, ids, stop=()) -> tuple[list[str], str, list[int]]:
    """The pieces that are shown, the text, and the tokens up to where the text is known to end."""
    pieces: list[str] = []
    following = Following(tokenizer, before, stop, pieces.append)
    so_far: list[int] = []
    for token in ids:
        so_far.append(token)
        if following.is_stopped(so_far):
            break
        following.follow(so_far)
    return pieces, following.finish(so_far), so_far


def fitting(tokenizer, ids):
    return [id % tokenizer.size for id in ids]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(before=tokens, ids=tokens)
def test_the_pieces_joined_are_the_text(name, before, ids):
    tokenizer = TOKENIZERS[name]
    before, ids = fitting(tokenizer, before), fitting(tokenizer, ids)
    pieces, text, _ = written(tokenizer, before, ids)
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(ids=tokens)
def test_without_a_prompt_the_text_is_that_of_the_tokens(name, ids):
    tokenizer = TOKENIZERS[name]
    ids = fitting(tokenizer, ids)
    assert written(tokenizer, [], ids)[1] == tokenizer.decode(ids)


@pytest.mark.parametrize("name", ["bytes", "byte_bpe", "roberta_bpe", "unigram", "characters"])
@given(place=st.integers(1, 40))
@settings(max_examples=15)
def test_a_prompt_and_its_continuation_are_the_whole_text(name, place):
    """Also where the continuation begins with a space, which a text of its own would lose."""
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(TEXTS[0] if name != "unigram" else "Return a copy of the object")
    before, rest = ids[:place], ids[place:]
    if "\ufffd" not in tokenizer.decode(before):
        assert tokenizer.decode(before) + written(tokenizer, before, rest)[1] == tokenizer.decode(ids)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(ids=tokens, stop=st.lists(st.text("aeinrt ,.", min_size=1, max_size=3), max_size=3), data=st.data())
def test_a_text_ends_before_its_first_stop_string(name, ids, stop, data):
    """Within a token, across tokens and at their end; what is shown is never taken back."""
    tokenizer = TOKENIZERS[name]
    ids = [*tokenizer.encode("Return the object"), *fitting(tokenizer, ids)]
    whole = tokenizer.decode(ids)
    if whole:  # a stop string that comes for sure, somewhere
        start = data.draw(st.integers(0, len(whole) - 1))
        stop = [*stop, whole[start : start + data.draw(st.integers(1, 4))]]
    pieces, text, read = written(tokenizer, [], ids, stop)
    assert "".join(pieces) == text
    until = tokenizer.decode(read)
    assert text == until[: min((until.find(each) for each in stop if each in until), default=None)]
    assert not any(each in text for each in stop)
    if len(read) > 1:  # it stopped at the first token that completes one
        assert not any(each in tokenizer.decode(read[:-1]) for each in stop)


def test_tokens_that_the_tokenizer_lacks_have_no_text():
    """The vocabularies of some models are padded."""
    tokenizer = TOKENIZERS["characters"]
    ids = [*tokenizer.encode("a"), tokenizer.size + 3, *tokenizer.encode("b")]
    assert written(tokenizer, ids, ids)[1] == "ab"


def test_half_a_character_and_half_a_stop_string_are_held_back():
    tokenizer = TOKENIZERS["bytes"]
    pieces: list[str] = []
    following = Following(tokenizer, [], ["END"], pieces.append)
    ids = tokenizer.encode("a🙂bENx")
    shown = []
    for count in range(1, len(ids) + 1):
        following.follow(ids[:count])
        shown.append("".join(pieces))
    assert shown == ["a", "a", "a", "a", "a🙂", "a🙂b", "a🙂b", "a🙂b", "a🙂bENx"]
