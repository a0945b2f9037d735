import pytest
import torch
import training_steps
from cases import CASES, TINY
from timing import interleave, markdown, ratio, spread

PLAIN = {"compiled": False, "autocast": False}


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    torch.manual_seed(0)
    return CASES[request.param](TINY[request.param], 2, tmp_path)


def test_every_peer_starts_with_our_loss_and_gradient(case):
    """The loss alone would not see a weight whose effect on it is small."""
    entrants = list(training_steps.contenders(case, **PLAIN))
    assert len(entrants) >= 3
    norms = []
    for entrant in entrants:
        entrant.loss(entrant.model, entrant.batches[0]).backward()
        norms.append(torch.nn.utils.get_total_norm([p.grad for p in entrant.model.parameters()]).item())
    assert norms == pytest.approx([norms[0]] * len(norms), rel=1e-5)
    training_steps.require_equal({entrant.name: entrant.first_loss() for entrant in entrants})


def test_entrants_share_no_weights(case):
    entrants = list(training_steps.contenders(case, compiled=True, autocast=False))
    assert len(entrants) >= 4
    places = [p.data_ptr() for entrant in entrants for p in entrant.model.parameters()]
    assert len(set(places)) == len(places)


def test_useful_tokens_leave_out_padding(tmp_path):
    case = CASES["bert"](TINY["bert"], 4, tmp_path)
    entrant = next(training_steps.contenders(case, **PLAIN))
    tokens = torch.cat([batch["tokens"] for batch in case.batches])
    assert entrant.useful == (tokens != 0).sum()
    assert entrant.useful < tokens.numel()
    shapes = {batch["input_ids"].shape for batch in list(training_steps.contenders(case, **PLAIN))[-1].batches}
    assert len(shapes) > 1  # the peer pads each batch to its longest text, as its collator does


def test_a_step_is_that_of_clipped_adamw():
    """Worked out for one weight: Adam's first step is the learning rate, however large the gradient."""
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    entrant = training_steps.Contender("one", model, lambda m, x: 100 * m(x).sum(), [torch.ones(1, 1)], 1)
    entrant.step(torch.ones(1, 1))
    decayed = 1 - 1e-4 * 0.01
    assert model.weight.item() == pytest.approx(decayed - 1e-4, abs=1e-7)
    assert model.weight.grad is None


def test_a_peer_with_other_weights_is_not_timed(case):
    entrants = list(training_steps.contenders(case, **PLAIN))
    with torch.no_grad():
        next(entrants[-1].model.parameters()).mul_(1.1)
    with pytest.raises(ValueError, match="nothing is timed: variformer"):
        training_steps.contest("title", entrants, windows=1)


@pytest.mark.slow
def test_the_command_prints_a_table_for_each_case(capsys):
    training_steps.main(["--tiny", "--cases", "gpt,vit", "--windows", "2", "--steps", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert "torch" in lines[0] and "timm" in lines[0]
    names = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert names[0] == "GPT, 2 x 32 tokens"
    assert names.count("variformer") == 2
    assert "timm: defaults" in names
    rates = [float(line.split("|")[2].replace(",", "")) for line in lines if "variformer " in line[:15]]
    assert all(rate > 0 for rate in rates)


def test_an_unknown_case_is_refused(capsys):
    with pytest.raises(SystemExit):
        training_steps.main(["--cases", "gpt,mamba"])
    assert "unknown cases mamba; there are: bert, gpt, t5, vit" in capsys.readouterr().err


def test_contenders_take_turns():
    calls = []
    contenders = {name: lambda name=name: calls.append(name) or float(len(calls)) for name in "AB"}
    assert interleave(contenders, 3) == {"A": [1, 3, 5], "B": [2, 4, 6]}
    assert calls == list("ABABAB")


def test_ratios_compare_windows_side_by_side():
    """The machine became ten times slower for the last window of both."""
    assert ratio([20, 22, 2], [10, 11, 1]) == 2
    assert spread([9, 10, 12]) == pytest.approx(0.3)


def test_tables_are_markdown():
    table = markdown(["name", "rate"], [["a", 12], ["long name", "3"]])
    assert table.splitlines() == [
        "| name      | rate |",
        "| --------- | ---: |",
        "| a         |   12 |",
        "| long name |    3 |",
    ]


def test_compiling_reaches_every_block_and_nothing_else(tmp_path):
    from variformer.layers import Block

    case = CASES["gpt"](TINY["gpt"], 1, tmp_path)
    model = training_steps.compile_blocks(case.model)
    compiled = [m for m in model.modules() if m._compiled_call_impl is not None]
    assert len(compiled) == 2
    assert all(isinstance(module, Block) for module in compiled)
