"""Published models without a head (BertModel, T5EncoderModel, ...): the head starts anew, and this is said."""

import json
import logging
import shutil

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import variformer
from variformer.cli.main import app
from variformer.data import WordPiece
from variformer.exchange.importing import import_model
from variformer.models import T5 as T5Model
from variformer.models import Albert, Bert, DeiT, DistilBert, Roberta, SequenceClassifier, ViT
from variformer.objectives.distillation import Distillation
from variformer.runs.teacher import bring_teacher
from variformer.runs.warm_start import start_from
from variformer.weights import huggingface

SIZES = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12)
BERT = SIZES | dict(vocab_size=31, max_position_embeddings=9)
ROBERTA = BERT | dict(type_vocab_size=1, max_position_embeddings=11, pad_token_id=1)
IMAGE = SIZES | dict(image_size=6, patch_size=3)
UNTIED = dict(tie_word_embeddings=False)
T5 = dict(vocab_size=31, d_model=8, d_kv=4, d_ff=12, num_layers=1, num_heads=2)
BART = {
    f"{half}_{name}": size
    for half in ("encoder", "decoder")
    for name, size in {"layers": 1, "attention_heads": 2, "ffn_dim": 12}.items()
}
DISTILBERT = dict(vocab_size=31, dim=8, n_layers=1, n_heads=2, hidden_dim=12, max_position_embeddings=9)
OURS = dict(vocab_size=31, width=8, depth=1, heads=2, hidden=12, max_length=9)
PIXELS = dict(image_size=6, patch_size=3, width=8, depth=1, heads=2, hidden=12, classes=2)
BARE = {
    "BertModel": (lambda: hf.BertModel(hf.BertConfig(**BERT)), ["token_head", "pair_head.scores"]),
    "BertModel, no pooler": (lambda: hf.BertModel(hf.BertConfig(**BERT), add_pooling_layer=False), ["token_head"]),
    "NextSentence": (lambda: hf.BertForNextSentencePrediction(hf.BertConfig(**BERT)), ["token_head"]),
    "RobertaModel": (
        lambda: hf.RobertaModel(hf.RobertaConfig(**ROBERTA)),
        ["token_head"],
    ),
    "DistilBertModel": (
        lambda: hf.DistilBertModel(hf.DistilBertConfig(**DISTILBERT)),
        ["token_head"],
    ),
    "AlbertModel": (
        lambda: hf.AlbertModel(hf.AlbertConfig(**BERT, embedding_size=4)),
        ["token_head", "pair_head.scores"],
    ),
    "GPT2Model": (lambda: hf.GPT2Model(hf.GPT2Config(vocab_size=31, n_embd=8, n_layer=1, n_head=2, n_positions=9)), []),
    "T5Model": (lambda: hf.T5Model(hf.T5Config(**T5)), []),
    "T5Model 1.1": (lambda: hf.T5Model(hf.T5Config(**T5, **UNTIED)), []),  # as theirs, tied
    "T5EncoderModel": (lambda: hf.T5EncoderModel(hf.T5Config(**T5)), ["decoder"]),
    "T5EncoderModel 1.1": (
        lambda: hf.T5EncoderModel(hf.T5Config(**T5, **UNTIED)),
        ["decoder", "head"],
    ),
    "LlamaModel": (lambda: hf.LlamaModel(hf.LlamaConfig(**BERT)), ["head"]),
    "LlamaModel, tied": (lambda: hf.LlamaModel(hf.LlamaConfig(**BERT, tie_word_embeddings=True)), []),
    "BloomModel": (lambda: hf.BloomModel(hf.BloomConfig(vocab_size=31, hidden_size=8, n_layer=1, n_head=2)), []),
    "BartModel": (
        lambda: hf.BartModel(hf.BartConfig(vocab_size=31, d_model=8, **BART)),
        [],
    ),
    "ViTModel": (lambda: hf.ViTModel(hf.ViTConfig(**IMAGE)), ["head"]),
    "ViTModel, no pooler": (lambda: hf.ViTModel(hf.ViTConfig(**IMAGE), add_pooling_layer=False), ["head"]),
    "DeiTModel": (lambda: hf.DeiTModel(hf.DeiTConfig(**IMAGE)), ["head", "teacher_head"]),
}
MODELS = {  # what a run starts from each of them
    "BertModel": lambda: Bert(**OURS),
    "RobertaModel": lambda: Roberta(**OURS),
    "DistilBertModel": lambda: DistilBert(**OURS),
    "AlbertModel": lambda: Albert(**OURS, embedding_width=4),
    "T5EncoderModel": lambda: T5Model(**OURS, head_width=4),
    "T5EncoderModel 1.1": lambda: T5Model(**OURS, head_width=4, tied_head=False),
    "ViTModel": lambda: ViT(**PIXELS),
    "DeiTModel": lambda: DeiT(**PIXELS),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """name -> the folder of that model, whose tensors are random."""
    made = {}

    def folder(name: str):
        if name not in made:
            model = BARE[name][0]()
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter)
            made[name] = tmp_path_factory.mktemp("bare")
            model.save_pretrained(made[name])
        return made[name]

    return folder


