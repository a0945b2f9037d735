"""What `variformer import` makes is a run: it is evaluated, tuned and exported again."""

import errno
import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
import yaml
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import CliRunner

import variformer
from variformer.cli.main import app
from variformer.config import ConfigError, compose
from variformer.data import ByteLevelBPE, PythonDocs, RobertaBPE, Tokenizer, Unigram, WordPiece
from variformer.exchange.exporting import export
from variformer.exchange.importing import import_model
from variformer.runs.evaluate import evaluate_run
from variformer.runs.train import train

VOCABULARY = 600
BERT = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, vocab_size=VOCABULARY)
T5 = dict(d_model=8, d_kv=3, d_ff=12, num_layers=2, num_heads=2, vocab_size=VOCABULARY + 8)
VIT = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, image_size=8, patch_size=4)


def documents():
    return (document.text for _, document in zip(range(40), PythonDocs().read()["train"], strict=False))


@cache
def trained(recipe: type) -> Tokenizer:
    return recipe(VOCABULARY).train(documents())


def bert(folder):
    hf.BertForPreTraining(hf.BertConfig(**BERT, max_position_embeddings=33)).save_pretrained(folder)
    trained(WordPiece).save(folder)


def gpt2(folder):
    config = hf.GPT2Config(n_embd=8, n_layer=2, n_head=2, n_positions=33, vocab_size=VOCABULARY)
    hf.GPT2LMHeadModel(config).save_pretrained(folder, max_shard_size="5KB")
    trained(ByteLevelBPE).save(folder)


def t5(folder):
    model = hf.T5ForConditionalGeneration(hf.T5Config(**T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False))
    model.lm_head.weight = nn.Parameter(torch.randn(VOCABULARY + 8, 8))
    model.save_pretrained(folder)
    trained(Unigram).save(folder)


def vit(folder):
    labels = {number: f"digit {number}" for number in range(10)}
    config = hf.ViTConfig(**VIT, id2label=labels, label2id={name: number for number, name in labels.items()})
    hf.ViTForImageClassification(config).save_pretrained(folder)
    hf.ViTImageProcessor(size={"height": 8, "width": 8}, image_mean=[0.3] * 3, image_std=[0.4] * 3).save_pretrained(
        folder
    )


def modernbert(folder):
    tokens = dict(pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3)
    config = hf.ModernBertConfig(**BERT, **tokens, max_position_embeddings=33, local_attention=4)
    hf.ModernBertForMaskedLM(config).save_pretrained(folder)
    trained(WordPiece).save(folder)


def causal(family: str, **sizes):
    """A writer of a tiny model of one of their families that are a GPT of other parts."""

    def write(folder):
        config = getattr(hf, f"{family}Config")(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=0, **sizes)
        getattr(hf, f"{family}ForCausalLM")(config).save_pretrained(folder)
        trained(ByteLevelBPE).save(folder)

    return write


LLAMA = {name: size for name, size in BERT.items() if name != "vocab_size"} | dict(max_position_embeddings=33)
PUBLISHED = {
    "modernbert": modernbert,
    "bert": bert,
    "gpt2": gpt2,
    "t5": t5,
    "vit": vit,
    "gpt_neox": causal("GPTNeoX", **LLAMA | dict(num_attention_heads=1)),
    "llama": causal("Llama", **LLAMA),
    "mistral": causal("Mistral", **LLAMA, num_key_value_heads=1, sliding_window=None),
    "qwen3": causal("Qwen3", **LLAMA, num_key_value_heads=1, head_dim=6),
    "bloom": causal("Bloom", hidden_size=8, n_layer=2, n_head=2, seq_length=33),
    "mpt": causal("Mpt", d_model=8, n_layers=2, n_heads=2, max_seq_len=33),
}
DECODERS = ("gpt_neox", "llama", "mistral", "qwen3", "bloom", "mpt")


