"""`variformer.load`: runs, folders and names."""

import errno
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers as hf
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError
from PIL import Image
from typer.testing import CliRunner

import variformer
from variformer import hub
from variformer.cli.main import app
from variformer.data import Pretrained, Tokenizer, WordPiece
from variformer.runs.origins import find_sources
from variformer.runs.train import train
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

BERT = dict(
    vocab_size=60,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=12,
    max_position_embeddings=9,
)


@pytest.fixture(scope="module")
def vit(composed) -> Path:
    """With a moving average, which is what evaluation uses."""
    config = composed("experiment=vit", "callbacks=[default,average]", "debug=fast", "model.dropout=0.1")
    train(config)
    return Path(config["run_dir"])


@pytest.fixture(scope="module")
def gpt(composed) -> Path:
    config = composed("experiment=gpt", "debug=fast", "tokenizer=bytes", "callbacks=[default,average]")
    train(config)
    return Path(config["run_dir"])


@pytest.fixture
def bert(tmp_path) -> Path:
    folder = tmp_path / "bert"
    hf.BertForMaskedLM(hf.BertConfig(**BERT)).save_pretrained(folder)
    return folder


def test_a_run_is_its_average_in_evaluation_mode(vit):
    model, transform = variformer.load(vit)
    saved = WholeCheckpointIO().load_checkpoint(vit / "checkpoints" / "last.ckpt")
    (average,) = (state["average"] for state in saved["callbacks"].values() if "average" in state)
    assert not model.training
    assert all(torch.equal(tensor, average[name]) for name, tensor in model.named_parameters())
    assert not torch.equal(model.head.weight, saved["state_dict"]["model.head.weight"])
    scores = model(transform(Image.new("RGB", (20, 13), "white"))[None])
    assert scores.shape == (1, 26)


def test_a_tied_tensor_is_averaged_under_both_of_its_names(gpt):
    model, tokenizer = variformer.load(str(gpt))
    saved = WholeCheckpointIO().load_checkpoint(gpt / "checkpoints" / "last.ckpt")
    (average,) = (state["average"] for state in saved["callbacks"].values() if "average" in state)
    assert torch.equal(model.head.scores.weight, average["decoder.embedding.tokens.weight"])
    assert tokenizer.decode(tokenizer.encode("née 1")) == "née 1"


def test_another_checkpoint_of_a_run(vit):
    best, _ = variformer.load(vit, checkpoint="best")
    saved = WholeCheckpointIO().load_checkpoint(vit / "checkpoints" / "best.ckpt")["state_dict"]
    assert torch.equal(best.head.weight, saved["model.head.weight"])
    with pytest.raises(FileNotFoundError, match=r"no checkpoint worst\.ckpt .*best\.ckpt, last\.ckpt"):
        variformer.load(vit, checkpoint="worst")


def test_a_folder_with_and_without_a_tokenizer(bert):
    model, tokenizer = variformer.load(bert)
    assert type(model).__name__ == "Bert" and not model.training
    assert tokenizer is None
    WordPiece(60).train(["some words"] * 5).save(bert)
    assert isinstance(variformer.load(bert)[1], Tokenizer)


def test_images_as_the_folder_says(tmp_path):
    sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12)
    hf.ViTForImageClassification(hf.ViTConfig(**sizes, image_size=12, patch_size=4)).save_pretrained(tmp_path)
    processor = hf.ViTImageProcessor(size={"height": 12, "width": 12}, image_mean=[0.1, 0.2, 0.3], image_std=[1, 2, 3])
    processor.save_pretrained(tmp_path)
    _, transform = variformer.load(tmp_path)
    image = Image.effect_noise((31, 17), 90).convert("RGB")
    expected = hf.AutoImageProcessor.from_pretrained(tmp_path)(image, return_tensors="pt").pixel_values[0]
    torch.testing.assert_close(transform(image), expected, rtol=0, atol=1e-5)


def test_a_folder_that_is_neither(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"neither a run directory .* nor a Hugging Face folder .* notes\.txt"):
        variformer.load(tmp_path)


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "runs/gpt/none", "~/nowhere-at-all"])
def test_a_path_that_is_not_there(name):
    with pytest.raises(FileNotFoundError, match=r"there is no folder /.*; the nearest is /.* is no name on the hub"):
        variformer.load(name)


@pytest.fixture
def no_hub(monkeypatch):
    def snapshot_download(*_, **__):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("runs/gtp", "runs/gpt"),
        ("runs/gpt/2026-11-27", "runs/gpt/2026-11-28"),
        ("runs/gtp/2026-11-28", "runs/gpt/2026-11-28"),
        ("runs/quite-another", "runs"),
        ("models/brt", "models/bert"),
        ("./models/brt", "models/bert"),
        ("models/bert/1/2", "models/bert"),
        ("a/b/c", ""),
        ("no spaces please", ""),
    ],
)
def test_a_typo_in_a_path_names_the_nearest_folder(name, near, tmp_path, monkeypatch, no_hub):
    monkeypatch.chdir(tmp_path)
    for folder in ("runs/gpt/2026-11-28", "models/bert"):
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(FileNotFoundError) as caught:
        variformer.load(name)
    found = f"there is no folder {tmp_path / name}; the nearest is {tmp_path / near}"
    assert str(caught.value) == f"{found} ({name} is no name on the hub)"
    assert caught.value.__context__ is None


