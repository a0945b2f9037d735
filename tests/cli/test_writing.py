"""`variformer generate` and `variformer fill`, and the same from Python, on tiny folders of transformers."""

import dataclasses
import inspect
import json
import shutil
import subprocess
import sys

import pytest
import torch
import transformers as hf
from typer.testing import CliRunner

import variformer
from variformer.cli import writing
from variformer.cli.main import app
from variformer.data import ByteLevelBPE, RobertaBPE, Unigram, WordPiece
from variformer.generation import Decoding, generate, prompt_ids

TEXTS = ["Return a copy of the object.", "Return a new list of the keys."] * 40
SMALL = {"vocab_size": 320, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 48}
BERT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
BART = {
    **{"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2},
    **{"decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Name -> a folder of transformers with random weights and a tokenizer of ours."""
    made = {
        "gpt": (hf.GPT2LMHeadModel(hf.GPT2Config(**SMALL, **GPT)), ByteLevelBPE(320)),
        "bert": (hf.BertForMaskedLM(hf.BertConfig(**SMALL, **BERT)), WordPiece(120)),
        "t5": (hf.T5ForConditionalGeneration(hf.T5Config(**SMALL, **T5)), Unigram(150, sentinels=5)),
        "bart": (hf.BartForConditionalGeneration(hf.BartConfig(**SMALL, **BART)), RobertaBPE(300)),
    }
    places = {}
    for name, (model, recipe) in made.items():
        places[name] = tmp_path_factory.mktemp(name)
        torch.manual_seed(0)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.0, 0.4)
        model.save_pretrained(places[name])
        (places[name] / "generation_config.json").unlink(missing_ok=True)
        recipe.train(TEXTS).save(places[name])
    return places


def run(*words, stdin=None):
    done = CliRunner().invoke(app, [str(each) for each in words], input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.mark.parametrize("name", ["gpt", "t5", "bart"])
def test_generate_prints_what_the_function_writes(folders, name):
    model, tokenizer = variformer.load(folders[name])
    ids = [prompt_ids(model, tokenizer, "Return a")]
    for words, decoding in (
        ([], Decoding(12)),
        (["--temperature", "0.9", "--top-k", "30", "--seed", "4"], Decoding(12, 0.9, 30, seed=4)),
        (["--beams", "3", "--early-stopping", "never"], Decoding(12, beams=3, early_stopping="never")),
    ):
        done = run("generate", folders[name], "Return a", "--count", "12", *words)
        ((expected,),) = generate(model, ids, decoding, tokenizer=tokenizer)
        assert (done.exit_code, done.stdout) == (0, expected.text + "\n")


def test_several_samples_are_printed_one_below_the_other(folders):
    done = run("generate", folders["gpt"], "Return", "--count", "6", "--samples", "3", "--temperature", "1")
    expected = variformer.load(folders["gpt"]).generate_all(["Return"], count=6, samples=3, temperature=1.0)
    assert done.stdout == "\n---\n".join(each.text for each in expected[0]) + "\n"


def test_the_prompt_may_come_from_stdin(folders):
    by_word = run("generate", folders["gpt"], "Return a", "--count", "5")
    assert run("generate", folders["gpt"], "-", "--count", "5", stdin="Return a").stdout == by_word.stdout


def test_a_stop_string_may_hold_a_line_feed(folders, monkeypatch):
    given = {}
    monkeypatch.setattr(writing, "write", lambda folder, prompt, options, checkpoint: given.update(options))
    run("generate", folders["gpt"], "a", "--stop", "\\n\\n", "--stop", "END")
    assert given == {"stop": ["\n\n", "END"]}


def test_the_end_of_the_model_is_told(folders):
    done = run("generate", folders["gpt"], "Return a", "--count", "100")
    assert "the text ends where the model can read no more tokens" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperature", "-1"], "temperature: -1.0 is not a number of 0 or more"),
        (["--beams", "2", "--temperature", "1"], "beams=2 look for the likeliest text, and need temperature=0"),
        (["--early-stopping", "sometimes"], "early_stopping: 'sometimes'"),
        (["--samples", "2"], "samples=2 would all be the same"),
    ],
)
def test_options_that_do_not_fit_are_refused(folders, words, message):
    done = run("generate", folders["gpt"], "a", *words)
    assert done.exit_code == 2 and message in done.stderr


def test_a_model_that_writes_nothing_is_named(folders, tmp_path):
    done = run("generate", folders["bert"], "a")
    assert done.exit_code == 2 and "Bert writes no texts" in done.stderr
    done = run("fill", folders["gpt"], "a ____")
    assert done.exit_code == 2 and "GPT fills no blanks" in done.stderr
    done = run("generate", tmp_path / "nowhere", "a")
    assert done.exit_code == 2 and "nowhere" in done.stderr


def test_the_options_are_the_settings_of_decoding():
    options = set(inspect.signature(writing.generate).parameters) - {"run", "prompt", "checkpoint", "allow_"}
    assert options == {each.name for each in dataclasses.fields(Decoding)}


def test_settings_of_a_published_model_end_a_text_and_are_told(folders, tmp_path):
    """Its end tokens count; how its authors write is not applied unasked."""
    folder = tmp_path / "gpt"
    shutil.copytree(folders["gpt"], folder)
    first = variformer.load(folder).generate_all(["Return"], count=6)[0][0]
    settings = {"eos_token_id": [7, first.tokens[1]], "num_beams": 4, "do_sample": False, "max_length": 20}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    (again,) = variformer.load(folder).generate_all(["Return"], count=6)[0]
    assert again.ended == "end" and again.tokens[-1] == first.tokens[1]
    done = run("generate", folder, "Return", "--count", "6")
    assert done.stderr == "its generation_config.json is not applied: num_beams=4\n"


def test_fill_prints_the_text_and_the_candidates(folders):
    done = run("fill", folders["bert"], "Return a ____ of the [MASK].", "--choices", "2")
    filled = variformer.load(folders["bert"]).fill("Return a ____ of the ____.", choices=2)
    lines = done.stdout.splitlines()
    assert lines[0] == filled.text and len(lines) == 3
    for number, (line, blank) in enumerate(zip(lines[1:], filled.blanks, strict=True), 1):
        assert line == f"{number:>3}  " + ", ".join(f"{each.text} {each.probability:.0%}" for each in blank)


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_encoder_decoders_fill_with_what_they_write(folders, name):
    done = run("fill", folders[name], "Return a ____ of the object.")
    filled = variformer.load(folders[name]).fill("Return a ____ of the object.")
    assert done.stdout.splitlines()[0] == filled.text.splitlines()[0]


def test_python_writes_in_one_line(folders):
    loaded = variformer.load(folders["gpt"])
    pieces = []
    text = loaded.generate("Return a", count=9, temperature=1.0, watch=pieces.append)
    assert text and "".join(pieces) == text
    assert [
        [each.text]
        for (each,) in loaded.generate_all(["Return a", "x" * 9, "Return a"], batch=1, count=9, temperature=1.0)
    ] == [[text], [loaded.generate("x" * 9, count=9, temperature=1.0)], [text]]
    with pytest.raises(ValueError, match="generate_all gives several texts"):
        loaded.generate("Return", samples=2, temperature=1.0, count=2)
    with pytest.raises(variformer.ConfigError, match="did you mean `temperature`"):
        loaded.generate("Return", temprature=1.0)


def test_a_model_without_tokenizer_says_so(folders):
    bare = variformer.Loaded(*variformer.load(folders["gpt"])[:1], None, "somewhere")
    with pytest.raises(ValueError, match="somewhere has no tokenizer, so GPT reads no text"):
        bare.generate("Return")


@pytest.mark.parametrize("command", ["generate", "fill"])
def test_help_imports_no_torch(command):
    words = f"app(['{command}', '--help'])"
    code = f"import sys; from variformer.cli.main import app\ntry: {words}\nfinally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.rstrip().endswith("False"), done.stdout + done.stderr
