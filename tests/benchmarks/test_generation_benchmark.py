import generation
import pytest
import torch


def test_it_runs_and_tells_both_rates(capsys):
    generation.main(["--tiny", "--batches", "1,9", "--tokens", "6", "--windows", "2"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ") and ":" in line]
    assert [row.split("|")[1].strip() for row in rows if not row.startswith("| -")] == [
        *("variformer: 1", "transformers: 1", "variformer: 9", "transformers: 9")
    ]


def test_a_peer_that_writes_other_tokens_is_not_timed():
    model = generation.GPT(**generation.TINY).eval()
    peer = generation.peer_of(model)
    writers = generation.contenders(model, peer, 3, 12)
    generation.require_equal({name: write() for name, write in writers.items()})
    with torch.no_grad():
        peer.transformer.wte.weight.normal_()
    with pytest.raises(ValueError, match="transformers and variformer write different tokens"):
        generation.require_equal({name: write() for name, write in writers.items()})
