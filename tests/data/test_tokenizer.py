import json
import pickle
from itertools import pairwise
from pydoc_data.topics import topics

import numpy as np
import pytest
from tokenizers import processors

from variformer.data import (
    ByteLevel,
    ByteLevelBPE,
    CharacterLevel,
    Pretrained,
    RobertaBPE,
    Tokenizer,
    Unigram,
    WordPiece,
)

TEXTS = [text for _, text in sorted(topics.items())][:12]
RECIPES = {
    "byte_bpe": ByteLevelBPE(600),
    "roberta_bpe": RobertaBPE(600),
    "word_piece": WordPiece(600),
    "word_piece_cased": WordPiece(600, lowercase=False),
    "unigram": Unigram(600, sentinels=20),
    "bytes": ByteLevel(),
    "characters": CharacterLevel(),
}
SAMPLES = [
    "Hello world, this is a test. It has 2 sentences!",
    "  indented\n\tcode(x=1)  # don't\n\n",
    "na\u00efve \u4f60\u597d \U0001f600 unbelievably",
    "",
]


@pytest.fixture(scope="module", params=RECIPES)
def tokenizer(request):
    return RECIPES[request.param].train(iter(TEXTS))


@pytest.fixture(scope="module")
def byte_bpe():
    return RECIPES["byte_bpe"].train(iter(TEXTS))


@pytest.fixture(scope="module")
def word_piece():
    return RECIPES["word_piece"].train(iter(TEXTS))


