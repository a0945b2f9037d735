import gzip
import json

import pytest

from variformer.data import Document, TextFiles

ROWS = [{"text": "first", "body": "one"}, {"text": "second", "body": "two"}]


def write(path, content):
    """Write text or bytes, compressed where the name says so."""
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def parquet(rows):
    import io

    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


FILES = {
    "jsonl": "\n".join(json.dumps(row) for row in ROWS) + "\n\n",
    "json": json.dumps(ROWS),
    "csv": 'text,body\nfirst,one\n"second",two\n',
    "tsv": "text\tbody\nfirst\tone\nsecond\ttwo\n",
    "parquet": parquet(ROWS),
}


def texts(source, split="train"):
    return [document.text for document in source.read()[split]]


@pytest.mark.parametrize("compressed", ["", ".gz"])
@pytest.mark.parametrize("kind", FILES)
def test_kinds_of_files(tmp_path, kind, compressed):
    path = write(tmp_path / f"data.{kind}{compressed}", FILES[kind])
    assert texts(TextFiles(path)) == ["first", "second"]
    assert texts(TextFiles(path, column="body")) == ["one", "two"]
    assert all(document.name.startswith(path) for document in TextFiles(path).read()["train"])
    with pytest.raises(ValueError, match=r"no column 'txt'; there are: text, body"):
        texts(TextFiles(path, column="txt"))


@pytest.mark.parametrize("compressed", ["", ".gz"])
def test_plain_text_is_one_document_or_several(tmp_path, compressed):
    text = "\ufefffirst\r\nline\n\n\n\nsecond\n\n\n"
    path = write(tmp_path / f"data.txt{compressed}", text)
    assert texts(TextFiles(path)) == ["first\nline\n\n\n\nsecond\n\n\n"]
    assert texts(TextFiles(path, document_separator="\n\n\n")) == ["first\nline", "\nsecond"]


def test_a_separator_may_lie_across_two_blocks_of_reading(tmp_path):
    block = 1 << 20  # characters read at once
    documents = ["a" * (block - 1), "b" * (2 * block), "c"]
    path = write(tmp_path / "data.txt", "<>".join(documents))
    assert texts(TextFiles(path, document_separator="<>")) == documents


@pytest.mark.parametrize(
    "content, expected",
    [
        ('["first", "second"]', ["first", "second"]),
        ('{"version": 1, "data": [{"text": "first"}]}', ["first"]),
        ('{"text": "first"}', ["first"]),
    ],
)
def test_shapes_of_json(tmp_path, content, expected):
    assert texts(TextFiles(write(tmp_path / "data.json", content))) == expected


def test_bad_rows_are_marked_with_their_line(tmp_path):
    lines = [
        '{"text": "good"}',
        "{broken",
        '{"text": null}',
        '{"text": 3}',
        '{"body": "x"}',
        '{"text": "\\ud800"}',
    ]
    path = write(tmp_path / "data.jsonl", "\n".join(lines))
    assert list(TextFiles(path).read()["train"]) == [
        Document(f"{path}:1", "good"),
        Document(f"{path}:2", "", "not JSON"),
        Document(f"{path}:3", "", "empty"),
        Document(f"{path}:4", "", "not text but int"),
        Document(f"{path}:5", "", "without column 'text'"),
        Document(f"{path}:6", "\ud800"),
    ]


def test_bytes_that_are_not_utf8_are_kept_as_surrogates(tmp_path):
    path = write(tmp_path / "data.txt", b"caf\xe9")
    assert texts(TextFiles(path)) == ["caf\udce9"]


def test_globs_and_lists_in_order(tmp_path):
    for name in ("b1", "b2", "a"):
        write(tmp_path / f"{name}.txt", name)
    source = TextFiles([str(tmp_path / "b*.txt"), str(tmp_path / "a.txt")])
    assert texts(source) == ["b1", "b2", "a"]


