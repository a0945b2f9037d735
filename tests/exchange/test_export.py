"""What `variformer export` writes is what transformers reads: the same scores, token ids and pixels."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
import yaml
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

import variformer
from variformer.cli.main import app, bytes_of
from variformer.exchange.exporting import export
from variformer.exchange.model_card import Card
from variformer.runs.train import train

COMMON = ["debug=fast", "max_steps=2", "trainer.validate_every=null", "trainer.save_every=null"]
COMMON += ["samples=none", "callbacks.throughput=null"]
SMALL = ["model.vocab_size=600", "length=48"]
PUBLISHED = ["~model/positions", "~model/block"]  # the paper's parts, in place of what short runs learn sooner with
RUNS = {
    "gpt": ["experiment=gpt", *PUBLISHED, *SMALL, "tokenizer.vocab_size=600", "model.vocab_size=608"],
    "gpt_neox": ["experiment=gpt", *SMALL, "tokenizer.vocab_size=600"],
    "llama": ["experiment=variants/gpt_llama", *SMALL, "tokenizer.vocab_size=600"],
    "bert": ["experiment=bert", *PUBLISHED, *SMALL],
    "roberta": ["experiment=roberta", *PUBLISHED, *SMALL],
    "distilbert": ["experiment=bert", "model=distilbert", "objective=masked_tokens", *PUBLISHED, *SMALL],
    "albert": ["experiment=albert", *PUBLISHED, *SMALL],
    "t5": ["experiment=t5", *SMALL],
    "bart": ["experiment=bart", *PUBLISHED, *SMALL],
    "vit": ["experiment=vit"],
    "deit": ["experiment=vit", "model=deit"],
}
READERS = {
    "gpt": hf.AutoModelForCausalLM,
    "gpt_neox": hf.AutoModelForCausalLM,
    "llama": hf.AutoModelForCausalLM,
    "bert": hf.AutoModelForPreTraining,
    "roberta": hf.AutoModelForMaskedLM,
    "distilbert": hf.AutoModelForMaskedLM,
    "albert": hf.AutoModelForPreTraining,
    "t5": hf.AutoModelForSeq2SeqLM,
    "bart": hf.AutoModelForSeq2SeqLM,
    "vit": hf.AutoModelForImageClassification,
    "deit": hf.AutoModelForImageClassification,
}
WRITES = {"gpt", "gpt_neox", "llama", "t5", "bart"}
SEES = {"vit", "deit"}
ODD_TEXTS = [
    "The quick brown fox.",
    "",
    "   two  spaces\tand\n\nlines \r\n ",
    "naïve café — “quotes”… ½ ﬁ №",
    "日本語 中文 한국어 עברית العربية",
    "👩‍👩‍👧 e\u0301 \u200b\u00a0\ufeff\u2028 x",
    "def f(x):\n    return x**2  # CamelCase_and_snake 3.14e-10",
    "[MASK] <mask> </s> <extra_id_0> <|endoftext|> <pad>",
    "\x00\x07\x1b control, a" + "a" * 300,
]


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=pytest.mark.slow if each in ("distilbert", "albert") else ()) for each in RUNS],
)
def exported(request, composed, tmp_path_factory):
    """(name, run, folder)"""
    config = composed(*RUNS[request.param], *COMMON)
    train(config)
    run, folder = Path(config["run_dir"]), tmp_path_factory.mktemp(request.param) / "model"
    return request.param, run, export(run, folder)


@torch.no_grad()
def test_the_same_scores(exported):
    name, run, folder = exported
    ours, reader = variformer.load(run)
    theirs, report = READERS[name].from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    for mine, his in scores(ours, theirs.eval(), reader):
        assert mine.shape == his.shape
        assert (mine - his).abs().max() <= 1e-5 * his.abs().max()


def scores(ours, theirs, reader):
    """Pairs of what both say of the same input."""
    if not hasattr(reader, "encode"):
        images = torch.stack([reader(noise(size)) for size in ((8, 8), (31, 17))])
        said, expected = ours(images), theirs(images)
        yield (said, expected.logits) if isinstance(said, torch.Tensor) else (sum(said) / 2, expected.logits)
        return
    text = "How to append something to a list"
    tokens = torch.tensor([reader.encode(text)])
    if theirs.config.is_encoder_decoder:
        yield ours(tokens, tokens), theirs(input_ids=tokens, decoder_input_ids=tokens).logits
    elif hasattr(ours, "token_head"):
        said, expected = ours(tokens), theirs(input_ids=tokens)
        yield said.tokens, expected["prediction_logits" if "prediction_logits" in expected else "logits"]
    elif hasattr(ours, "replaced_head"):
        yield ours(tokens).replaced, theirs(input_ids=tokens).logits
    else:
        yield ours(tokens), theirs(input_ids=tokens).logits


def noise(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    channels = () if mode == "L" else (3,)
    return Image.fromarray(np.random.default_rng(0).integers(256, size=(*size, *channels), dtype=np.uint8), mode)


def test_the_same_token_ids(exported):
    name, run, folder = exported
    if name in SEES:
        assert not (folder / "tokenizer.json").exists()
        return
    ours, theirs = variformer.load(run)[1], hf.AutoTokenizer.from_pretrained(folder)
    for text in ODD_TEXTS:
        expected = ours.encode(text, parse_special=True)
        assert theirs(text, add_special_tokens=False, truncation=False).input_ids == expected, text
        assert theirs.decode(expected) == ours.decode(expected, skip_special=False)
    for kind in ("pad", "eos", "mask"):
        mine, his = getattr(ours, "end" if kind == "eos" else kind), getattr(theirs, f"{kind}_token_id")
        assert mine == his or (kind == "eos" and his is None)  # BERT's end is a separator
    assert len(theirs) == len(ours.core.get_vocab(with_added_tokens=True))


def test_their_tokenizer_gives_what_their_model_takes(exported):
    name, _, folder = exported
    if name in SEES:
        return
    batch = hf.AutoTokenizer.from_pretrained(folder)("some text", return_tensors="pt", truncation=True)
    assert ("token_type_ids" in batch) == (name in ("bert", "albert"))
    model = READERS[name].from_pretrained(folder).eval()
    if name in WRITES:
        assert model.generate(**batch, max_new_tokens=3, do_sample=False).shape[0] == 1
    else:
        assert model(**batch)


@pytest.mark.parametrize(("size", "mode"), [((8, 8), "L"), ((30, 17), "RGB"), ((9, 50), "L")])
def test_the_same_pixels(exported, size, mode):
    name, run, folder = exported
    if name not in SEES:
        assert not (folder / "preprocessor_config.json").exists()
        return
    image = noise(size, mode).convert("L")  # theirs makes no image grey
    ours, theirs = variformer.load(run)[1], hf.AutoImageProcessor.from_pretrained(folder)
    expected = theirs(image, return_tensors="pt", input_data_format="channels_last").pixel_values[0]
    torch.testing.assert_close(ours(image), expected, rtol=0, atol=1e-5)


def test_what_generates_says_how(exported):
    name, run, folder = exported
    assert (folder / "generation_config.json").exists() == (name in WRITES)
    if name in WRITES:
        config, tokenizer = hf.GenerationConfig.from_pretrained(folder), variformer.load(run)[1]
        assert config.eos_token_id == tokenizer.end
        if name == "t5":
            assert config.decoder_start_token_id == config.pad_token_id == tokenizer.pad


def test_the_card_says_what_was_measured_and_how_it_was_trained(exported):
    name, run, folder = exported
    card = ModelCard.load(folder / "README.md")
    assert card.data.library_name == "transformers" and card.data.pipeline_tag
    results = {(each.dataset_split, each.metric_type): each.metric_value for each in card.data.eval_results}
    measured = json.loads((run / "metrics.json").read_text())
    assert results == {tuple(key.split("/")): value for key, value in measured.items() if "/" in key}
    recipe = yaml.safe_load(card.text.split("```yaml\n")[1].split("```")[0])
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert recipe["model"] == config["model"] and recipe["max_steps"] == 2
    assert str(run) not in card.content and f"{READERS[name].__name__}.from_pretrained" in card.text


def test_a_card_shows_no_folder_of_the_machine(composed):
    config = composed("experiment=bert", "data=text_files", "data.source.train=[texts/a.txt]", "init_from=some/model")
    assert "/texts/a.txt" in str(config["data"])
    text = str(Card("run", "BertForPreTraining", "fill-mask", 1, config))
    assert "a.txt" in text and "some/model" in text
    assert not [line for line in text.splitlines() if ": /" in line or "- /" in line or "texts" in line]


def test_a_card_shows_no_folder_of_an_imported_model(composed):
    for source, shown in {
        "/home/me/bert": "bert",
        "google-bert/bert-base-uncased": "google-bert/bert-base-uncased",
    }.items():
        text = str(
            Card(
                "run", "BertForMaskedLM", "fill-mask", 1, composed("experiment=bert"), record={"imported_from": source}
            )
        )
        assert f"imported from `{shown}` with Variformer" in text and "```yaml" not in text


def test_shards(exported, tmp_path):
    _, run, folder = exported
    export(run, tmp_path, max_shard_bytes=20_000)
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1 and not (tmp_path / "model.safetensors").exists()
    joined = {name: tensor for shard in shards for name, tensor in load_file(shard).items()}
    whole = load_file(folder / "model.safetensors")
    assert joined.keys() == whole.keys() and all(torch.equal(joined[name], whole[name]) for name in whole)
    export(run, tmp_path, force=True)
    assert (tmp_path / "model.safetensors").exists() and not list(tmp_path.glob("model-*"))
    assert not (tmp_path / "model.safetensors.index.json").exists()
    again = load_file(tmp_path / "model.safetensors")
    assert again.keys() == whole.keys() and {tensor.dtype for tensor in again.values()} == {torch.float32}


def test_nothing_is_overwritten_without_force(exported, tmp_path):
    _, run, _ = exported
    (tmp_path / "notes.txt").write_text("mine")
    result = CliRunner().invoke(app, ["export", str(run), str(tmp_path)])
    assert result.exit_code == 2 and "not empty" in result.stderr and "--force" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    result = CliRunner().invoke(app, ["export", str(run), str(tmp_path), "--force", "--checkpoint", "best"])
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine" and (tmp_path / "config.json").exists()
    assert "None were measured" in (tmp_path / "README.md").read_text()


def test_parts_that_no_class_has_go_out_with_their_code(composed, tmp_path):
    config = composed("experiment=bert", "model/positions=relative", "tokenizer=bytes", *COMMON)
    train(config)
    result = CliRunner().invoke(app, ["export", config["run_dir"], str(tmp_path / "model")])
    assert result.exit_code == 0, result.stderr
    line = result.stdout.splitlines()[-1]
    assert line.startswith("class: VariformerForPreTraining, with its own modelling code (trust_remote_code=True)")
    assert "because positions: RelativePositions" in line
    text = (tmp_path / "model" / "README.md").read_text()
    assert 'from_pretrained("PATH", trust_remote_code=True)' in text and "runs that code on your machine" in text
    assert "positions: RelativePositions" in text
    published = composed("experiment=bert", *PUBLISHED, "tokenizer=bytes", *COMMON)
    train(published)
    arguments = ["export", published["run_dir"], str(tmp_path / "model"), "--force"]
    result = CliRunner().invoke(app, arguments)
    assert result.stdout.splitlines()[-1] == "class: BertForPreTraining"
    assert not list((tmp_path / "model").glob("*.py")) and "trust" not in (tmp_path / "model" / "README.md").read_text()


@pytest.mark.parametrize("wrong", ["nowhere", "."])
def test_what_is_no_run(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["export", wrong, "model"])
    assert result.exit_code == 2 and "is not a run" in result.stderr


@pytest.mark.parametrize(("size", "expected"), [("5GB", 5 * 10**9), ("1.5 mb", 1_500_000), ("20k", 20_000), ("7", 7)])
def test_sizes(size, expected):
    assert bytes_of(size) == expected


@pytest.mark.parametrize("size", ["", "5TB", "-1GB", "0", "large"])
def test_what_is_no_size(size):
    with pytest.raises(ValueError, match="is not a size; give one such as 500MB"):
        bytes_of(size)


def test_help_is_answered_without_heavy_imports():
    probe = """