def tensors(folder: Path) -> dict:
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=pytest.mark.slow if each in DECODERS[2:] else ()) for each in PUBLISHED],
)
def imported(request, tmp_path_factory):
    """(name, the folder it came from, its run directory)"""
    folder = tmp_path_factory.mktemp(request.param)
    PUBLISHED[request.param](folder / "source")
    result = CliRunner().invoke(app, ["import", str(folder / "source"), str(folder / "run")])
    assert result.exit_code == 0, result.stderr
    assert "parameters" in result.stdout
    return request.param, folder / "source", folder / "run"


def test_import_then_export_gives_the_same_tensors_bit_for_bit(imported, tmp_path):
    _, source, run = imported
    export(run, tmp_path)
    before, after = tensors(source), tensors(tmp_path)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in before)


def test_settings_come_back_as_they_were(imported, tmp_path):
    name, source, run = imported
    export(run, tmp_path)
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (source, tmp_path))
    changed = {key for key, value in before.items() if after.get(key) != value}
    assert changed <= {
        "n_inner",
        "tie_word_embeddings",
    }  # said where theirs leaves it out, or does not say it is untied
    assert after["model_type"] == before["model_type"]
    assert before["architectures"] == after["architectures"]
    for file in ("tokenizer.json", "tokenizer_config.json"):
        if (source / file).exists():
            assert (tmp_path / file).read_bytes() == (source / file).read_bytes()
    if name == "vit":
        kept = json.loads((source / "preprocessor_config.json").read_text())
        assert json.loads((tmp_path / "preprocessor_config.json").read_text()) == kept
        assert after["id2label"]["3"] == "digit 3"


def test_the_run_is_complete_and_loads_as_its_source(imported):
    name, source, run = imported
    record = json.loads((run / "run.json").read_text())
    assert record["schema"] == 1 and record["imported_from"] == str(source)
    assert json.loads((run / "status.json").read_text())["status"] == "done"
    assert (run / "checkpoints" / "last.ckpt").resolve().name == "step-00000000.ckpt"
    (ours, reader), (expected, _) = variformer.load(run), variformer.load(source)
    state, other = ours.state_dict(), expected.state_dict()
    assert state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in state)
    assert str(ours) == str(expected)
    image = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    assert reader(image).shape == (3, 8, 8) if name == "vit" else reader.size == VOCABULARY


def test_the_run_is_evaluated_as_it_is(imported):
    name, _, run = imported
    if name == "t5":  # as long as the papers' 512, for one batch of validation
        config = yaml.safe_load((run / "config.yaml").read_text())
        (run / "config.yaml").write_text(yaml.safe_dump(config | {"length": 64}))
    metrics = evaluate_run(str(run))
    assert np.isfinite(metrics["loss"])


OVERRIDES = {
    "bert": ["experiment=bert", "model/positions=learned", "model/block=post_norm", "length=33"],
    "gpt2": ["experiment=gpt", "model/positions=learned", "length=33"],
    "modernbert": ["experiment=modern_bert", "model.attention.window=2", "length=33"],
    "t5": ["experiment=t5", "model=t5_v1_1", "model.head_width=3", "model.attention_scale=1.0", "length=64"],
    "vit": [
        "experiment=vit",
        "data=digits",
        "data.channels=3",
        "data.mean=[0.3]",
        "data.std=[0.4]",
        "model.patch_size=4",
    ],
}
SIZES = [
    "model.width=8",
    "model.depth=2",
    "model.heads=2",
    "debug=fast",
    "compile=none",
    "max_steps=2",
    "trainer.validate_every=null",
    "samples=none",
]
WATCHED_BY_FEW = ["callbacks=default", "callbacks.throughput=null"]


