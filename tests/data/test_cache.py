import os
import subprocess
import sys
import time

import pytest

from variformer.data.cache import build_once, cache_folder, file_digest


def test_the_cache_lies_where_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("VARIFORMER_CACHE", str(tmp_path / "environment"))
    assert cache_folder(tmp_path / "argument") == tmp_path / "argument"
    assert cache_folder() == tmp_path / "environment"
    monkeypatch.delenv("VARIFORMER_CACHE")
    assert cache_folder().parts[-2:] == (".cache", "variformer")


def test_an_entry_is_built_once(tmp_path):
    built = []

    def build(folder):
        built.append(folder)
        (folder / "file").write_text("content")

    for _ in range(2):
        assert (build_once(tmp_path / "things" / "one", build) / "file").read_text() == "content"
    assert len(built) == 1
    assert os.listdir(tmp_path / "things") == ["one"]


def test_a_failed_build_leaves_nothing(tmp_path):
    def build(folder):
        (folder / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        build_once(tmp_path / "one", build)
    assert os.listdir(tmp_path) == []


def test_the_loser_of_a_race_takes_the_winners_result(tmp_path):
    def build(folder):
        (folder / "file").write_text("loser")
        (tmp_path / "one").mkdir()
        (tmp_path / "one" / "file").write_text("winner")

    assert (build_once(tmp_path / "one", build) / "file").read_text() == "winner"
    assert os.listdir(tmp_path) == ["one"]


def test_a_build_that_was_killed_is_not_taken_for_done(tmp_path):
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom variformer.data.cache import build_once\n"
        "def build(folder):\n    (folder / 'half').write_text('')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "build_once(Path(sys.argv[1]) / 'one', build)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)]).returncode == -9
    assert not (tmp_path / "one").exists()
    build_once(tmp_path / "one", lambda folder: (folder / "whole").write_text(""))
    assert os.listdir(tmp_path / "one") == ["whole"]


def test_only_stale_temporaries_are_removed(tmp_path):
    two_days_ago = time.time() - 2 * 24 * 3600
    for name in (".building-stale", ".building-slow", ".building-fresh"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    os.utime(tmp_path / ".building-stale" / "file", (two_days_ago, two_days_ago))
    for name in (
        ".building-stale",
        ".building-slow",
    ):  # the slow one's folder is old, but its file is being written
        os.utime(tmp_path / name, (two_days_ago, two_days_ago))
    build_once(tmp_path / "one", lambda folder: None)
    assert sorted(os.listdir(tmp_path)) == [".building-fresh", ".building-slow", "one"]


def test_digests_follow_the_content_and_are_remembered(tmp_path):
    file, cache = tmp_path / "file", tmp_path / "cache"
    file.write_text("a")
    first = file_digest(file, cache)
    assert first == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"  # sha256 of "a"
    status = file.stat()
    file.write_text("b")  # same size, and now the same time of change: only a reading would tell
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file_digest(file, cache) == first
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert file_digest(file, cache) != first
