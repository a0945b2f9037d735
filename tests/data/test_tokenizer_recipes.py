from pydoc_data.topics import topics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import ByteLevel, ByteLevelBPE, CharacterLevel, RobertaBPE, Unigram, WordPiece

TEXTS = [text for _, text in sorted(topics.items())][:12]
LOSSLESS = {
    recipe: recipe.train(iter(TEXTS)) for recipe in (ByteLevelBPE(400), RobertaBPE(400), ByteLevel(), CharacterLevel())
}


@pytest.mark.parametrize("recipe", LOSSLESS, ids=repr)
@given(text=st.text() | st.sampled_from(TEXTS).map(lambda text: text[:300]))
def test_lossless_on_any_text(recipe, text):
    tokenizer = LOSSLESS[recipe]
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.byte_lengths[ids].sum() == len(text.encode())


@pytest.mark.parametrize("text", ["a <pad> <s> </s> <mask>", "<0x41>", "<|endoftext|>", "\u0120", "\u2581"])
@pytest.mark.parametrize("recipe", LOSSLESS, ids=repr)
def test_lossless_on_text_that_looks_like_tokens(recipe, text):
    tokenizer = LOSSLESS[recipe]
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.byte_lengths[tokenizer.encode(text)].sum() == len(text.encode())


@pytest.mark.parametrize("recipe", [WordPiece(500), Unigram(500, 20), ByteLevelBPE(500), RobertaBPE(500)], ids=repr)
def test_training_is_a_function_of_the_texts(recipe):
    first, second = (recipe.train(iter(TEXTS)).core.to_str() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("recipe", [WordPiece(500), Unigram(500, 20), ByteLevelBPE(500), RobertaBPE(500)], ids=repr)
def test_the_size_asked_for_is_reached_but_need_not_be(recipe):
    assert recipe.train(iter(TEXTS)).size == 500
    tiny = type(recipe)(5000).train(iter(["a few words, and a few more"]))
    assert tiny.size < 500
    assert tiny.decode(tiny.encode("a few words")) == "a few words"


@pytest.mark.parametrize("recipe", [WordPiece(6), Unigram(100), ByteLevelBPE(256), RobertaBPE(260)], ids=repr)
def test_a_size_without_room(recipe):
    with pytest.raises(ValueError, match=r"leaves no room: this tokenizer needs at least \d+"):
        recipe.train(iter(TEXTS))


def test_special_tokens_of_bert():
    tokenizer = WordPiece(500).train(iter(TEXTS))
    assert [tokenizer.core.id_to_token(id) for id in range(5)] == [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
    ]
    roles = (tokenizer.pad, tokenizer.unknown, tokenizer.start, tokenizer.end, tokenizer.mask)
    assert roles == (0, 1, 2, 3, 4)
    assert tokenizer.special.sum() == 5
    assert tokenizer.byte_lengths is None
    assert tokenizer.encode("\u4f60") == [tokenizer.unknown]


def test_word_piece_case_and_accents():
    lower, cased = (WordPiece(500, lowercase=lowercase).train(iter(TEXTS)) for lowercase in (True, False))
    assert lower.encode("THE \u00e9") == lower.encode("the e")
    assert cased.encode("The") != cased.encode("the")


def test_special_tokens_of_t5():
    tokenizer = Unigram(500, sentinels=20).train(iter(TEXTS))
    assert (tokenizer.pad, tokenizer.end, tokenizer.unknown) == (0, 1, 2)
    assert (tokenizer.start, tokenizer.mask) == (None, None)
    assert tokenizer.sentinels.tolist() == list(range(499, 479, -1))
    assert tokenizer.core.id_to_token(499) == "<extra_id_0>"
    assert tokenizer.special.sum() == 23
    assert tokenizer.encode("\u4f60")[-1] == tokenizer.unknown


def test_unigram_white_space_and_compatibility_characters():
    tokenizer = Unigram(500, sentinels=0).train(iter(TEXTS))
    assert tokenizer.decode(tokenizer.encode(" a\n\n  \ufb01ne\t text ")) == "a fine text"
    assert len(tokenizer.sentinels) == 0


def test_special_tokens_of_gpt_and_roberta():
    gpt, roberta = LOSSLESS[ByteLevelBPE(400)], LOSSLESS[RobertaBPE(400)]
    assert gpt.end == gpt.start == gpt.core.token_to_id("<|endoftext|>")
    assert (gpt.pad, gpt.unknown, gpt.mask) == (None, None, None)
    assert (roberta.start, roberta.pad, roberta.end, roberta.unknown, roberta.mask) == (0, 1, 2, 3, 4)


def test_bytes_are_bytes():
    tokenizer = LOSSLESS[ByteLevel()]
    assert tokenizer.size == 260
    assert len(tokenizer.encode("\U0001f600")) == 4
    assert tokenizer.byte_lengths[4:].tolist() == [1] * 256


def test_characters_beyond_the_training_texts_are_bytes():
    tokenizer = CharacterLevel().train(iter(["ab", "\u00e9b"]))
    assert tokenizer.size == 4 + 256 + 3
    assert [len(tokenizer.encode(character)) for character in ("a", "\u00e9", "c", "\u4f60")] == [1, 1, 1, 3]
    assert tokenizer.byte_lengths[tokenizer.encode("\u00e9")].tolist() == [2]


def test_fingerprints_tell_recipes_apart(tmp_path):
    recipes = [
        WordPiece(500),
        WordPiece(501),
        WordPiece(500, False),
        Unigram(500),
        ByteLevelBPE(500),
        RobertaBPE(500),
    ]
    recipes += [ByteLevel(), CharacterLevel()]
    assert len({recipe.fingerprint() for recipe in recipes}) == len(recipes)
    assert WordPiece(500).fingerprint() == WordPiece(500).fingerprint()
