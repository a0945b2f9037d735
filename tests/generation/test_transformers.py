"""Token for token what transformers writes: greedily and by beams, in batches of unequal prompts."""

import json

import pytest
import torch
import transformers as hf
from transformers.generation import logits_process as theirs_

from variformer.generation import Decoding, generate
from variformer.generation.choosing import Choice, penalised
from variformer.weights.files import write_tensors
from variformer.weights.huggingface import config_of, to_huggingface

from .conftest import FAMILIES, SIZES

PROMPTS = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14, 15, 16, 17, 18], [19]]
ENDS = [1, *range(20, 28)]  # so many that the texts of a random model end here and there
SEEDS = {"gpt": 0, "t5": 4, "bart": 1}  # of weights with which they end at different lengths


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """Name -> (ours, theirs) with the same random weights."""
    made = {}
    for name in FAMILIES:
        torch.manual_seed(SEEDS[name])
        ours = FAMILIES[name](**SIZES).eval()
        with torch.no_grad():
            for parameter in ours.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.4)
            if name == "t5":  # its small head would make all tokens likely alike
                ours.decoder.embedding.tokens.weight.mul_(3)
        folder = tmp_path_factory.mktemp(name)
        write_tensors(to_huggingface(ours), folder)
        config = config_of(ours)
        (folder / "config.json").write_text(json.dumps(config))
        made[name] = ours, getattr(hf, config["architectures"][0]).from_pretrained(folder).eval()
    return made


def texts_of_theirs(name, model, ends, **options):
    """What transformers writes behind each prompt, without padding and without what stands in front."""
    width = max(map(len, PROMPTS))
    rows = [[0] * (width - len(each)) + each if name == "gpt" else each + [0] * (width - len(each)) for each in PROMPTS]
    mask = [[int(token != 0) for token in row] for row in rows]
    start = {} if name == "gpt" else {"decoder_start_token_id": 0 if name == "t5" else 1}
    if name == "bart":
        start["forced_eos_token_id"] = 1
    options = {"pad_token_id": 0, "eos_token_id": ends, "do_sample": False, "bos_token_id": None, **start, **options}
    with torch.no_grad():
        found = model.generate(torch.tensor(rows), attention_mask=torch.tensor(mask), **options).tolist()
    found = [row[width:] if name == "gpt" else row[1:] for row in found]
    return [row[: next((n + 1 for n, token in enumerate(row) if token in ends), len(row))] for row in found]


def texts_of_ours(model, decoding, tokenizer, ends):
    written = generate(model, PROMPTS, decoding, tokenizer=tokenizer, ends=ends)
    return [each.tokens for texts in written for each in texts]


@pytest.mark.parametrize("penalty", [1.0, 1.7])
@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_texts_equal_those_of_transformers(twins, tokenizer, name, penalty):
    ours, theirs = twins[name]
    expected = texts_of_theirs(name, theirs, ENDS, max_new_tokens=24, repetition_penalty=penalty)
    found = texts_of_ours(ours, Decoding(24, repetition_penalty=penalty), tokenizer, ENDS)
    assert found == expected
    assert len({len(each) for each in found}) > 1  # they end at different lengths


@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("beams", [2, 4])
@pytest.mark.parametrize("name", FAMILIES)
def test_beams_equal_those_of_transformers(twins, tokenizer, name, beams, length_penalty, early_stopping):
    ours, theirs = twins[name]
    settings = {"length_penalty": length_penalty, "early_stopping": early_stopping}
    for ends, penalty in (ENDS, 1.0), ([1], 1.3):
        expected = texts_of_theirs(
            name,
            theirs,
            ends,
            max_new_tokens=14,
            num_beams=beams,
            num_return_sequences=2,
            repetition_penalty=penalty,
            **settings,
        )
        decoding = Decoding(14, beams=beams, samples=2, repetition_penalty=penalty, **settings)
        assert texts_of_ours(ours, decoding, tokenizer, ends) == expected


def test_scores_of_beams_are_those_of_transformers(twins, tokenizer):
    ours, theirs = twins["gpt"]
    options = {"pad_token_id": 0, "eos_token_id": ENDS, "return_dict_in_generate": True, "output_scores": True}
    found = theirs.generate(torch.tensor([PROMPTS[0]]), num_beams=3, max_new_tokens=9, length_penalty=1.5, **options)
    ((written,),) = generate(
        ours, PROMPTS[:1], Decoding(9, beams=3, length_penalty=1.5), tokenizer=tokenizer, ends=ENDS
    )
    assert written.score == pytest.approx(found.sequences_scores.item(), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.8])
@pytest.mark.parametrize(
    ("top_k", "top_p", "min_p"), [(None, 1.0, 0.0), (7, 1.0, 0.0), (None, 0.8, 0.0), (12, 0.9, 0.1)]
)
def test_distributions_equal_those_of_transformers(temperature, top_k, top_p, min_p):
    torch.manual_seed(0)
    scores, tokens = 3 * torch.randn(50, 40), torch.randint(40, (50, 6))
    expected = theirs_.RepetitionPenaltyLogitsProcessor(1.4)(tokens, scores)
    expected = theirs_.TemperatureLogitsWarper(temperature)(tokens, expected)
    for made in (
        top_k and theirs_.TopKLogitsWarper(top_k),
        top_p < 1 and theirs_.TopPLogitsWarper(top_p),
        min_p and theirs_.MinPLogitsWarper(min_p),
    ):
        expected = made(tokens, expected) if made else expected
    seen = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, tokens, True)
    found = Choice(temperature, top_k, top_p, min_p).filtered(penalised(scores, seen, 1.4))
    torch.testing.assert_close(found.softmax(-1), expected.softmax(-1))
    assert ((found == -torch.inf) == (expected == -torch.inf)).all()
