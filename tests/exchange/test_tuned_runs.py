"""A pre-trained model becomes one for a task: tuned on a csv file, evaluated, loaded and exported."""

import csv
import json
import logging
import random
from pathlib import Path

import pytest
import torch
import transformers as hf
import yaml

import variformer
from variformer.config import ConfigError
from variformer.exchange.exporting import export
from variformer.exchange.loading import labels_of, load_run, run_weights
from variformer.layers import LowRankLinear
from variformer.runs.evaluate import evaluate_run
from variformer.runs.train import train

PUBLISHED = ["~model/positions", "~model/block"]  # the paper's parts, which a class of transformers has
SMALL = ["model/size=nano", "model.vocab_size=600", "length=32", "model.hidden=64"]
SOURCES = {
    "bert": ["experiment=bert", *PUBLISHED],
    "roberta": ["experiment=roberta", *PUBLISHED],
    "albert": ["experiment=albert", *PUBLISHED, "model.groups=1"],
    "distilbert": ["experiment=bert", "model=distilbert", "objective=masked_tokens", *PUBLISHED],
    "electra": ["experiment=electra", *PUBLISHED],
    "modern_bert": ["experiment=modern_bert"],
    "gpt": ["experiment=gpt", *PUBLISHED, "tokenizer.vocab_size=600", "model.vocab_size=608"],
    "t5": ["experiment=t5"],
    "bart": ["experiment=bart", *PUBLISHED],
}
QUICKEST = ("bert", "gpt", "t5")  # an encoder, a decoder and both
WITH_SLOW_ONES = [each if each in QUICKEST else pytest.param(each, marks=pytest.mark.slow) for each in SOURCES]
HEADS = {"gpt": "last_token", "t5": "end_token", "bart": "end_token", "modern_bert": "first_token_unpooled"}
QUICK = [
    "trainer.progress=false",
    "trainer.accelerator=cpu",
    "callbacks=default",
    "optimizer.lr=0.002",
    "global_batch=8",
]
WORDS = {"refund": ["money", "back", "please", "return", "pay"], "delivery": ["late", "parcel", "box", "never", "came"]}


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    """120 short texts of unequal lengths; the label that sorts last comes first."""
    draw, file = random.Random(0), tmp_path_factory.mktemp("rows") / "mails.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["mail", "about"])
        for number in range(120):
            label = "refund" if number % 3 != 1 else "delivery"
            writer.writerow([f"{number} {' '.join(draw.choices(WORDS[label], k=draw.randint(2, 7)))}", label])
    return file


@pytest.fixture(scope="module")
def pretrained(untrained):
    """The run directory of a model of each family, with random weights, made when it is first needed."""
    made: dict[str, Path] = {}

    def run(family: str) -> Path:
        if family not in made:
            made[family] = untrained(*SOURCES[family], *SMALL)
        return made[family]

    return run


@pytest.fixture(scope="module")
def tuning(composed, pretrained, rows, tmp_path_factory):
    """(family, overrides) -> the config of a run that tunes it."""

    def config(family: str, *overrides: str) -> dict:
        source = [f"init_from={pretrained(family)}", f"head={HEADS.get(family, 'first_token')}"]
        data = [f"data.source.train={rows}", "data.source.columns.text=mail", "data.source.columns.label=about"]
        cache = f"data.cache={tmp_path_factory.getbasetemp() / 'cache'}"
        return composed("experiment=tune/classification", *source, *data, cache, *QUICK, *overrides)

    return config


@pytest.fixture(scope="module")
def tuned(tuning) -> Path:
    config = tuning("bert", "trainer.validate_every=0.25")
    train(config)
    return Path(config["run_dir"])


def kept(run: Path) -> dict:
    return yaml.safe_load((run / "config.yaml").read_text())


def test_the_run_keeps_the_classes_and_a_whole_head(tuned):
    config, record = kept(tuned), json.loads((tuned / "run.json").read_text())["config"]
    assert config["data"]["labels"] == record["data"]["labels"] == ["delivery", "refund"]
    assert config["head"]["classes"] == record["head"]["classes"] == 2
    assert "source" not in config["model"] and labels_of(tuned) == ["delivery", "refund"]


def test_the_task_is_learned_and_best_follows_its_metric(tuned):
    run = variformer.Run(tuned)
    curve = run.curves["val/accuracy"]
    assert run.metrics["val/accuracy"] >= 0.9 and len(curve) >= 4
    assert max(curve.values()) == evaluate_run(str(tuned), checkpoint="best")["accuracy"]


def test_an_evaluation_gives_the_metrics_of_training(tuned):
    found = evaluate_run(str(tuned), eval_batch=5)
    expected = {name.removeprefix("val/"): value for name, value in variformer.Run(tuned).metrics.items()}
    assert found == pytest.approx(expected, abs=1e-6) and found["accuracy"] == expected["accuracy"]