@pytest.mark.parametrize("name", BARE)
def test_what_the_files_lack_is_named(name, folders):
    checkpoint = huggingface.read(folders(name))
    assert checkpoint.anew == BARE[name][1]
    written = huggingface.to_huggingface(checkpoint.model)
    held = load_file(folders(name) / "model.safetensors")
    for key, tensor in held.items():
        matches = [other for other in written if other.endswith(key)]
        assert not matches or any(torch.equal(written[other], tensor) for other in matches), key
    assert all(torch.isfinite(tensor).all() for tensor in written.values())


@torch.no_grad()
def test_the_encoder_computes_the_same(folders):
    tokens = torch.randint(31, (2, 7))
    for name in ("BertModel", "T5EncoderModel"):
        theirs = getattr(hf, name).from_pretrained(folders(name)).eval()
        expected, found = theirs(tokens).last_hidden_state, huggingface.load(folders(name)).eval().states(tokens)
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("name", MODELS)
def test_training_starts_from_it_and_keeps_the_new_parts(name, folders, caplog):
    model = MODELS[name]()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with caplog.at_level(logging.INFO):
        record = start_from(str(folders(name)), model, None)
    anew = BARE[name][1]
    assert {part for part in anew if any(new == part or new.startswith(f"{part}.") for new in record["new"])} == {*anew}
    assert "new, with initial values: " in caplog.text and all(part in caplog.text for part in anew)
    tied = {id(parameter) for key, parameter in model.named_parameters() if not any(key.startswith(p) for p in anew)}
    for key, parameter in model.state_dict(keep_vars=True).items():
        is_new = any(key.startswith(f"{part}.") for part in anew) and id(parameter) not in tied
        assert torch.equal(parameter, before[key]) or not is_new, key
    origin, _, _ = huggingface.read(folders(name))
    copied = [key for key in before if not any(key.startswith(f"{part}.") for part in anew)]
    assert copied and all(torch.equal(model.state_dict()[key], origin.state_dict()[key]) for key in copied)


def test_the_same_source_has_the_same_digest(folders):
    first, second = (start_from(str(folders("BertModel")), Bert(**OURS), None) for _ in range(2))
    assert first == second


def test_a_head_for_a_task_takes_the_pooler(folders):
    model = SequenceClassifier(Bert(**OURS), classes=3)
    record = start_from(str(folders("BertModel")), model, None)
    assert record["new"] == ["head.scores.weight", "head.scores.bias"]


def test_half_a_head_is_refused(folders, tmp_path):
    shutil.copytree(folders("NextSentence"), tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["cls.seq_relationship.bias"]
    tensors["cls.predictions.bias"] = torch.zeros(31)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"missing: cls\.predictions\.transform\.dense\.weight \(our token_head"):
        huggingface.load(tmp_path)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    WordPiece(31).train(["some words"] * 5).save(folder)
    return folder


@pytest.mark.parametrize("name", ["BertModel", "DistilBertModel", "DeiTModel"])
def test_an_import_is_a_run_that_exports_whole(name, folders, words, tmp_path):
    source = shutil.copytree(folders(name), tmp_path / "source")
    if name != "DeiTModel":
        shutil.copytree(words, source, dirs_exist_ok=True)
    result = CliRunner().invoke(app, ["import", str(source), str(tmp_path / "run")])
    assert result.exit_code == 0, result.stderr
    assert f"{source} has no {', '.join(BARE[name][1])}: the run has initial values there\n" in result.stdout
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["anew"] == BARE[name][1]
    result = CliRunner().invoke(app, ["export", str(tmp_path / "run"), str(tmp_path / "model")])
    assert result.exit_code == 0, result.stderr
    settings = json.loads((tmp_path / "model" / "config.json").read_text())
    _, report = getattr(hf, settings["architectures"][0]).from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not any(report.values()), report
    again = import_model(str(source), tmp_path / "again")
    (ours, _), (other, _) = variformer.load(tmp_path / "run"), variformer.load(again.path)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), other.parameters(), strict=True))


def test_an_imported_run_starts_another_as_its_source_does(folders, words, tmp_path):
    source = shutil.copytree(folders("BertModel"), tmp_path / "source")
    shutil.copytree(words, source, dirs_exist_ok=True)
    run = import_model(str(source), tmp_path / "run")
    records = [start_from(str(place), Bert(**OURS), None) for place in (source, run.path)]
    assert records[0]["new"] == records[1]["new"] and records[0]["sha256"] == records[1]["sha256"]


def test_an_encoder_without_its_decoder_is_no_run(folders, tmp_path):
    result = CliRunner().invoke(app, ["import", str(folders("T5EncoderModel 1.1")), str(tmp_path / "run")])
    assert result.exit_code == 2 and not list(tmp_path.iterdir())
    assert "has no decoder, so it cannot be a run: train with init_from=" in result.stderr
    assert result.stderr.count("\n") == 1


def test_loading_says_what_is_untrained(folders, caplog):
    variformer.load(folders("RobertaModel"))
    assert [each.getMessage() for each in caplog.records] == [
        f"{folders('RobertaModel')} has no token_head: the model has initial values there"
    ]


def test_a_teacher_needs_its_head(folders, composed, monkeypatch):
    monkeypatch.setattr("variformer.runs.teacher.differences", lambda *_: [])
    task = type("Task", (), {"objective": Distillation.__new__(Distillation)})
    with pytest.raises(ValueError, match=r"cannot teach this student: it has no trained token_head"):
        bring_teacher(folders("DistilBertModel"), {}, task)