def test_runs_are_no_owner_on_the_hub(tmp_path, monkeypatch, no_hub):
    """Even where the folder of runs is missing too."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"the nearest is {tmp_path} "):
        variformer.load("runs/gpt")


@pytest.mark.parametrize("command", [["info"], ["export"], ["import"]])
def test_commands_answer_a_typo_in_one_line(command, tmp_path, monkeypatch, no_hub):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "gpt").mkdir(parents=True)
    more = [] if command == ["info"] else ["there"]
    result = CliRunner().invoke(app, [*command, "runs/gtp", *more])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert str(tmp_path / "runs") in result.stderr and "gpt" in result.stderr


@pytest.mark.parametrize("key", ["init_from", "objective.teacher", "tokenizer.path"])
def test_a_run_that_builds_on_a_typo_names_the_key(key, tmp_path, monkeypatch, no_hub):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "bert").mkdir(parents=True)
    config = {"objective": {}, "resume": False, "init_from": None, "tokenizer": {}}
    section, _, name = key.rpartition(".")
    (config[section] if section else config)[name] = "runs/brt"
    with pytest.raises(FileNotFoundError, match=rf"^{key}=runs/brt: there is no folder .*; the nearest is .*runs/bert"):
        find_sources(config)
    if key == "tokenizer.path":
        config["tokenizer"]["path"] = "runs/bert/tokenizer.json"
        with pytest.raises(FileNotFoundError, match=r"there is no file .*; the nearest folder is .*runs/bert"):
            find_sources(config)


@pytest.mark.parametrize("name", ["gpt2", "google/vit-base-patch16-224", "gpt2@main"])
def test_offline_it_says_where_it_looked(name, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        variformer.load(name)
    message = str(caught.value)
    assert str(tmp_path / name) in message and str(tmp_path / "cache") in message and "HF_HUB_OFFLINE" in message


def test_a_name_is_found_in_the_hubs_cache(bert, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    snapshot = cache / "models--some--bert" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for file in bert.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    refs = cache / "models--some--bert" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    expected, found = variformer.load(bert)[0], variformer.load("some/bert")[0]
    assert all(torch.equal(a, b) for a, b in zip(expected.parameters(), found.parameters(), strict=True))


def test_what_the_hub_is_asked_for(bert, monkeypatch):
    asked = []

    def snapshot_download(name, revision, allow_patterns):
        asked.append((name, revision, allow_patterns))
        return str(bert)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert hub.locate("some/bert@v1.0") == bert
    assert asked[0][:2] == ("some/bert", "v1.0") and "model.safetensors" in asked[0][2] and len(asked) == 1
    (bert / "model.safetensors").rename(bert / "pytorch_model.bin")
    hub.locate("some/bert")
    assert len(asked) == 3 and "pytorch_model*.bin" in asked[2][2] and asked[2][1] is None
    hub.locate("some/bert", weights=False)
    assert not any("model.safetensors" in pattern or ".bin" in pattern for pattern in asked[3][2])


GATED = GatedRepoError("403 Client Error", response=SimpleNamespace(headers={}, request=None))


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (GATED, PermissionError, r"bert@v1 is gated: .* terms at https://huggingface\.co/some/bert, then log in"),
        (OSError(errno.ENOSPC, "No space left on device"), OSError, r"^\[Errno 28\] No space left on device$"),
        (PermissionError(errno.EACCES, "Permission denied", "cache"), PermissionError, r"^\[Errno 13\].*'cache'$"),
        (LocalEntryNotFoundError("cannot be reached"), FileNotFoundError, r"some/bert@v1 was not found: .*copy the"),
        (RuntimeError("unheard of"), FileNotFoundError, r"was not found: .*RuntimeError came from the hub: unheard of"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_what_the_hub_answers_is_told_apart(raised, expected, message, monkeypatch):
    def snapshot_download(*_, **__):
        raise raised

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(expected, match=message) as caught:
        hub.locate("some/bert@v1")
    assert caught.type is expected and "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value is raised


def test_a_pretrained_tokenizer_from_a_run_and_from_the_hub(gpt, monkeypatch):
    expected = Tokenizer.load(gpt / "tokenizer").fingerprint
    assert Pretrained(str(gpt)).train([]).fingerprint == expected
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(gpt / "tokenizer"))
    assert Pretrained("some/gpt").train([]).fingerprint == expected


def test_importing_the_package_is_cheap():
    code = "import sys, variformer; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, check=True)
    assert not {"torch", "lightning", "hydra", "huggingface_hub", "typer"} & set(json.loads(done.stdout))