def test_a_decoder_is_evaluated_on_the_next_token(imported, tmp_path):
    name, source, run = imported
    if name not in DECODERS:
        return
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["objective"]["_target_"] == "variformer.objectives.next_token.NextToken" and config["length"] == 33
    card = (export(run, tmp_path) / "README.md").read_text()
    assert "pipeline_tag: text-generation" in card and "AutoModelForCausalLM.from_pretrained" in card
    ours, theirs = variformer.load(run)[0], hf.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert type(theirs).__name__ == json.loads((source / "config.json").read_text())["architectures"][0]
    tokens = torch.randint(5, VOCABULARY, (2, 33))
    torch.testing.assert_close(ours(tokens), theirs(tokens).logits, rtol=0, atol=1e-5)


def test_a_model_of_long_texts_is_evaluated_on_shorter_ones(tmp_path):
    causal("Llama", **LLAMA | dict(max_position_embeddings=131072))(tmp_path / "source")
    config = yaml.safe_load(import_model(str(tmp_path / "source"), tmp_path / "run").config.read_text())
    assert config["length"] == 2048 and config["model"]["max_length"] == 131072


@pytest.mark.parametrize("origin", ["source", "run"])
def test_training_starts_from_it(imported, composed, origin):
    name, source, run = imported
    if name in DECODERS:
        return  # a GPT like GPT-2's
    place = source if origin == "source" else run
    hidden = "32" if name == "gpt2" else "12"
    text = [] if name == "vit" else ["tokenizer=pretrained", f"tokenizer.path={place}"]
    vocabulary = [] if name == "vit" else [f"model.vocab_size={VOCABULARY + 8 if name == 't5' else VOCABULARY}"]
    # The rate is zero, so that what training ends with is what it started from.
    still = ["optimizer=adamw", "optimizer.lr=0.0", *WATCHED_BY_FEW]
    config = composed(
        *OVERRIDES[name], *SIZES, *still, *text, *vocabulary, f"model.hidden={hidden}", f"init_from={place}"
    )
    train(config)
    state, other = (variformer.load(each)[0].state_dict() for each in (config["run_dir"], run))
    assert state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in state)
    record = json.loads((Path(config["run_dir"]) / "run.json").read_text())
    assert record["init_from"]["source"] == str(place) and record["init_from"]["new"] == []


def test_another_tokenizer_is_refused(composed, tmp_path):
    bert(tmp_path)
    config = composed(
        *OVERRIDES["bert"], *SIZES, "model.hidden=12", f"model.vocab_size={VOCABULARY}", f"init_from={tmp_path}"
    )
    with pytest.raises(ValueError, match=r"is not that of init_from.*tokenizer=pretrained tokenizer\.path="):
        train(config)


def test_a_missing_source_is_noticed_before_the_data(composed):
    config = composed(
        "experiment=gpt", "debug=fast", "init_from=runs/no/where", "data=text_files", "data.source.train=no"
    )
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*runs/no/where"):
        train(config)


def test_a_resumed_run_does_not_start_again(composed, tmp_path):
    vit(tmp_path / "source")
    overrides = [*OVERRIDES["vit"], *SIZES, "model.hidden=12", *WATCHED_BY_FEW]
    config = composed(*overrides, f"init_from={tmp_path / 'source'}")
    train(config)
    (tmp_path / "source").rename(tmp_path / "gone")
    train(config | {"resume": True, "max_steps": 4})
    record = json.loads((Path(config["run_dir"]) / "run.json").read_text())
    assert record["init_from"]["source"] == str(tmp_path / "source") and len(record["sessions"]) == 2


def test_a_full_directory_is_refused(tmp_path):
    vit(tmp_path / "source")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("mine")
    result = CliRunner().invoke(app, ["import", str(tmp_path / "source"), str(tmp_path / "run")])
    assert result.exit_code == 2 and "not empty" in result.stderr
    assert (tmp_path / "run" / "config.yaml").read_text() == "mine"


