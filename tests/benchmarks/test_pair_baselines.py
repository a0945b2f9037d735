import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pair_baselines
import pytest
import torch
import yaml

from variformer.data import Corpus, OrderedPairs, Pairs, PythonDocs, TextData, TextFiles, WordPiece
from variformer.data.text.pairs import Chunks
from variformer.objectives.masked_tokens_and_pairs import MaskedTokensAndPairs

LENGTH = 125


def part_of(corpus: Corpus, number: int) -> Corpus:
    """Every second document."""
    kept = range(number, len(corpus.documents) - 1, 2)
    tokens, documents, sentences, total = [], [0], [], 0
    for start, end in ((int(corpus.documents[document]), int(corpus.documents[document + 1])) for document in kept):
        begin, stop = np.searchsorted(corpus.sentences, [start, end])
        sentences.append(corpus.sentences[begin:stop] - start + total)
        tokens.append(corpus.tokens[start:end])
        total += end - start
        documents.append(total)
    offsets = np.append(np.concatenate(sentences), total)
    return Corpus(np.concatenate(tokens), np.array(documents), offsets, corpus.tokenizer)


@pytest.fixture(scope="module")
def halves():
    """Python's documentation in two halves: one to learn from, the other with as many documents to be asked about."""
    corpus = TextData(PythonDocs(), WordPiece(2048)).split("train")
    return part_of(corpus, 0), part_of(corpus, 1)


def gains(halves, kind, count):
    """How much better than the commoner answer each baseline is."""
    train, held_out = (pair_baselines.draw(kind(half, LENGTH), count, seed) for seed, half in enumerate(halves))
    found = pair_baselines.accuracies(train, held_out, halves[0].tokenizer.size)
    commoner = max(np.mean([sample["is_next"] == answer for sample in held_out]) for answer in (0, 1))
    return {name: accuracy - commoner for name, accuracy in found.items()}


class SecondsCutToLength(Pairs):
    """The control: as long as the true second, to the token, wherever that ends (as this project once did)."""

    def sample(self, index, key):
        sample = super().sample(index, key)
        if not sample["is_next"]:
            begin = int(self._pieces[self._chunks[(index + len(self) // 2) % len(self), 0]])
            sample["second"] = self.segment(begin, begin + len(sample["second"]))
        return sample


class ChunksInOrder(Chunks):
    """The control: whole chunks, whose first sentence did not fit into the chunk before (as this project once did)."""

    def sample(self, index, key):
        random = np.random.default_rng(key)
        begin, end = self._chunks[index]
        boundary = random.integers(begin + 1, end)
        earlier, later = (self.segment(*self._pieces[[a, b]]) for a, b in ((begin, boundary), (boundary, end)))
        is_next = int(random.random() < 0.5)
        return {"first": (later, earlier)[is_next], "second": (earlier, later)[is_next], "is_next": is_next}


@pytest.mark.parametrize("kind", [Pairs, OrderedPairs])
def test_no_part_of_a_pair_gives_the_answer_away(halves, kind):
    """A standard error is 0.006."""
    assert max(gains(halves, kind, 8000).values()) < 0.02


def test_seconds_that_stop_anywhere_give_themselves_away(halves):
    assert gains(halves, SecondsCutToLength, 8000)["last three tokens of the second"] > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Pairs, OrderedPairs])
def test_no_part_gives_the_answer_away_of_many_pairs(halves, kind):
    """A standard error is 0.0035."""
    assert max(gains(halves, kind, 20_000).values()) < 0.02


@pytest.mark.slow
def test_chunks_that_are_filled_give_their_order_away(halves):
    assert max(gains(halves, ChunksInOrder, 20_000).values()) > 0.025


@pytest.mark.parametrize("objective", ["masked_tokens_and_pairs.MaskedTokensAndPairs", "masked_tokens.MaskedTokens"])
def test_a_run_is_compared_on_its_own_pairs(objective, tmp_path, capsys):
    random = np.random.default_rng(0)
    texts = ["\n".join(" ".join(random.choice(["one", "two", "three"], 6)) for _ in range(9)) for _ in range(40)]
    for name, part in {"train": texts[:20], "val": texts[20:30], "test": texts[30:]}.items():
        (tmp_path / f"{name}.txt").write_text("\n---\n".join(part))
    files = {"train": "train", "validation": "val", "test": "test"}
    source = {key: str(tmp_path / f"{name}.txt") for key, name in files.items()} | {"document_separator": "\n---\n"}
    data = {
        "_target_": "variformer.data.TextData",
        "_partial_": True,
        "cache": str(tmp_path / "cache"),
        "source": {"_target_": "variformer.data.TextFiles", **source},
    }
    config = {
        "tokenizer": {"_target_": "variformer.data.WordPiece"},
        "data": data,
        "objective": {"_target_": f"variformer.objectives.{objective}", "_partial_": True},
        "model": {"vocab_size": 4096},
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
        "length": 32,
    }
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "metrics.json").write_text(json.dumps({"val/pair_accuracy": 0.625}))
    TextData(TextFiles(**source), WordPiece(), cache=str(tmp_path / "cache")).tokenizer.save(run / "tokenizer")
    arguments = ["--run", str(run), "--pairs", "300"]
    if "pairs" in objective:
        pair_baselines.main(arguments)
        lines = capsys.readouterr().out.splitlines()
        cells = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:4]] for line in lines[2:]}
        assert cells["run run"] == ["0.6250", "-"]
        assert 0.3 < float(cells["words of the second"][0]) < 0.7
    else:
        with pytest.raises(SystemExit):
            pair_baselines.main(arguments)
        assert "has no pairs of segments" in capsys.readouterr().err


def test_a_model_is_scored_on_as_many_pairs_as_asked(halves, monkeypatch):
    """One that always answers "next" is right for the share of pairs that are."""
    objective = MaskedTokensAndPairs(halves[1].tokenizer, 64)
    task = SimpleNamespace(objective=objective, data=SimpleNamespace(split=lambda name: halves[1]))
    seen = []

    def always_next(tokens, **inputs):
        seen.append(len(tokens))
        return SimpleNamespace(pair=torch.tensor([[0.0, 1.0]]).expand(len(tokens), 2))

    monkeypatch.setattr("variformer.exchange.loading.load_run", lambda run: always_next)
    accuracy = pair_baselines.own_accuracy(Path("run"), task, "val", 1000)
    assert sum(seen) == 1000
    assert accuracy == pytest.approx(0.5, abs=0.06)
