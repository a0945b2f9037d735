import json

import pytest

from variformer.data import ByteLevel, HubText, TextData

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")


def texts(source, split="train"):
    return [document.text for document in source.read()[split]]


@pytest.fixture
def saved(tmp_path):
    splits = {name: datasets.Dataset.from_dict({"text": [f"{name} one", f"{name} two"]}) for name in ("train", "valid")}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
    return str(tmp_path / "saved")


def test_a_saved_dataset(saved, tmp_path):
    source = HubText(saved, validation_split="valid")
    assert tuple(source.read()) == ("train", "val")
    assert texts(source) == ["train one", "train two"]
    assert texts(source, "val") == ["valid one", "valid two"]
    data = TextData(source, ByteLevel(), test=0, cache=str(tmp_path / "cache"))
    assert data.report["val"]["documents"] == 2


def test_a_folder_of_files(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "train.jsonl").write_text("\n".join(json.dumps({"body": str(n)}) for n in range(10)))
    source = HubText(str(tmp_path / "files"), column="body", train_split="train[:20%]")
    assert texts(source) == ["0", "1"]


def test_a_single_saved_split(tmp_path):
    datasets.Dataset.from_dict({"text": ["one", None]}).save_to_disk(tmp_path / "one")
    documents = list(HubText(str(tmp_path / "one")).read()["train"])
    assert [(document.text, document.fault) for document in documents] == [("one", None), ("", "empty")]


def test_errors_name_what_is_there(saved):
    with pytest.raises(ValueError, match=r"no split 'test'.*there are: train, valid"):
        texts(HubText(saved, test_split="test"), "test")
    with pytest.raises(ValueError, match=r"no column 'body'; there are: text"):
        texts(HubText(saved, column="body"))


@pytest.mark.parametrize(("name", "content"), [("a.parquet", "PAR1 no"), ("b.jsonl", '{"text": "a"')])
def test_a_damaged_file_in_a_folder_is_answered_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(
        FileNotFoundError, match=r"may be damaged; data=text_files would name it.*ArrowInvalid"
    ) as caught:
        texts(HubText(str(tmp_path)))
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_offline_errors_say_where_was_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"'nobody/nothing'.*looked for a folder at .*hub"):
        texts(HubText("nobody/nothing"))


def test_the_fingerprint_follows_files_names_and_revision(saved, tmp_path):
    cache = tmp_path / "cache"
    sources = [
        HubText(saved),
        HubText(saved, validation_split="valid"),
        HubText("nobody/nothing"),
        HubText("nobody/nothing", revision="abc"),
    ]
    before = [source.fingerprint(cache) for source in sources]
    assert sources[2].contents(cache) == {"nobody/nothing": "None"}
    assert all(name.startswith(saved) for name in sources[0].contents(cache))
    assert len(set(before)) == 4
    (tmp_path / "saved" / "new.txt").write_text("new")
    after = [source.fingerprint(cache) for source in sources]
    assert [a == b for a, b in zip(after, before, strict=True)] == [False, False, True, True]