import sys
from variformer.cli.main import app
try:
    app(["--help"])
finally:
    print({"torch", "transformers", "lightning"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60)
    assert done.stdout.rstrip().endswith("set()"), done.stdout + done.stderr
    assert "import" in done.stdout and "export" in done.stdout and "info" in done.stdout


@pytest.mark.parametrize("command", ["import", "export", "info"])
def test_every_command_explains_itself(command):
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0 and len(result.stdout.splitlines()) > 8


def test_info_of_a_run_and_of_a_folder(exported):
    _, run, folder = exported
    for place in (run, folder):
        result = CliRunner().invoke(app, ["info", str(place)])
        assert result.exit_code == 0, result.stderr
        parameters = json.loads((run / "run.json").read_text())["parameters"]
        assert f"{parameters:,}" in result.stdout
        architecture = json.loads((folder / "config.json").read_text())["architectures"][0]
        assert re.search(rf"exports:? +as {architecture}\n", result.stdout)
    shown = CliRunner().invoke(app, ["info", str(run)]).stdout
    assert "val " in shown and "loss" in shown


def test_the_command_is_installed(tmp_path):
    command = Path(sys.executable).with_name("variformer")
    done = subprocess.run(
        [command, "export", "nowhere", "model"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2 and done.stderr.startswith("run_dir=nowhere is not a run")
