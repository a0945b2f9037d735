"""Bad files are answered like a bad config: in one line, without a traceback."""

import errno
from pathlib import Path

import pytest

from variformer.config import ConfigError
from variformer.config.schema import experiment
from variformer.runs.task import build_task


@pytest.fixture(scope="module")
def config(composed):
    return composed("experiment=gpt", "data=text_files", "tokenizer=bytes", "data.source.train=x")


@pytest.fixture
def task(config, tmp_path):
    """A file's name and content, and settings of the data -> the task of a run that reads it."""

    def build(name, content, **settings):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        source = config["data"]["source"] | {"train": str(tmp_path / name)}
        data = config["data"] | {"source": source, "cache": str(tmp_path / "cache"), **settings}
        return build_task(experiment(config | {"data": data}))

    return build


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, r"no file matches .*none\.txt"),
        ("a.parquet", b"PAR1 and no more", r"a\.parquet: damaged .*on_bad=skip"),
        ("a.txt.gz", b"plain", r"a\.txt\.gz: damaged .*on_bad=skip"),
        ("a.csv", b'text\n"open\n', r"a\.csv:2: a quotation mark that never closes.*on_bad=skip"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "a"}\n', r"duplicate documents: 1 of train .*on_duplicate=drop"),
    ],
)
def test_bad_files_are_refused_in_one_line(task, name, content, message):
    with pytest.raises(ConfigError, match=rf"^data: .*{message}") as caught:
        task(name, content, on_bad="error", on_duplicate="error")
    assert len(caught.value.problems) == 1 and "\n" not in str(caught.value)


def test_a_cache_that_is_only_read_is_refused_in_one_line(task, tmp_path, monkeypatch):
    allowed = Path.mkdir

    def refuse(self, *args, **kwargs):
        if tmp_path / "cache" in self.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return allowed(self, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigError, match=rf"cannot write to the cache in {tmp_path / 'cache'}.*VARIFORMER_CACHE"):
        task("a.txt", b"text")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective": {"_target_": "variformer.objectives.span_corruption.SpanCorruption", "_partial_": True}},
            "sent",
        ),
        ({"model": {"vocab_size": 100}}, r"^model\.vocab_size: 100 is less than the tokenizer's \d+ tokens"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_one_line(config, tmp_path, changes, message):
    (tmp_path / "a.txt").write_text("text")
    source = config["data"]["source"] | {"train": str(tmp_path / "a.txt")}
    data = config["data"] | {"source": source, "cache": str(tmp_path / "cache")}
    with pytest.raises(ConfigError, match=message) as caught:
        build_task(experiment(config | {"data": data} | changes))
    assert len(caught.value.problems) == 1
