"""Files that break off or are not what their name says: named, and skipped from there on if the run says so."""

import errno
import gzip
import json
import random

import pytest

from variformer.data import ByteLevel, TextData, TextFiles
from variformer.data.text.files import read_documents

WORDS = [str(random.Random(number).random()) for number in range(20000)]
LINES = [json.dumps({"text": word}) for word in WORDS]


def cut(text):
    """Half of a compressed file."""
    whole = gzip.compress(text.encode())
    return whole[: len(whole) // 2]


def flipped(text):
    """A compressed file with a changed byte in its middle."""
    whole = bytearray(gzip.compress(text.encode()))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)


def parquet(folder, rows):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(
        pyarrow.table({"text": rows}), folder / "whole", compression="none", use_dictionary=False
    )
    return bytearray((folder / "whole").read_bytes())


def changed_parquet(folder):
    content = parquet(folder, WORDS)
    content[4:2000] = b"\xff" * 1996
    return bytes(content)


FILES = {
    "cut.txt.gz": cut("".join(WORDS)),
    "cut.jsonl.gz": cut("\n".join(LINES)),
    "flipped.jsonl.gz": flipped("\n".join(LINES)),
    "cut.csv.gz": cut("\n".join(["text", *WORDS])),
    "cut.json.gz": cut(json.dumps(WORDS)),
    "plain.txt.gz": b"hello world",
    "empty.parquet": b"",
    "magic.parquet": b"PAR1 and no more",
    "pages.parquet": changed_parquet,
    "plain.parquet.gz": b"hello world",
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_a_fault_of_its_own_name(tmp_path, name):
    content = FILES[name]
    (tmp_path / name).write_bytes(content(tmp_path) if callable(content) else content)
    *rows, last = read_documents(tmp_path / name, "text", None)
    assert last.name.startswith(str(tmp_path / name)) and last.fault.startswith("damaged (") and "\n" not in last.fault
    assert [row.text for row in rows[:5000]] == WORDS[: len(rows)][:5000]  # a changed byte spoils a few rows before
    assert bool(rows) == ("jsonl" in name or "csv" in name)
    assert not rows or last.name == f"{rows[-1].name} and what follows"


def test_damage_follows_on_bad(tmp_path):
    (tmp_path / "a.txt").write_text("good")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "c.txt").write_text("too")
    settings = dict(validation=0, test=0, cache=str(tmp_path / "cache"))
    source = TextFiles([str(tmp_path / "*.txt"), str(tmp_path / "b.parquet")])
    with pytest.raises(ValueError, match=r"b\.parquet: damaged \(.*\); mend it, or set on_bad=skip"):
        TextData(source, ByteLevel(), on_bad="error", **settings).prepare()
    report = TextData(source, ByteLevel(), on_bad="skip", **settings).report
    assert report["train"]["documents"] == 2
    assert list(report["skipped"].values()) == [1]


def test_a_file_that_cannot_be_opened_is_not_damaged(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", "a.txt")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PermissionError):
        list(read_documents(tmp_path / "a.txt", "text", None))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("[" * 200_000, "JSON that is nested too deep"),
        ('{"text": "x", "n": ' + "1" * 5000 + "}", "JSON with a number of too many digits"),
        ("{broken", "not JSON"),
    ],
)
def test_a_line_that_json_cannot_read_is_one_bad_row(tmp_path, line, fault):
    path = tmp_path / "data.jsonl"
    path.write_text(f'{{"text": "a"}}\n{line}\n{{"text": "b"}}\n')
    assert [(row.text, row.fault) for row in read_documents(path, "text", None)] == [
        ("a", None),
        ("", fault),
        ("b", None),
    ]
    path = tmp_path / "data.json"
    path.write_text(f"\n{line}")
    (row,) = read_documents(path, "text", None)
    assert row.fault == f"{fault}; one object a line is .jsonl"
    assert row.name == f"{path}:{2 if fault == 'not JSON' else 1}"
