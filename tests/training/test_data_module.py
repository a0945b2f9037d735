"""The order of labelled texts in a run: buckets of like length, a position that resumes, the longest batch on trial."""

import numpy as np
import pytest

from variformer.data import ByteLevel, LabelledData, LabelledFiles
from variformer.data.shuffles import Bucketed
from variformer.objectives.objective import ExampleObjective
from variformer.objectives.padding import padded
from variformer.training.data_module import DataModule
from variformer.training.memory.rehearsal import large_batch


class Texts(ExampleObjective):
    def view(self, data):
        return data.texts(self.length)

    def collate(self, samples, keys, train):
        tokens = padded([sample["text"] for sample in samples], 0, self.multiple, self.length)
        return {"tokens": tokens, "count": len(samples), "train": train}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    lengths = np.random.default_rng(0).lognormal(2, 1, 300).astype(int) + 1
    rows = [f"{n} {'x' * length},{n % 2}" for n, length in enumerate(lengths)]
    (folder / "a.csv").write_text("\n".join(["text,label", *rows]))
    return LabelledData(LabelledFiles(str(folder / "a.csv")), ByteLevel(), cache=str(folder / "cache"))


@pytest.fixture
def module(data):
    def make(**settings):
        return DataModule(
            data,
            Texts(data, 96),
            **{"seed": 0, "global_batch": 8, "micro_batch": 4, "eval_batch": 4, "max_steps": 40} | settings,
        )

    return make


def width(batch):
    return batch["tokens"].shape[1]


def test_batches_have_like_lengths(module):
    def slots(buckets):
        return sum(batch["tokens"].size for batch in module(buckets=buckets).train_dataloader())

    assert slots(50) < 0.7 * slots(1)


def test_batches_are_as_wide_as_their_longest_text(module):
    widths = [width(batch) for batch in module().train_dataloader()]
    assert set(np.array(widths) % 8) == {0} and min(widths) <= 16 and len(set(widths)) > 3


def test_a_resumed_module_gives_the_rest(module):
    whole = [batch["index"] for batch in module().train_dataloader()]
    rest = module()
    rest.load_state_dict({"samples_seen": 16 * 8} | rest.identity())
    assert [batch["index"] for batch in rest.train_dataloader()] == whole[32:]


def test_a_checkpoint_of_other_buckets_is_refused(module):
    state = {"samples_seen": 8} | module(buckets=20).identity()
    with pytest.raises(ValueError, match="written with buckets=20, and this run has 50"):
        module().load_state_dict(state)


def test_samples_of_one_length_have_no_buckets(module):
    plain = module(buckets=1)
    assert not isinstance(plain.shuffle, Bucketed) and "buckets" not in plain.identity()


def test_evaluation_goes_longest_first(module):
    widths = [width(batch) for batch in module().val_dataloader()]
    assert widths == sorted(widths, reverse=True) and len(set(widths)) > 1


@pytest.mark.parametrize("samples", [1, 4, 400])
def test_the_trial_takes_the_longest_texts(module, samples):
    made = module()
    batch = large_batch(made, samples)
    assert len(batch["index"]) == samples and batch["train"]
    assert width(batch) == max(width(each) for each in made.train_dataloader())
    lengths = made.training_view.lengths
    assert sorted(lengths[batch["index"]])[-1] == lengths.max() and lengths[batch["index"][0]] == lengths.max()
