import pickle
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variformer.data import ByteLevel, ByteLevelBPE, Corpus, Unigram, WordPiece
from variformer.data.text.corpus import sentence_starts, write_corpus

TEXTS = [text for _, text in sorted(topics.items())][:12]
RECIPES = [ByteLevelBPE(500), WordPiece(500), Unigram(500, 20), ByteLevel()]
TOKENIZERS = {repr(recipe): recipe.train(iter(TEXTS)) for recipe in RECIPES}
BYTES = TOKENIZERS["ByteLevel()"]


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]


def written(folder, texts, tokenizer, **options):
    folder.mkdir(exist_ok=True)
    write_corpus(folder, texts, tokenizer, **options)
    return Corpus.open(folder, tokenizer)


def test_documents_are_the_encoded_texts(tokenizer, tmp_path):
    corpus = written(tmp_path, TEXTS, tokenizer)
    assert corpus.tokens.dtype == np.uint16
    assert isinstance(corpus.tokens, np.memmap)
    assert len(corpus.documents) == len(TEXTS) + 1
    for text, start, end in zip(TEXTS, corpus.documents[:-1], corpus.documents[1:], strict=True):
        assert corpus.tokens[start:end].tolist() == tokenizer.encode(text)


def test_sentence_offsets_hold_the_documents(tokenizer, tmp_path):
    corpus = written(tmp_path, TEXTS, tokenizer)
    assert set(corpus.documents) <= set(corpus.sentences)
    assert (np.diff(corpus.sentences) > 0).all()
    assert corpus.sentences[0] == 0 and corpus.sentences[-1] == len(corpus.tokens)


def test_sentences_start_where_a_reader_would_say():
    text = 'One sentence. Two of them! "Three?" Four\nfive\n\n  Six, e.g. this. 3.5 is seven.'
    ids = BYTES.encode_batch([text])[0]
    starts = sentence_starts(text, ids).tolist()
    sentences = [text[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert sentences == [
        *("One sentence.", "Two of them!", '"Three?"', "Four", "five", "Six, e.g. this. 3.5 is seven."),
    ]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_sentences_start_with_their_first_token(name):
    tokenizer = TOKENIZERS[name]
    text = "Na\u00efve words here. Another sentence\nand a line \U0001f600. Last one."
    encoding = tokenizer.encode_batch([text])[0]
    starts = sentence_starts(text, encoding).tolist()
    ids = np.array(encoding.ids)
    parts = [tokenizer.decode(ids[a:b]).strip().lower() for a, b in zip(starts, [*starts[1:], None], strict=True)]
    assert [part.split()[0] for part in parts][1:] == ["another", "and", "last"]


@given(st.text(alphabet="aB.! \n\u00e9\U0001f600", max_size=60))
def test_sentences_of_bytes_start_at_whole_characters(text):
    encoding = BYTES.encode_batch([text + "x"])[0]
    starts = sentence_starts(text + "x", encoding)
    assert starts[0] == 0
    assert set(starts) <= {len(text[:index].encode()) for index in range(len(text) + 1)}  # never inside a character
    for start in starts[1:].tolist():
        before, after = ((text + "x").encode()[part].decode() for part in (slice(start), slice(start, None)))
        assert before.strip() and not after[0].isspace()
        assert before.rstrip(" ").endswith("\n") or (before.rstrip(" ")[-1] in ".!" and after[0] == "B")


def test_counts_and_progress(tmp_path):
    import json

    steps = []
    texts = ["abc", "\u00e9", "x" * (1 << 20), "y"]
    written(tmp_path, texts, BYTES, advance=steps.append)
    meta = json.loads((tmp_path / "meta.json").read_text())
    size = 3 + 2 + (1 << 20) + 1
    assert meta == {"dtype": "uint16", "documents": 4, "tokens": size, "bytes": size, "without_tokens": 0}
    assert steps == [3, 1]


def test_a_document_without_tokens_is_left_out_and_counted(tmp_path):
    tokenizer = TOKENIZERS["WordPiece(vocab_size=500, lowercase=True)"]
    corpus = written(tmp_path, ["one", "\u0301", "two"], tokenizer)  # an accent alone, which the tokenizer strips
    assert len(corpus.documents) == 3
    assert '"without_tokens": 1' in (tmp_path / "meta.json").read_text()


def test_large_vocabularies_take_four_bytes(tmp_path):
    characters = [chr(code) for code in range(0x3400, 0x3400 + 7000)]
    core = BYTES.core.from_str(BYTES.core.to_str())
    core.add_tokens([a + b for a in characters[:260] for b in characters[:260]])
    from variformer.data import Tokenizer

    tokenizer = Tokenizer(core, {})
    assert tokenizer.size > 1 << 16
    corpus = written(tmp_path, [characters[259] * 2], tokenizer)
    assert corpus.tokens.dtype == np.uint32
    assert corpus.tokens.tolist() == [tokenizer.size - 1]


def test_workers_open_the_files_instead_of_copying_them(tmp_path):
    corpus = written(tmp_path, TEXTS, BYTES)
    pickled = pickle.dumps(corpus)
    assert len(pickled) < 20_000 < len(corpus.tokens)
    copy = pickle.loads(pickled)
    assert isinstance(copy.tokens, np.memmap)
    for name in ("tokens", "documents", "sentences"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(corpus, name))
    view = pickle.loads(pickle.dumps(corpus.windows(16)))
    np.testing.assert_array_equal(view.sample(3, 0)["tokens"], corpus.windows(16).sample(3, 0)["tokens"])


def test_a_corpus_in_memory_is_copied():
    corpus = Corpus(np.arange(4), np.array([0, 4]), np.array([0, 2, 4]), BYTES)
    assert pickle.loads(pickle.dumps(corpus)).tokens.tolist() == [0, 1, 2, 3]


def test_damaged_files_are_noticed(tmp_path):
    written(tmp_path, TEXTS, BYTES)
    tokens = (tmp_path / "tokens.bin").read_bytes()
    (tmp_path / "tokens.bin").write_bytes(tokens[:-2])
    with pytest.raises(ValueError, match=r"tokens\.bin is damaged.*Delete"):
        Corpus.open(tmp_path, BYTES)