@torch.no_grad()
def test_transformers_answers_with_the_same_names(tuned, tmp_path):
    folder = export(tuned, tmp_path / "out")
    assert json.loads((folder / "config.json").read_text())["id2label"] == {"0": "delivery", "1": "refund"}
    model, tokenizer = variformer.load(tuned)
    texts = ["late parcel never came", "please return my money", "box"]
    answers = hf.pipeline("text-classification", model=str(folder), top_k=None)(texts)
    for text, answer in zip(texts, answers, strict=True):
        tokens = torch.tensor([[tokenizer.start, *tokenizer.encode(text), tokenizer.end]])
        ours = model(tokens).softmax(-1)[0].tolist()
        theirs = {each["label"]: each["score"] for each in answer}
        assert theirs == pytest.approx(dict(zip(labels_of(tuned), ours, strict=True)), abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "order", "line"),
    [
        (["delivery", "refund"], [0, 1], ""),
        (["refund", "delivery"], [1, 0], "its classes are put into the order of this run, refund, delivery"),
        (["delivery", "refund", "thanks"], None, "head: new (init_from tells delivery, refund apart; this run deliv"),
    ],
)
def test_a_head_is_copied_for_the_same_classes_alone(tuning, tuned, caplog, labels, order, line):
    from variformer.run_directory.directory import RunDirectory
    from variformer.runs.run import build, prepare

    config = tuning("bert", f"init_from={tuned}", f"data.labels=[{','.join(labels)}]")
    with caplog.at_level(logging.INFO):
        run = build(prepare(config, RunDirectory(config["run_dir"])))
    head, before = run.module.model.head.scores, run_weights(tuned)["head.scores.weight"]
    assert line in caplog.text
    if order is None:
        assert head.out_features == 3 and run.facts["init_from"]["new"] == ["head.scores.weight", "head.scores.bias"]
    else:
        assert torch.equal(head.weight, before[order]) and run.facts["init_from"]["new"] == []


def test_classes_that_the_data_lack_stay_known(tuning, tuned, rows, tmp_path, caplog):
    """The source tells three classes apart, in an order of its own; the rows have two of them."""
    config = tuning("bert", "data.labels=[refund,thanks,delivery]", "max_epochs=null", "max_steps=1")
    train(config)
    head = run_weights(config["run_dir"])["head.scores.weight"]
    with caplog.at_level(logging.INFO):
        again = tuning("bert", f"init_from={config['run_dir']}", "max_epochs=null", "max_steps=1", "optimizer.lr=0.0")
        train(again)
    assert "data.labels: those of init_from, refund, thanks, delivery" in caplog.text
    assert kept(Path(again["run_dir"]))["data"]["labels"] == ["refund", "thanks", "delivery"]
    assert torch.equal(run_weights(again["run_dir"])["head.scores.weight"], head)


@pytest.mark.parametrize("family", WITH_SLOW_ONES)
def test_every_family_is_tuned_by_adapters_and_exported_whole(tuning, pretrained, family, tmp_path):
    config = tuning(family, "tuning=low_rank", "tuning.adapters.rank=2", "max_epochs=null", "max_steps=3")
    train(config)
    run, source = Path(config["run_dir"]), run_weights(pretrained(family))
    model = load_run(run, merged=False)
    adapted = {name for name, each in model.named_modules() if isinstance(each, LowRankLinear)}
    assert adapted and all(model.get_submodule(name).up.any() for name in adapted)
    frozen = {name: each for name, each in run_weights(run).items() if name.startswith("body.")}
    own = {name: each for name, each in frozen.items() if not name.endswith((".down", ".up"))}
    assert all(torch.equal(each, source[name.removeprefix("body.")]) for name, each in own.items())
    tokens = torch.randint(5, 500, (3, 9))
    tokens[:, -1] = getattr(model, "end", 7)
    merged = load_run(run)
    with torch.no_grad():
        torch.testing.assert_close(merged(tokens), model(tokens), rtol=0, atol=1e-6)
        folder = export(run, tmp_path / "out")
        reader = hf.AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()
        for row in tokens.split(1):  # GPT has no token for padding, without which transformers takes no batch
            torch.testing.assert_close(reader(input_ids=row).logits, merged(row), rtol=0, atol=1e-5)
    assert reader.config.id2label == {0: "delivery", 1: "refund"}


def test_a_run_with_adapters_is_evaluated_as_it_was_trained(tuning):
    config = tuning("bert", "tuning=low_rank", "max_epochs=1")
    train(config)
    expected = variformer.Run(config["run_dir"]).metrics
    found = evaluate_run(config["run_dir"])
    assert found["loss"] == pytest.approx(expected["val/loss"], abs=1e-7)
    assert found["accuracy"] == expected["val/accuracy"]