def test_saving_and_loading_keeps_everything(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    copies = (
        Tokenizer.load(tmp_path),
        Pretrained(str(tmp_path)).train([]),
        pickle.loads(pickle.dumps(tokenizer)),
    )
    for copy in copies:
        for name in ("size", "pad", "unknown", "start", "end", "mask", "names"):
            assert getattr(copy, name) == getattr(tokenizer, name)
        for name in ("sentinels", "special", "continues_word", "byte_lengths"):
            np.testing.assert_array_equal(getattr(copy, name), getattr(tokenizer, name))
        assert [copy.encode(text) for text in SAMPLES] == [tokenizer.encode(text) for text in SAMPLES]


def test_transformers_gives_the_same_ids(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert len(theirs) == tokenizer.size
    for text in SAMPLES:
        assert theirs(text, add_special_tokens=False).input_ids == tokenizer.encode(text)
    assert theirs.pad_token_id == tokenizer.pad
    assert theirs.mask_token_id == tokenizer.mask
    assert theirs.unk_token_id == tokenizer.unknown
    assert tokenizer.end in (theirs.eos_token_id, theirs.sep_token_id)
    assert tokenizer.start in (theirs.cls_token_id, theirs.bos_token_id)
    spelt = "".join(tokenizer.core.id_to_token(int(id)) for id in np.flatnonzero(tokenizer.special))
    assert theirs(spelt, add_special_tokens=False).input_ids == np.flatnonzero(tokenizer.special).tolist()


@pytest.mark.parametrize("name, around", [("word_piece", (2, 3)), ("roberta_bpe", (0, 2)), ("unigram", (None, 1))])
def test_transformers_adds_the_papers_special_tokens(name, around, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = RECIPES[name].train(iter(TEXTS))
    tokenizer.save(tmp_path)
    before = [] if around[0] is None else [around[0]]
    expected = [*before, *tokenizer.encode("a test"), around[1]]
    assert AutoTokenizer.from_pretrained(tmp_path)("a test").input_ids == expected


def test_text_turns_into_special_tokens_only_when_asked(tokenizer):
    specials = np.flatnonzero(tokenizer.special)
    text = "a " + " ".join(tokenizer.core.id_to_token(int(id)) for id in specials)
    plain = set(specials) - {tokenizer.unknown}
    assert plain.isdisjoint(tokenizer.encode(text))
    assert plain.isdisjoint(tokenizer.encode_batch([text])[0].ids)
    assert set(specials) <= set(tokenizer.encode(text, parse_special=True))
    assert plain.isdisjoint(tokenizer.encode(text))  # asking once does not stick


def test_encode_batch_equals_encode(tokenizer):
    batch = tokenizer.encode_batch(SAMPLES)
    assert [encoding.ids for encoding in batch] == [tokenizer.encode(text) for text in SAMPLES]


def test_decode_skips_special_tokens_unless_told(byte_bpe):
    ids = [byte_bpe.end, *byte_bpe.encode("a test")]
    assert byte_bpe.decode(np.array(ids)) == "a test"
    assert byte_bpe.decode(ids, skip_special=False) == "<|endoftext|>a test"


def test_words_are_continued_by_word_pieces(word_piece):
    words = word_piece.continues_word
    vocabulary = word_piece.core.get_vocab()
    assert all(words[id] == token.startswith("##") for token, id in vocabulary.items())
    assert 0 < words.sum() < len(words)


@pytest.mark.parametrize("name", ["byte_bpe", "unigram", "bytes", "characters"])
def test_words_are_continued_by_letters_without_a_space(name):
    tokenizer = RECIPES[name].train(iter(TEXTS))
    text = " unbelievable things happen2day here"
    ids = tokenizer.encode(text)
    starts = [*np.flatnonzero(~tokenizer.continues_word[ids]), len(ids)]
    words = [tokenizer.decode(ids[a:b]).strip() for a, b in pairwise(starts)]
    assert words == text.split()


def test_punctuation_is_a_word_of_its_own(byte_bpe):
    ids = byte_bpe.encode(" f(x).")
    spelt = [byte_bpe.decode([id]) for id in ids]
    assert spelt == [" f", "(", "x", ")."]
    assert byte_bpe.continues_word[ids].tolist() == [False, False, True, False]


def test_special_tokens_continue_no_word(tokenizer):
    assert not (tokenizer.continues_word & tokenizer.special).any()


def test_a_file_alone_is_recognised_by_its_spelling(word_piece, byte_bpe, tmp_path):
    for tokenizer in (word_piece, byte_bpe):
        tokenizer.core.save(str(tmp_path / "tokenizer.json"))
        alone = Tokenizer.load(tmp_path / "tokenizer.json")
        for name in ("pad", "unknown", "mask", "end"):
            assert getattr(alone, name) == getattr(tokenizer, name)


def test_special_tokens_as_older_files_write_them(word_piece, tmp_path):
    word_piece.save(tmp_path)
    (tmp_path / "special_tokens_map.json").unlink()
    config = {"mask_token": {"content": "[MASK]", "lstrip": True}, "pad_token": "[PAD]", "bos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer.load(tmp_path)
    assert (tokenizer.mask, tokenizer.pad, tokenizer.start) == (4, 0, None)


def test_padding_and_truncation_of_a_file_are_switched_off(byte_bpe, tmp_path):
    core = pickle.loads(pickle.dumps(byte_bpe.core))
    core.enable_truncation(3)
    core.enable_padding(length=8)
    core.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.load(tmp_path).encode(SAMPLES[0]) == byte_bpe.encode(SAMPLES[0])


def test_a_missing_tokenizer_says_what_was_looked_for(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    for path in (tmp_path, tmp_path / "nowhere.json"):
        with pytest.raises(FileNotFoundError, match=r"looked for .*\.json.*vocab\.txt"):
            Pretrained(str(path)).fingerprint()


def test_a_name_without_a_token(byte_bpe):
    with pytest.raises(ValueError, match=r"no token '\[MASK\]'.*mask_token"):
        Tokenizer(byte_bpe.core, {"mask_token": "[MASK]"})


def test_byte_lengths_only_where_exact(byte_bpe):
    from tokenizers import normalizers, pre_tokenizers

    assert byte_bpe.byte_lengths is not None
    core = pickle.loads(pickle.dumps(byte_bpe.core))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert Tokenizer(core, {}).byte_lengths is None
    core = pickle.loads(pickle.dumps(byte_bpe.core))
    core.normalizer = normalizers.NFC()
    assert Tokenizer(core, {}).byte_lengths is None


def test_byte_lengths_of_added_tokens_that_are_text(byte_bpe):
    core = pickle.loads(pickle.dumps(byte_bpe.core))
    core.add_tokens(["\u00e9\u00e9\u00e9"])
    tokenizer = Tokenizer(core, {})
    ids = tokenizer.encode("a\u00e9\u00e9\u00e9b")
    assert tokenizer.size - 1 in ids
    assert tokenizer.byte_lengths[ids].sum() == 8


def test_a_layout_is_what_transformers_puts_around_texts(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    first, second = tokenizer.encode("one text"), tokenizer.encode("and another")
    alone, both = tokenizer.layout(pair=False), tokenizer.layout(pair=True)
    assert [*alone.before, *first, *alone.after] == theirs("one text")["input_ids"] and not alone.between
    row = [*both.before, *first, *both.between, *second, *both.after]
    encoded = theirs("one text", "and another", return_token_type_ids=True)
    between = [] if alone.after or tokenizer.end is None else [tokenizer.end]  # where they would put none
    assert both.between and row == [
        *encoded["input_ids"][: len(both.before) + len(first)],
        *between,
        *encoded["input_ids"][len(both.before) + len(first) :],
    ]
    if not between:
        segments = [0] * (len(row) - len(second) - len(both.after)) + [both.segment] * (len(second) + len(both.after))
        assert segments == encoded["token_type_ids"]


def test_tokens_for_one_byte_are_told_apart():
    """Of a character that has no token: alone each is half a character."""
    tokenizer = RECIPES["characters"].train(TEXTS)
    ids = np.array(tokenizer.encode("a\U0001f600"))
    assert tokenizer.byte_tokens[ids].tolist() == [False, True, True, True, True]
    assert tokenizer.byte_tokens.sum() == 256
    assert not RECIPES["bytes"].train([]).byte_tokens.any()  # there a text depends on no neighbour's spelling


@pytest.mark.parametrize(("name", "expected"), [("byte_bpe", "<|endoftext|>"), ("unigram", "</s>"), ("bytes", "</s>")])
def test_a_decoder_goes_on_from_the_end_of_the_text_before(name, expected):
    tokenizer = RECIPES[name].train(TEXTS)
    assert tokenizer.core.id_to_token(tokenizer.document_start) == expected


def test_a_decoder_goes_on_from_what_the_files_put_in_front():
    """As those of Llama do."""
    tokenizer = RECIPES["bytes"].train([])
    start = [("<s>", tokenizer.start)]
    tokenizer.core.post_processor = processors.TemplateProcessing(single="<s> $A", pair=None, special_tokens=start)
    assert tokenizer.document_start == tokenizer.start != tokenizer.end
