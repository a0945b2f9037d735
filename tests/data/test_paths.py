"""Which files a path, a folder or a pattern stands for."""

import gzip
import os
import socket

import pytest

from variformer.data import TextFiles
from variformer.data.text.files import find_files


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.txt",
        "a.JSONL",
        "deep/er/c.csv.gz",
        "set[1]/d.txt",
        "set1/e.txt",
        ".hidden/f.txt",
        ".g.txt",
        "h.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


def found(folder, *patterns):
    return [str(path.relative_to(folder)) for path in find_files([str(folder / pattern) for pattern in patterns])]


def refused(folder, pattern):
    with pytest.raises(FileNotFoundError) as caught:
        found(folder, pattern)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_all_files_of_known_kinds_below_it(folder):
    assert found(folder, "") == ["a.JSONL", "b.txt", "deep/er/c.csv.gz", "set1/e.txt", "set[1]/d.txt"]
    assert found(folder, "deep") == ["deep/er/c.csv.gz"]
    assert found(folder, ".hidden") == [".hidden/f.txt"]


def test_a_name_with_brackets_is_taken_literally_where_it_exists(folder):
    assert found(folder, "set[1]/d.txt") == found(folder, "set[1]/*.txt") == found(folder, "set[1]") == ["set[1]/d.txt"]
    assert found(folder, "set[12]/*.txt") == found(folder, "set[12]/e.txt") == ["set1/e.txt"]
    assert "[[] stands for a bracket" in refused(folder, "no[1]/*.txt")


def test_a_file_of_two_patterns_is_read_once(folder):
    os.symlink(folder / "b.txt", folder / "link.txt")
    assert found(folder, "*.txt", "b.*", "b.txt", "") == ["b.txt", *found(folder, "")[:1], *found(folder, "")[2:5]]


@pytest.mark.parametrize("name", ["A.TXT", "a.Txt.GZ", "a.txt.gz"])
def test_suffixes_may_be_in_upper_case(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(b"text") if name.lower().endswith("gz") else b"text")
    assert [row.text for row in TextFiles(str(tmp_path)).read()["train"]] == ["text"]


@pytest.mark.parametrize("pattern", ["link.txt", "*.txt", ""])
def test_a_link_to_nothing_is_named(folder, pattern):
    os.symlink(folder / "nowhere", folder / "link.txt")
    assert f"link.txt is a link to {folder / 'nowhere'}, which is not there" in refused(folder, pattern)


def test_why_a_path_gives_no_file(folder, monkeypatch):
    (folder / "empty").mkdir()
    assert "empty' holds no file of a known kind" in refused(folder, "empty")
    assert "b.txt' is a file, not a folder" in refused(folder, "b.txt/c.txt")
    assert "it matches only folders, such as" in refused(folder, "set*")
    with socket.socket(socket.AF_UNIX) as unix:
        monkeypatch.chdir(folder)
        unix.bind("s.txt")
        assert "neither a file nor a folder" in refused(folder, "s.txt")


def test_a_folder_that_may_not_be_read_is_named(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.listdir", refuse)
    assert "deep' cannot be read: Permission denied" in refused(folder, "deep/none.txt")
