import errno
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

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


def test_who_asks_during_a_build_waits_for_it(tmp_path):
    began, built = Event(), []

    def build(folder):
        built.append(folder)
        began.set()
        time.sleep(0.3)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(build_once, tmp_path / "one", build)
        assert began.wait(10)
        second = pool.submit(build_once, tmp_path / "one", build)
    assert first.result() == second.result() == tmp_path / "one" and len(built) == 1


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


@pytest.fixture
def umask():
    """Files for the group, too."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def mode(path):
    return path.stat().st_mode & 0o777


def test_files_in_the_cache_follow_the_umask(tmp_path, umask):
    (tmp_path / "file").write_text("a")
    file_digest(tmp_path / "file", tmp_path / "cache")
    build_once(tmp_path / "cache" / "things" / "one", lambda folder: (folder / "whole").write_text(""))
    paths = list((tmp_path / "cache").rglob("*"))
    assert len(paths) == 5
    assert {mode(path) for path in paths if path.is_file()} == {0o664}
    assert {mode(path) for path in paths if path.is_dir()} == {0o775}


def test_folders_being_built_and_locks_follow_the_umask(tmp_path, umask):
    seen = {}
    build_once(tmp_path / "one", lambda folder: seen.update({p.name[:6]: mode(p) for p in tmp_path.iterdir()}))
    assert seen == {".build": 0o775, ".one.l": 0o664}


def refuse(name, folder, monkeypatch):
    """Let a method of Path fail below a folder, as for a user who may only read it."""
    allowed = getattr(Path, name)

    def refusing(self, *args, **kwargs):
        if folder in self.parents and (name != "open" or "w" in args):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return allowed(self, *args, **kwargs)

    monkeypatch.setattr(Path, name, refusing)


@pytest.fixture
def read_only(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    build_once(cache / "things" / "one", lambda folder: (folder / "whole").write_text(""))
    for name in ("mkdir", "write_text", "open", "unlink"):
        refuse(name, cache, monkeypatch)
    return cache


def test_what_a_read_only_cache_holds_can_be_used(read_only):
    assert os.listdir(build_once(read_only / "things" / "one", None)) == ["whole"]


def test_a_digest_that_cannot_be_kept_is_given_all_the_same(tmp_path, read_only):
    (tmp_path / "file").write_text("a")
    assert file_digest(tmp_path / "file", read_only).startswith("ca978112")


def test_a_digest_that_cannot_be_read_is_made_again(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a")
    file_digest(tmp_path / "file", tmp_path / "cache")
    refuse("read_text", tmp_path / "cache", monkeypatch)
    assert file_digest(tmp_path / "file", tmp_path / "cache").startswith("ca978112")


@pytest.mark.parametrize("folder", ["things", "others"])
def test_a_read_only_cache_is_named_with_the_cure(read_only, folder):
    with pytest.raises(
        PermissionError, match=rf"cannot write to .*{read_only}.*VARIFORMER_CACHE \(or data.cache\)"
    ) as e:
        build_once(read_only / folder / "two", lambda folder: None)
    assert "\n" not in str(e.value)


def test_a_file_in_place_of_the_cache_is_named(tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(PermissionError, match=r"Not a directory.*VARIFORMER_CACHE"):
        build_once(tmp_path / "cache" / "things" / "two", lambda folder: None)


def test_an_unreadable_source_is_not_the_caches_fault(tmp_path):
    def build(folder):
        raise PermissionError(errno.EACCES, "Permission denied", "data.txt")

    with pytest.raises(PermissionError, match=r"data\.txt"):
        build_once(tmp_path / "one", build)


def test_the_lock_of_another_user_does_not_matter(tmp_path, monkeypatch):
    refuse("unlink", tmp_path, monkeypatch)
    build_once(tmp_path / "one", lambda folder: None)
    assert (tmp_path / "one").is_dir()
