import json

import language_baselines
import numpy as np
import pytest
import yaml
from kneser_ney import KneserNey

from variformer.data import ByteLevel, TextData, TextFiles
from variformer.objectives.next_token import NextToken

SEPARATOR = "\n---\n"


@pytest.fixture
def documents(tmp_path):
    """Thirty small documents of a language with a few words."""
    random = np.random.default_rng(0)
    words = ["attention", "is", "all", "you", "need", "näive", "token"]
    texts = [". ".join(" ".join(random.choice(words, 6)) for _ in range(5)) for _ in range(30)]
    for name, part in {"train": texts[:20], "val": texts[20:25], "test": texts[25:]}.items():
        (tmp_path / f"{name}.txt").write_text(SEPARATOR.join(part))
    return tmp_path


def source(documents):
    return {
        "train": str(documents / "train.txt"),
        "validation": str(documents / "val.txt"),
        "test": str(documents / "test.txt"),
        "document_separator": SEPARATOR,
    }


@pytest.fixture
def new_run(documents):
    """A function that makes the part of a run directory that the baselines read."""

    def make(tokenizer, objective, metrics):
        run = documents / "run"
        data = {
            "_target_": "variformer.data.TextData",
            "_partial_": True,
            "cache": str(documents / "cache"),
            "source": {"_target_": "variformer.data.TextFiles", **source(documents)},
        }
        config = {
            "tokenizer": {"_target_": f"variformer.data.{tokenizer}"},
            "data": data,
            "objective": {"_target_": f"variformer.objectives.{objective}", "_partial_": True},
            "model": {"vocab_size": 4096},
            "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
            "length": 32,
        }
        run.mkdir()
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        (run / "metrics.json").write_text(json.dumps(metrics))
        from variformer.config import instantiate

        recipe = instantiate(config["tokenizer"], "tokenizer")
        TextData(TextFiles(**source(documents)), recipe, cache=str(documents / "cache")).tokenizer.save(
            run / "tokenizer"
        )
        return run

    return make


def test_targets_and_bytes_are_those_of_the_gpt_objective(documents):
    data = TextData(TextFiles(**source(documents)), ByteLevel(), cache=str(documents / "cache"))
    stream = language_baselines.stream_of(data.split("val"))
    objective = NextToken(data.tokenizer, 16)
    view = objective.view(data.split("val"))
    batch = objective.collate([view.sample(i, 0) for i in range(len(view))], np.zeros(len(view), np.uint64), False)
    targets = batch["targets"].numpy().ravel()
    np.testing.assert_array_equal(targets[targets >= 0], stream[1:])
    assert data.tokenizer.byte_lengths[stream[1:]].sum() == batch["bytes"].item()


def test_bits_per_byte_of_a_uniform_model_are_those_of_its_ids():
    """256 equally likely ids, one byte each: 8 bits."""
    model = KneserNey(np.arange(256), 1, 256)
    assert language_baselines.bits_per_byte(model, np.arange(256), np.ones(256)) == pytest.approx(8, rel=1e-3)


def test_a_compressor_knows_what_it_has_read():
    random = np.random.default_rng(0)
    noise = random.integers(1, 256, 50_000, dtype=np.uint8).tobytes()
    strange = random.integers(1, 256, 20_000, dtype=np.uint8).tobytes()
    assert language_baselines.compressed_bits(noise, noise[:20_000]) < 0.5
    assert language_baselines.compressed_bits(noise, strange) == pytest.approx(8, rel=0.02)


def test_entropy_is_in_nats():
    assert language_baselines.entropy(np.array([1, 1, 7, 7])) == pytest.approx(np.log(2))


def test_a_run_is_compared_on_its_own_text(new_run, capsys):
    run = new_run("ByteLevel", "next_token.NextToken", {"step": 3, "val/bits_per_byte": 1.2345})
    language_baselines.main(["--run", str(run)])
    lines = {line.split("|")[1].strip(): line.split("|")[2:4] for line in capsys.readouterr().out.splitlines()[2:]}
    assert [cell.strip() for cell in lines["run run"]] == ["1.2345", "-"]
    unigram, bigram, trigram = (
        float(lines[name][0]) for name in ("unigram", "Kneser-Ney bigram", "Kneser-Ney trigram")
    )
    assert 8 > unigram > bigram > trigram > 0


def test_a_run_whose_data_have_changed_is_refused(new_run):
    run = new_run("ByteLevel", "next_token.NextToken", {})
    (run / "run.json").write_text(json.dumps({"data": {"fingerprint": "0123456789"}}))
    with pytest.raises(SystemExit, match=r"not those of this run \(fingerprint 0123456789 then"):
        language_baselines.main(["--run", str(run)])


@pytest.mark.parametrize("objective", ["masked_tokens.MaskedTokens", "text_infilling.TextInfilling"])
def test_masked_targets_are_those_of_the_run(objective, new_run, capsys):
    run = new_run("WordPiece", objective, {"step": 3, "val/masked_accuracy": 0.5})
    language_baselines.main(["--run", str(run), "--masked"])
    printed = capsys.readouterr().out
    assert "val/masked_accuracy 0.5000" in printed
    split, count, accuracy, cross, own = (
        cell.strip() for cell in next(row for row in printed.splitlines() if row.startswith("| val")).split("|")[1:-1]
    )
    assert split == "val"
    assert int(count) > 20
    assert 0 < float(accuracy) < 1
    assert float(cross) >= float(own) > 0


def test_a_tokenizer_that_loses_bytes_is_refused(new_run, capsys):
    run = new_run("WordPiece", "masked_tokens.MaskedTokens", {})
    with pytest.raises(SystemExit):
        language_baselines.main(["--run", str(run)])
    assert "use --masked" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        language_baselines.main(["--run", str(tmp_path / "nothing")])
    assert "nothing is not a run" in capsys.readouterr().err