def test_an_import_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    def save_weights(model, run):
        run.checkpoints.mkdir()
        (run.checkpoints / "half").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    gpt2(tmp_path / "source")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr("variformer.exchange.importing.save_weights", save_weights)
        import_model(str(tmp_path / "source"), tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    (tmp_path / "run").mkdir()  # an empty one is welcome
    run = import_model(str(tmp_path / "source"), tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == {"source", "run"}
    config = yaml.safe_load(run.config.read_text())
    assert config["tokenizer"]["path"] == str(run.tokenizer) and config["run_dir"] == str(run.path)


def test_a_model_of_texts_needs_a_tokenizer(tmp_path):
    gpt2(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    result = CliRunner().invoke(app, ["import", str(tmp_path), str(tmp_path / "run")])
    assert result.exit_code == 2 and "tokenizer.json" in result.stderr
    assert not (tmp_path / "run").exists()


def test_half_precision_comes_back_as_it_was(tmp_path):
    config = hf.GPT2Config(n_embd=8, n_layer=2, n_head=2, n_positions=33, vocab_size=VOCABULARY)
    hf.GPT2LMHeadModel(config).to(torch.bfloat16).save_pretrained(tmp_path / "source")
    trained(RobertaBPE).save(tmp_path / "source")
    export(import_model(str(tmp_path / "source"), tmp_path / "run").path, tmp_path / "model")
    before, after = tensors(tmp_path / "source"), tensors(tmp_path / "model")
    assert {tensor.dtype for tensor in after.values()} == {torch.bfloat16}
    assert all(torch.equal(before[name], after[name]) for name in before)


PRECISIONS = {
    "none said": (None, lambda name: torch.float16),
    "another said": ("float16", lambda name: torch.float32),
    "mixed": ("bfloat16", lambda name: torch.float32 if "ln_" in name else torch.bfloat16),
}


@pytest.mark.parametrize("case", PRECISIONS)
def test_the_precision_of_each_tensor_is_that_of_the_file(case, tmp_path):
    """Whatever config.json says."""
    said, precision = PRECISIONS[case]
    gpt2(tmp_path / "source")
    before = {name: torch.randn_like(each).to(precision(name)) for name, each in tensors(tmp_path / "source").items()}
    for file in tmp_path.glob("source/*.safetensors*"):
        file.unlink()
    save_file(before, tmp_path / "source" / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "source" / "config.json").read_text())
    config.pop("dtype")
    (tmp_path / "source" / "config.json").write_text(json.dumps(config | ({"torch_dtype": said} if said else {})))
    export(import_model(str(tmp_path / "source"), tmp_path / "run").path, tmp_path / "model")
    after = tensors(tmp_path / "model")
    assert before.keys() == after.keys()
    assert all(before[name].dtype == after[name].dtype and torch.equal(before[name], after[name]) for name in before)
    assert json.loads((tmp_path / "model" / "config.json").read_text())["dtype"] == said
    loaded = [hf.AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("source", "model")]
    assert loaded[0].dtype == loaded[1].dtype


def test_data_of_ones_own(tmp_path, monkeypatch):
    vit(tmp_path / "source")
    for number in range(40):
        folder = tmp_path / "images" / f"class {number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((9, 9, 3), number, dtype=np.uint8)).save(folder / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    command = ["import", str(tmp_path / "source"), str(tmp_path / "run"), "--data", "images"]
    assert CliRunner().invoke(app, command).exit_code == 0
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["data"]["mean"] == [0.3] * 3 and config["data"]["source"]["train"] == str(tmp_path / "images")
    with pytest.warns(UserWarning, match="no training image has label 2"):
        assert "top1" in evaluate_run(str(tmp_path / "run"))


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A folder with a tokenizer."""
    folder = tmp_path_factory.mktemp("words")
    trained(WordPiece).save(folder)
    return folder


@pytest.mark.parametrize("family", ["Bert", "Albert"])
def test_a_pooler_without_its_scores(family, words, tmp_path):
    """As in albert-base-v2: a class for masked tokens alone, but the pooler is there."""
    source = tmp_path / "source"
    config = getattr(hf, f"{family}Config")(**BERT, max_position_embeddings=33)
    config.embedding_size = 8
    getattr(hf, f"{family}ForPreTraining")(config).save_pretrained(source)
    scores = ("cls.seq_relationship", "sop_classifier")
    before = {name: each for name, each in tensors(source).items() if not name.startswith(scores)}
    assert len(tensors(source)) == len(before) + 2 and any("pooler" in name for name in before)
    save_file(before, source / "model.safetensors", {"format": "pt"})
    said = json.loads((source / "config.json").read_text()) | {"architectures": [f"{family}ForMaskedLM"]}
    (source / "config.json").write_text(json.dumps(said))
    shutil.copytree(words, source, dirs_exist_ok=True)
    run = import_model(str(source), tmp_path / "run")
    objective = yaml.safe_load(run.config.read_text())["objective"]["_target_"]
    assert objective == "variformer.objectives.masked_tokens.MaskedTokens"
    metrics = evaluate_run(str(run.path))
    assert np.isfinite(metrics["loss"]) and not any("pair" in name or "order" in name for name in metrics)
    after = tensors(export(run.path, tmp_path / "model"))
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert json.loads((tmp_path / "model" / "config.json").read_text())["architectures"] == [f"{family}ForMaskedLM"]


TUNED = {
    "Bert": BERT,
    "Roberta": BERT | dict(type_vocab_size=1),
    "Albert": BERT | dict(embedding_size=8),
    "RoFormer": BERT | dict(max_position_embeddings=33),
    "ModernBert": BERT
    | dict(max_position_embeddings=33, local_attention=4, pad_token_id=0, bos_token_id=1)
    | dict(eos_token_id=2, cls_token_id=1, sep_token_id=2),
    "Electra": BERT | dict(embedding_size=5),
    "DistilBert": dict(dim=8, n_layers=2, n_heads=2, hidden_dim=12, vocab_size=VOCABULARY),
    "GPT2": dict(n_embd=8, n_layer=2, n_head=2, n_positions=33, vocab_size=VOCABULARY, eos_token_id=0, pad_token_id=0),
    "T5": T5 | dict(decoder_start_token_id=0),
    "Bart": dict(d_model=8, vocab_size=VOCABULARY)
    | {
        f"{half}_{name}": size
        for half in ("encoder", "decoder")
        for name, size in {"layers": 2, "attention_heads": 2, "ffn_dim": 12}.items()
    },
}
TASKS = ["SequenceClassification", "TokenClassification", "QuestionAnswering"]
HEADS = [(family, task) for family in TUNED for task in TASKS if hasattr(hf, f"{family}For{task}")]


def tuned(family: str, task: str, folder: Path, words: Path) -> Path:
    more = {} if task == "QuestionAnswering" else dict(id2label={0: "bad", 1: "fair", 2: "good"})
    config = getattr(hf, f"{family}Config")(**TUNED[family], **more)
    getattr(hf, f"{family}For{task}")(config).save_pretrained(folder)
    shutil.copytree(words, folder, dirs_exist_ok=True)
    return folder


@torch.no_grad()
@pytest.mark.parametrize(("family", "task"), HEADS)
def test_a_head_for_a_task_comes_in_and_goes_out(family, task, words, tmp_path):
    source = tuned(family, task, tmp_path / "source", words)
    result = CliRunner().invoke(app, ["import", str(source), str(tmp_path / "run")])
    assert result.exit_code == 0, result.stderr
    result = CliRunner().invoke(app, ["export", str(tmp_path / "run"), str(tmp_path / "model")])
    assert result.exit_code == 0, result.stderr
    before, after = tensors(source), tensors(tmp_path / "model")
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    reader = getattr(hf, f"AutoModelFor{task}")
    theirs = reader.from_pretrained(source).eval()
    again, report = reader.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not any(report.values()), report
    assert type(again) is type(theirs) and again.config.id2label == theirs.config.id2label
    text = torch.randint(5, VOCABULARY, (2, 7))
    text[:, -1] = theirs.config.eos_token_id or 4
    expected, said = theirs(input_ids=text), again.eval()(input_ids=text)
    ours, _ = variformer.load(tmp_path / "run")
    for name, mine in zip(
        ["start_logits", "end_logits"] if task == "QuestionAnswering" else ["logits"],
        ours(text) if task == "QuestionAnswering" else [ours(text)],
        strict=True,
    ):
        assert torch.equal(said[name], expected[name])
        torch.testing.assert_close(mine, expected[name], rtol=0, atol=1e-5)


def test_a_published_discriminator_is_tuned_but_not_evaluated(words, tmp_path):
    """It comes without the generator that it was trained with, and goes out as it came."""
    config = hf.ElectraConfig(**TUNED["Electra"], max_position_embeddings=33)
    hf.ElectraForPreTraining(config).save_pretrained(tmp_path / "source")
    shutil.copytree(words, tmp_path / "source", dirs_exist_ok=True)
    run = import_model(str(tmp_path / "source"), tmp_path / "run")
    before, after = tensors(tmp_path / "source"), tensors(export(run.path, tmp_path / "model"))
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(ValueError, match=r"this Electra has no generator to train"):
        evaluate_run(str(run.path))
    theirs = hf.ElectraForPreTraining.from_pretrained(tmp_path / "model").eval()
    text = torch.randint(5, VOCABULARY, (2, 7))
    torch.testing.assert_close(variformer.load(run.path)[0](text).replaced, theirs(text).logits, rtol=0, atol=1e-5)


def test_a_published_generator_is_evaluated_as_a_bert(words, tmp_path):
    hf.ElectraForMaskedLM(hf.ElectraConfig(**TUNED["Electra"], max_position_embeddings=33)).save_pretrained(
        tmp_path / "source"
    )
    shutil.copytree(words, tmp_path / "source", dirs_exist_ok=True)
    run = import_model(str(tmp_path / "source"), tmp_path / "run")
    assert OmegaConf.load(run.config).objective._target_ == "variformer.objectives.masked_tokens.MaskedTokens"
    assert np.isfinite(evaluate_run(str(run.path))["loss"])
    before, after = tensors(tmp_path / "source"), tensors(export(run.path, tmp_path / "model"))
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_a_head_that_nothing_evaluates_yet(words, composed, tmp_path):
    source = tuned("Bert", "SequenceClassification", tmp_path / "source", words)
    run = import_model(str(source), tmp_path / "run")
    saved = OmegaConf.load(run.config)
    assert saved.objective is None
    with pytest.raises(ValueError, match=r"this run has no objective yet: .*use variformer\.load"):
        evaluate_run(str(run.path))
    with pytest.raises(ConfigError, match=r"objective: a run that trains needs one"):
        compose(OmegaConf.merge(saved, {"run_dir": str(tmp_path / "new")}))
    shown = CliRunner().invoke(app, ["info", str(run.path)])
    assert shown.exit_code == 0 and "SequenceClassifier" in shown.stdout and "none yet" in shown.stdout
    tokenizer = ["tokenizer=pretrained", f"tokenizer.path={run.path}", f"model.vocab_size={VOCABULARY}"]
    still = ["optimizer=adamw", "optimizer.lr=0.0", *WATCHED_BY_FEW, "model.hidden=12"]
    config = composed(*OVERRIDES["bert"], *SIZES, *tokenizer, *still, f"init_from={run.path}")
    train(config)
    ours, body = variformer.load(config["run_dir"])[0].state_dict(), variformer.load(run.path)[0].body.state_dict()
    positions = "encoder.positions.table.weight"
    assert torch.equal(ours[positions], body[positions][:33])
    assert all(torch.equal(ours[name], body[name]) for name in body if name != positions)
    record = json.loads((Path(config["run_dir"]) / "run.json").read_text())["init_from"]
    assert record["shortened"] == [f"{positions} (512, 8) -> (33, 8)"] and not record["resized"]
    assert {name.split(".")[0] for name in record["new"]} == {"token_head", "pair_head"}