@pytest.mark.parametrize("name", ["trian.txt", "tr*n.text", "deeper/train.txt"])
def test_a_missing_file_is_answered_with_the_nearest(tmp_path, name):
    write(tmp_path / "train.txt", "text")
    (tmp_path / "depper").mkdir()
    nearest = "depper" if "/" in name else "train.txt"
    with pytest.raises(FileNotFoundError, match=f"no file matches.*nearest is .*{nearest}"):
        texts(TextFiles(str(tmp_path / name)))


def test_nothing_alike(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing alike"):
        texts(TextFiles(str(tmp_path / "train.txt")))


def test_an_unknown_kind(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read '.docx'; known: txt, jsonl"):
        texts(TextFiles(write(tmp_path / "data.docx", "")))


def test_lines_of_json_in_a_json_file(tmp_path):
    path = write(tmp_path / "data.json", '{"a": 1}\n{"a": 2}')
    assert list(TextFiles(path).read()["train"]) == [Document(f"{path}:2", "", "not JSON; one object a line is .jsonl")]


def test_given_splits(tmp_path):
    train, validation = write(tmp_path / "a.txt", "a"), write(tmp_path / "b.txt", "b")
    assert tuple(TextFiles(train).read()) == ("train",)
    source = TextFiles(train, validation=[validation])
    assert tuple(source.read()) == ("train", "val")
    assert texts(source, "val") == ["b"]


def test_the_fingerprint_follows_content_not_the_place(tmp_path):
    cache = tmp_path / "cache"
    (tmp_path / "moved").mkdir()
    path = write(tmp_path / "a.txt", "a")
    original = TextFiles(path).fingerprint(cache)
    assert TextFiles(write(tmp_path / "moved" / "b.txt", "a")).fingerprint(cache) == original
    others = [
        TextFiles(write(tmp_path / "c.txt", "c")),
        TextFiles(write(tmp_path / "c.csv", "a")),
        TextFiles(path, test=path),
        TextFiles(path, column="body"),
        TextFiles(path, document_separator="\n"),
    ]
    assert len({original, *(source.fingerprint(cache) for source in others)}) == 6
    assert TextFiles([path, path]).fingerprint(cache) == original  # read once


def test_runs_of_before_find_their_data_again(tmp_path):
    """Fingerprints as they were before csv files and separators had settings."""
    path = write(tmp_path / "a.txt", "a")
    assert (
        TextFiles(path).fingerprint(tmp_path / "cache")
        == "909fa43d6f7ee05ad59da7c3534d54303dc76c14fd371a94b138bc96d9433bd0"
    )
    assert (
        TextFiles(path, document_separator="\n").fingerprint(tmp_path / "cache")
        == "173107217ab210da94bc596711a6dda9964573e230ee08d66ebd0fcf981b5075"
    )


def test_a_separator_that_does_not_occur_is_named(tmp_path, caplog):
    write(tmp_path / "a.txt", "one\n\n\ntwo")
    for name in ("b.txt", "c.txt.gz"):
        write(tmp_path / name, "whole")
    assert texts(TextFiles(str(tmp_path), document_separator="\n\n\n")) == ["one", "two", "whole", "whole"]
    assert [record.message for record in caplog.records] == [
        f"document_separator='\\n\\n\\n' does not occur in 2 train file(s), each of which is one document "
        f"(first: {tmp_path / 'b.txt'})"
    ]


@pytest.mark.parametrize("separator", ["\n\n", "\r\n\r\n", "\r\r"])
def test_a_separator_meets_the_line_ends_that_are_read(tmp_path, separator, caplog):
    path = write(tmp_path / "data.txt", b"one\r\n\r\ntwo")
    assert texts(TextFiles(path, document_separator=separator)) == ["one", "two"]
    assert not caplog.records


def test_an_empty_separator_is_refused():
    with pytest.raises(ValueError, match="document_separator is empty"):
        TextFiles("data.txt", document_separator="")
