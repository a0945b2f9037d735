"""transformers computes with the code in a folder what we compute: scores, losses, gradients."""

import copy
import json
import pickle

import pytest
import systems
import torch
import torch.nn.functional as F
import transformers as hf
from safetensors.torch import load_file, save_file

from variformer.layers import Transformer
from variformer.models import ImageClassifier
from variformer.portable import read
from variformer.portable.heads import head_of

from .conftest import SYSTEMS, built, part

READERS = {name: getattr(hf, next(iter(head_of(built(node)).classes))) for name, node in SYSTEMS.items()}
PARTS = [
    {"positions": part("Positions"), "norm": part("RMSNorm", eps=1e-6), "feed_forward": part("GatedFeedForward")},
    {"positions": part("SinusoidalPositions", amplitude=None), "activation": "relu_squared"},
    {"positions": part("RotaryPositions", base=500.0), "attention": part("Attention", key_value_heads=1)},
    {"positions": part("RelativePositions", buckets=8), "attention": part("Attention", window=2)},
    {"positions": part("LinearBiasPositions"), "attention": part("Attention", query_key_norm=part("RMSNorm"))},
    {"positions": part("CountedPositions"), "block": part("PreNormBlock"), "norm": part("LayerNorm", bias=False)},
    {"positions": part("LearnedPositions", offset=1), "block": part("PostNormBlock")},
]


def loaded(folder, reader=hf.AutoModel):
    model, report = reader.from_pretrained(folder, trust_remote_code=True, output_loading_info=True)
    assert not any(report.values()), report
    return model.eval()


def inputs_of(model):
    """Ours by position, theirs by name."""
    first, *target = systems.inputs_of(model, 3, 7)
    if isinstance(model, ImageClassifier):
        return (first,), {"pixel_values": first}
    mask = torch.ones(3, 7, dtype=torch.long)
    mask[0, 5:] = 0
    theirs = {"input_ids": first, "attention_mask": mask}
    if target:
        return (first, *target, mask.bool()), theirs | {"decoder_input_ids": target[0]}
    transformer = next(each for each in model.modules() if isinstance(each, Transformer))
    if transformer.embedding.segments is None or transformer.embedding.segments.num_embeddings < 2:
        return (first, mask.bool()), theirs
    segments = torch.randint(2, (3, 7))
    return (first, mask.bool(), segments), theirs | {"token_type_ids": segments}


def scores_of(said):
    if isinstance(said, torch.Tensor):
        return [said]
    if hasattr(said, "teacher"):
        return [(said.label + said.teacher) / 2]
    if hasattr(said, "replaced"):
        return [said.replaced]  # a folder's class asks the discriminator alone
    return [said.tokens, *([said.pair] if said.pair is not None else [])]


def their_scores(said):
    return [said.logits] if "logits" in said else [said.prediction_logits, said.seq_relationship_logits]


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: parts["positions"]["_target_"].rpartition(".")[2])
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_scores_and_gradients(written, system, parts):
    if "feed_forward" in parts:
        parts = parts | {"activation": "silu"}
    ours, folder = written({**SYSTEMS[system], **parts})
    theirs = loaded(folder, READERS[system])
    mine, yours = inputs_of(ours)
    for one, other in zip(scores_of(ours(*mine)), their_scores(theirs(**yours)), strict=True):
        assert torch.equal(one, other)
    sum(each.square().sum() for each in scores_of(ours(*mine))).backward()
    sum(each.square().sum() for each in their_scores(theirs(**yours))).backward()
    expected = {f"model.{name}": tensor.grad for name, tensor in ours.named_parameters()}
    found = {name: tensor.grad for name, tensor in theirs.named_parameters()}
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        assert (gradient is None) == (found[name] is None) and (gradient is None or torch.equal(gradient, found[name]))


