import json
import os
from collections import OrderedDict

import pytest
import torch
import transformers as hf
from safetensors import safe_open
from safetensors.torch import load_file

from variformer.weights.files import read_tensors, write_tensors
from variformer.weights.huggingface import load, to_huggingface


@pytest.fixture
def tensors():
    return {name: torch.randn(shape) for name, shape in {"b": (5, 4), "a": (3,), "c": (2, 2), "d": (40,)}.items()}


def same(ours, theirs) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_whole(tensors, tmp_path):
    assert write_tensors(tensors, tmp_path) == [tmp_path / "model.safetensors"]
    assert same(read_tensors(tmp_path), tensors)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}  # without it, transformers refuses the file


def test_shards_hold_at_most_so_many_bytes_and_each_tensor_once(tensors, tmp_path):
    *shards, index = write_tensors(tensors, tmp_path, max_shard_bytes=100)
    assert [sorted(load_file(shard)) for shard in shards] == [["a", "b"], ["d"], ["c"]]  # 92, 160 and 16 bytes
    written = json.loads(index.read_text())
    assert written["metadata"]["total_size"] == 268
    assert written["weight_map"]["c"] == "model-00003-of-00003.safetensors"
    assert same(read_tensors(tmp_path), tensors)


def test_a_new_export_leaves_no_old_shard(tensors, tmp_path):
    write_tensors(tensors, tmp_path, max_shard_bytes=100)
    write_tensors({"a": tensors["a"]}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]
    write_tensors(tensors, tmp_path, max_shard_bytes=100)
    assert same(read_tensors(tmp_path), tensors)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935", None]
)
def test_damaged_files_are_named(content, tensors, tmp_path):
    *_, last, index = write_tensors(tensors, tmp_path, max_shard_bytes=100)
    last.write_bytes(last.read_bytes()[:-7] if content is None else content)
    with pytest.raises(ValueError, match=rf"{last.name} is damaged .*copy it again.*git lfs pull"):
        read_tensors(tmp_path)
    index.unlink()
    last.rename(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        read_tensors(tmp_path)


@pytest.fixture
def theirs():
    sizes = dict(num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, max_position_embeddings=9)
    return hf.BertForMaskedLM(hf.BertConfig(vocab_size=31, hidden_size=8, **sizes))


def test_shards_in_and_out_as_transformers_has_them(theirs, tmp_path):
    theirs.save_pretrained(tmp_path, max_shard_size="2KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    ours = to_huggingface(load(tmp_path))
    assert same(ours, read_tensors(tmp_path))
    write_tensors(ours, tmp_path, max_shard_bytes=3000)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    again, report = type(theirs).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert same(again.state_dict(), theirs.state_dict())


def test_shards_that_are_missing_or_elsewhere(tensors, tmp_path):
    _, second, third, index = write_tensors(tensors, tmp_path, max_shard_bytes=100)
    third.write_bytes(second.read_bytes())
    with pytest.raises(ValueError, match=r"shards in .* lack c, which model.safetensors.index.json lists"):
        read_tensors(tmp_path)
    second.unlink()
    with pytest.raises(FileNotFoundError, match=rf"lacks {second.name}, which model.safetensors.index.json lists"):
        read_tensors(tmp_path)
    index.write_text(json.dumps({"weight_map": {"a": "../secret"}}))
    with pytest.raises(ValueError, match=r"lists ../secret, outside of its folder"):
        read_tensors(tmp_path)


def test_pickled_weights_are_read_where_there_are_no_others(tensors, theirs, tmp_path):
    theirs.save_pretrained(tmp_path)
    kept = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    torch.save(OrderedDict(theirs.state_dict()), tmp_path / "pytorch_model.bin")
    assert same(to_huggingface(load(tmp_path)), kept)
    write_tensors(tensors, tmp_path)
    assert same(read_tensors(tmp_path), tensors)


def test_pickled_shards(tensors, tmp_path):
    places = {name: f"pytorch_model-0000{1 + (name > 'b')}-of-00002.bin" for name in tensors}
    for shard in set(places.values()):
        torch.save({name: tensors[name] for name in tensors if places[name] == shard}, tmp_path / shard)
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    assert same(read_tensors(tmp_path), tensors)


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    torch.save({"a": Malicious(tmp_path / "harm")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model.bin is refused: it is broken, or would run code when read"):
        read_tensors(tmp_path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is refused: it is broken"), (b"no pickle at all", "is refused: it is broken")],
)
def test_broken_pickles(content, message, tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_tensors(tmp_path)


def test_a_pickle_of_something_else(tmp_path):
    torch.save({"a": torch.zeros(2), "step": 3}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="does not map names to tensors"):
        read_tensors(tmp_path)
