"""Rows of csv and tsv files: every one is read whole, or at fault by its line."""

import pytest

from variformer.data import ByteLevel, TextData, TextFiles


def read(folder, content, kind="csv", **settings):
    path = folder / f"data.{kind}"
    path.write_text(content)
    rows = TextFiles(str(path), **settings).read()["train"]
    return [(int(row.name.removeprefix(f"{path}:")), row.fault or row.text) for row in rows]


MORE, FEWER = "more fields than the header", "fewer fields than the header"
OPEN, AMID = "a quotation mark that never closes", "a quotation mark amid text"


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("id,text\n1,hello, unquoted comma\n2,fine\n", [(2, MORE), (3, "fine")]),
        ("text,id\nhello, unquoted comma,1\nfine,2\n", [(2, MORE), (3, "fine")]),
        ("text,id\ncut\nfine,2\n", [(2, FEWER), (3, "fine")]),
        ('id,text\n1,first\n2,"open\n3,third\n4,""\n', [(2, "first"), (3, OPEN), (4, "third"), (5, "")]),
        ('id,text\n2,"open\n3,"third"\n', [(2, AMID), (3, "third")]),
        ('id,text\n1,"cut"here\n2,fine', [(2, AMID), (3, "fine")]),
        ('id,text\n1,"two\nlines"\n\n2,fine\n3\n', [(2, "two\nlines"), (5, "fine"), (6, FEWER)]),
        ('id,text\n1,"a, ""b"""\n2,a "b"\n', [(2, 'a, "b"'), (3, 'a "b"')]),
        ('id,"text\n1,a\n', [(1, f"a header with {OPEN}")]),
        ("", []),
    ],
)
def test_rows_of_csv(tmp_path, content, rows):
    assert read(tmp_path, content) == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('id\ttext\n1\t"Stop\n2\tfine\n', [(2, '"Stop'), (3, "fine")]),
        ('id\ttext\n1\t"Stop", he said\n2\tfine\n', [(2, '"Stop", he said'), (3, "fine")]),
        ("id\ttext\n1\ta\tb\n2\tfine\n", [(2, MORE), (3, "fine")]),
    ],
)
def test_rows_of_tsv(tmp_path, content, rows):
    assert read(tmp_path, content, "tsv") == rows


def test_delimiter_and_quoting_can_be_chosen(tmp_path):
    assert read(tmp_path, 'id;text\n1;"a;b"\n2;c,d\n', delimiter=";") == [(2, "a;b"), (3, "c,d")]
    assert read(tmp_path, 'id,text\n1,"a\n2,"b"\n', quoting=False) == [(2, '"a'), (3, '"b"')]
    assert read(tmp_path, 'id\ttext\n1\t"a\tb"\n', "tsv", quoting=True) == [(2, "a\tb")]


def test_an_open_quotation_mark_holds_little_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("variformer.data.text.readers.LONGEST", 1000)
    content = 'id,text\n1,"open\n' + "2,fine\n" * 1000
    rows = read(tmp_path, content)
    assert rows[0][1].startswith("a field of more than")
    assert rows[1:] == [(number, "fine") for number in range(3, 1003)]


def test_a_wrong_delimiter_is_answered_with_the_setting(tmp_path):
    with pytest.raises(ValueError, match=r"no column 'text'; there are: id;text\. Set `column`, or the `delimiter`"):
        read(tmp_path, "id;text\n1;a\n")


@pytest.mark.parametrize("delimiter", ["", ";;", r"\t", '"', "\n"])
def test_a_delimiter_is_one_sign(delimiter):
    with pytest.raises(ValueError, match=r'delimiter=.* must be one sign.*"\\t" for a tab'):
        TextFiles("data.csv", delimiter=delimiter)


def test_faulty_rows_follow_on_bad(tmp_path):
    (tmp_path / "data.csv").write_text('id,text\n1,first\n2,"open\n3,one, two\n4,fourth\n')
    source = TextFiles(str(tmp_path / "data.csv"))
    settings = dict(validation=0, test=0, cache=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=rf"data\.csv:3: {OPEN}; mend it, or set on_bad=skip"):
        TextData(source, ByteLevel(), on_bad="error", **settings).prepare()
    report = TextData(source, ByteLevel(), on_bad="skip", **settings).report
    assert report["skipped"] == {OPEN: 1, MORE: 1}
    assert report["train"]["documents"] == 2


def test_the_fingerprint_follows_the_layout_of_tables_alone(tmp_path):
    def fingerprints(name):
        (tmp_path / name).write_text("text\na\n")
        settings = ({}, {"delimiter": ";"}, {"quoting": False})
        return {TextFiles(str(tmp_path / name), **each).fingerprint(tmp_path / "cache") for each in settings}

    assert len(fingerprints("a.csv")) == len(fingerprints("a.TSV.GZ")) == 3
    assert len(fingerprints("a.txt")) == 1