def test_two_folders_of_one_name_in_one_process(written, tmp_path):
    """Which transformers tells apart by the file of the config's class alone."""
    tokens = torch.randint(3, 17, (2, 6))
    for number, name in enumerate(("RelativePositions", "RotaryPositions")):
        ours, folder = written({**SYSTEMS["gpt"], "positions": part(name)})
        (tmp_path / str(number)).mkdir()
        theirs = loaded(folder.rename(tmp_path / str(number) / "model"), READERS["gpt"])
        assert torch.equal(theirs(tokens).logits, ours(tokens))


def test_losses_are_those_of_our_objectives(written):
    tokens, labels = torch.randint(3, 17, (2, 6)), torch.randint(3, 17, (2, 6))
    labels[0, 2:4] = -100

    def loss(scores, targets):
        return F.cross_entropy(scores.flatten(0, -2), targets.flatten())

    gpt, folder = written(SYSTEMS["gpt"])
    expected = loss(gpt(tokens)[:, :-1], labels[:, 1:])
    assert torch.equal(loaded(folder, READERS["gpt"])(tokens, labels=labels).loss, expected)
    bert, folder = written(SYSTEMS["bert"])
    pair = torch.tensor([0, 1])
    said = bert(tokens)
    theirs = loaded(folder, READERS["bert"])(tokens, labels=labels, next_sentence_label=pair)
    assert torch.equal(theirs.loss, loss(said.tokens, labels) + F.cross_entropy(said.pair, pair))
    alone = loaded(folder, hf.AutoModelForMaskedLM)(tokens, labels=labels)
    assert torch.equal(alone.loss, loss(said.tokens, labels)) and torch.equal(alone.logits, said.tokens)
    t5, folder = written(SYSTEMS["t5"])
    target = torch.cat([torch.zeros(2, 1, dtype=torch.long), labels[:, :-1].clamp(min=0)], 1)
    assert torch.equal(loaded(folder, READERS["t5"])(tokens, labels=labels).loss, loss(t5(tokens, target), labels))
    vit, folder = written(SYSTEMS["vit"])
    images, classes = torch.randn(3, 1, 4, 4), torch.tensor([4, 0, 2])
    assert torch.equal(
        loaded(folder, READERS["vit"])(images, labels=classes).loss, F.cross_entropy(vit(images), classes)
    )


TASKS = {
    "SequenceClassifier": ("bert", hf.AutoModelForSequenceClassification, {"classes": 3}),
    "LastTokenClassifier": ("gpt", hf.AutoModelForSequenceClassification, {"classes": 3}),
    "FirstTokenClassifier": ("bert", hf.AutoModelForSequenceClassification, {"classes": 3}),
    "EndTokenClassifier": ("bart", hf.AutoModelForSequenceClassification, {"classes": 3, "start": 2, "end": 1}),
    "TokenClassifier": ("albert", hf.AutoModelForTokenClassification, {"classes": 3}),
    "SpanFinder": ("roberta", hf.AutoModelForQuestionAnswering, {}),
    "RereadSpanFinder": ("t5", hf.AutoModelForQuestionAnswering, {"start": 0}),
}


@pytest.mark.parametrize("head", TASKS)
def test_heads_for_tasks(written, head):
    system, reader, arguments = TASKS[head]
    body = {**SYSTEMS[system], "positions": part("RotaryPositions")}
    ours, folder = written({"_target_": f"variformer.models.{head}", "body": body, **arguments})
    theirs = loaded(folder, reader)
    tokens = torch.randint(3, 17, (2, 6))
    tokens[:, 4] = 1
    if "classes" not in arguments:
        said, expected = (
            theirs(tokens, start_positions=torch.tensor([0, 9]), end_positions=torch.tensor([1, 3])),
            ours(tokens),
        )
        assert torch.equal(said.start_logits, expected.start) and torch.equal(said.end_logits, expected.end)
        first = F.cross_entropy(expected.start[:1], torch.tensor([0]))  # the second's start is outside of the text
        assert torch.equal(said.loss, (first + F.cross_entropy(expected.end, torch.tensor([1, 3]))) / 2)
        return
    expected = ours(tokens)
    labels = torch.randint(3, expected.shape[:-1])
    said = theirs(tokens, labels=labels)
    assert torch.equal(said.logits, expected) and said.logits.shape[-1] == theirs.config.num_labels == 3
    assert torch.equal(said.loss, F.cross_entropy(expected.flatten(0, -2), labels.flatten()))