def test_a_run_with_adapters_goes_on_where_it_was_stopped(tuning):
    choices = ("tuning=low_rank", "max_epochs=null", "max_steps=6", "trainer.save_every=3")
    whole, part = tuning("bert", *choices), tuning("bert", *choices)
    train(whole)
    train(part)
    checkpoints = Path(part["run_dir"]) / "checkpoints"
    for file in [*checkpoints.glob("step-00000006*"), *checkpoints.glob("last*")]:
        file.unlink()
    status = Path(part["run_dir"]) / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"status": "preempted"}))
    train(kept(Path(part["run_dir"])) | {"resume": True, "run_dir": part["run_dir"]})
    one, other = run_weights(whole["run_dir"]), run_weights(part["run_dir"])
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["head=last_token", "tuning.frozen=[head.*]"], r"tuning.frozen: head.weight is new, so it must be trained"),
        (["tuning.frozen=[body.*.block.0.*]"], r'tuning.frozen\[0\]: "body.\*.block.0.\*" names no parameter; nearest'),
        (["tuning=low_rank", "tuning.adapters.where=[*.wqery]"], r'tuning.adapters.where\[0\]: "\*.wqery" names no'),
        (["head=end_token"], r"head: EndTokenClassifier rereads the text in a decoder .* set head=first_token"),
        (["+head.classes=5"], r"head.classes: 5 was given, but the objective tells 2 classes apart"),
    ],
)
def test_what_cannot_be_tuned_so_is_refused(tuning, overrides, message):
    with pytest.raises(ConfigError, match=message):
        train(tuning("bert", *overrides))


def test_a_body_that_cannot_be_read_is_refused_before_the_data(tuning):
    config = tuning("gpt", "head=first_token", "data.source.train=no_such_file.csv")
    with pytest.raises(ConfigError, match=r"head: SequenceClassifier reads the first token, and this GPT's first"):
        train(config)


def test_muon_with_adapters_is_refused(tuning):
    with pytest.raises(ConfigError, match=r"optimizer: the matrices of adapters are none that Muon updates"):
        tuning("bert", "tuning=low_rank", "optimizer=muon")


def test_the_objective_says_that_it_needs_a_head(tuning):
    with pytest.raises(ConfigError, match=r"model: Bert is .* SequenceClassification \(objective\) trains a sequence"):
        tuning("bert", "head=none")


def test_a_folder_of_transformers_is_tuned_like_a_run(composed, pretrained, rows, tmp_path, monkeypatch):
    """Its model is found once, and then remembered."""
    from variformer.exchange import sources
    from variformer.runs.origins import source_config

    monkeypatch.setenv("VARIFORMER_CACHE", str(tmp_path / "cache"))
    folder = export(pretrained("bert"), tmp_path / "folder")
    ours = kept(pretrained("bert"))["model"]
    found = source_config(str(folder))
    assert found["model"]["_target_"] == ours["_target_"] and "head" not in found
    assert all(found["model"][name] == ours[name] for name in ("width", "depth", "heads", "hidden", "max_length"))
    monkeypatch.setattr(sources, "model_node", None)
    assert source_config(str(folder)) == found
    words = ["experiment=tune/classification", f"init_from={folder}", f"data.source.train={rows}", *QUICK]
    columns = ["data.source.columns.text=mail", "data.source.columns.label=about", "model.dropout=0.3"]
    config = variformer.compose(*words, *columns, "max_epochs=null", "max_steps=1", f"run_dir={tmp_path / 'run'}")
    assert config["length"] == 32 and config["model"] == found["model"] | {"dropout": 0.3}
    record = json.loads((variformer.train(config).path / "run.json").read_text())["init_from"]
    assert record["new"] == ["head.scores.weight", "head.scores.bias"]


@torch.no_grad()
def test_values_are_loaded_and_exported_in_their_unit(tuning, tmp_path):
    file = tmp_path / "values.csv"
    lines = [f'"{number} {"box " * (number % 5 + 1)}",{100 + 10 * (number % 5)}' for number in range(60)]
    file.write_text("\n".join(["mail,about", *lines, ""]))
    config = tuning("bert", "objective=sequence_regression", f"data.source.train={file}", "max_epochs=1")
    train(config)
    run = Path(config["run_dir"])
    mean, deviation = kept(run)["data"]["scale"]
    assert 100 < mean < 140 and kept(run)["head"]["classes"] == 1
    model, tokenizer = variformer.load(run)
    tokens = torch.tensor([[tokenizer.start, *tokenizer.encode("7 box box"), tokenizer.end]])
    torch.testing.assert_close(model(tokens), load_run(run, merged=False)(tokens) * deviation + mean)
    answer = hf.pipeline("text-classification", model=str(export(run, tmp_path / "out")))("7 box box")
    assert answer[0]["score"] == pytest.approx(model(tokens).item(), rel=1e-5)
    found, name = evaluate_run(str(run)), "mean_absolute_error"
    assert found[name] == pytest.approx(variformer.Run(run).metrics[f"val/{name}"], rel=1e-5)