def test_the_states_without_a_head(written):
    ours, folder = written(SYSTEMS["bert"])
    tokens = torch.randint(3, 17, (2, 6))
    assert torch.equal(loaded(folder)(tokens).last_hidden_state, ours.states(tokens))
    assert loaded(folder)(tokens, return_dict=False)[0].shape == (2, 6, systems.WIDTH)
    ours, folder = written(SYSTEMS["vit"])
    images = torch.randn(2, 1, 4, 4)
    assert torch.equal(loaded(folder)(images).last_hidden_state, ours.encoder(images))


def test_save_pretrained_and_back(written, tmp_path):
    """With ties, in shards, and as our own model again; also what a training step has changed."""
    node = {**SYSTEMS["t5"], "positions": part("RotaryPositions")}
    _, folder = written(node, max_shard_bytes=2_000)
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    model = loaded(folder, READERS["t5"])
    tokens = torch.randint(3, 17, (2, 6))
    model(tokens, labels=tokens).loss.backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    model.save_pretrained(tmp_path / "again")
    again = loaded(tmp_path / "again", READERS["t5"])
    assert again.model.head.scores.weight is again.model.encoder.embedding.tokens.weight
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    ours = read(tmp_path / "again").model.eval()
    assert torch.equal(ours(tokens, tokens), again(tokens, decoder_input_ids=tokens).logits)
    kept = json.loads((tmp_path / "again" / "config.json").read_text())
    assert kept["model"] == node and (tmp_path / "again" / "t5.py").is_file()


def test_a_new_model_from_a_config_starts_as_ours(written):
    _, folder = written({**SYSTEMS["vit"], "stochastic_depth": 0.4})
    config = hf.AutoConfig.from_pretrained(folder, trust_remote_code=True)
    model = READERS["vit"].from_config(config, trust_remote_code=True)
    assert not model.model.head.weight.any() and model.model.encoder.positions.table.weight.std() < 0.03


def test_what_no_file_holds_has_its_values(written):
    """A buffer that is no weight, which transformers empties; and a head that is missing in the files."""
    _, folder = written({**SYSTEMS["vit"], "stochastic_depth": 0.4})
    model = loaded(folder, READERS["vit"])
    assert model.model.encoder.blocks[-1].dropout[1].rate.item() == pytest.approx(0.4)
    file = folder / "model.safetensors"
    tensors = load_file(file)
    save_file({name: tensor for name, tensor in tensors.items() if ".head." not in name}, file, {"format": "pt"})
    model = READERS["vit"].from_pretrained(folder, trust_remote_code=True)
    assert not model.model.head.weight.any() and not model.model.head.bias.any()
    assert torch.equal(model.model.encoder.embedding.specials, tensors["model.encoder.embedding.specials"])


@pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed in v6")
def test_checkpointing_copies_and_half_precision(written):
    _, folder = written({**SYSTEMS["gpt"], "positions": part("SinusoidalPositions")})
    tokens = torch.randint(3, 17, (2, 6))
    model = loaded(folder, READERS["gpt"])
    pickle.dumps(model)
    model.train().gradient_checkpointing_enable()
    assert model.model.decoder.checkpointing
    model(tokens, labels=tokens).loss.backward()
    assert model.model.decoder.embedding.tokens.weight.grad.any()
    model.gradient_checkpointing_disable()
    assert not model.model.decoder.checkpointing
    mask = torch.ones(2, 6, dtype=torch.long)
    mask[0, :3] = 0
    copied = copy.deepcopy(model.eval())
    assert torch.equal(copied(tokens, mask).logits, model(tokens, mask).logits)
    half = hf.AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.bfloat16)
    assert half(tokens).logits.dtype == torch.bfloat16
    assert model.get_input_embeddings().weight.shape == (17, systems.WIDTH)
