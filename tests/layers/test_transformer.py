import pytest
import torch
from torch import nn

from variformer.layers import PostNormBlock, PreNormBlock, RelativePositions, RotaryPositions, Transformer
from variformer.models import GPT, T5, Albert, Bart, Bert

SIZES = dict(vocab_size=13, width=16, depth=2, heads=4, hidden=24, max_length=9, dropout=0.3)


@pytest.mark.parametrize("positions", [RotaryPositions, RelativePositions])
@pytest.mark.parametrize("family", [GPT, T5, Bert, Albert, Bart])
def test_checkpointing_gives_identical_gradients(family, positions):
    """Dropout included: the second computation draws what the first drew."""
    model, tokens = family(**SIZES, positions=positions), torch.randint(13, (2, 9))
    inputs = (tokens, tokens) if family in (T5, Bart) else (tokens,)
    gradients = []
    for checkpointing in (False, True):
        for module in model.modules():
            if isinstance(module, Transformer):
                module.checkpointing = checkpointing
        model.zero_grad()
        torch.manual_seed(3)
        scores = model(*inputs)
        (scores.tokens if family in (Bert, Albert) else scores).square().mean().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(gradients[0]) > 20
    for plain, again in zip(*gradients, strict=True):
        assert torch.equal(plain, again)


def test_checkpointing_keeps_less():
    model, tokens = GPT(**SIZES), torch.randint(13, (2, 9))
    kept = []
    for checkpointing in (False, True):
        model.decoder.checkpointing, sizes = checkpointing, []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):  # noqa: B023
            model(tokens)
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 2


def test_the_final_norm_is_left_out_after_normalised_blocks():
    assert isinstance(GPT(**SIZES, block=PostNormBlock).decoder.final_norm, nn.Identity)
    assert isinstance(GPT(**SIZES).decoder.final_norm, nn.LayerNorm)
    assert isinstance(Bert(**SIZES).encoder.final_norm, nn.Identity)
    assert isinstance(Bert(**SIZES, block=PreNormBlock).encoder.final_norm, nn.LayerNorm)


@pytest.mark.parametrize("depth", [6, 5])
def test_blocks_that_are_applied_repeatedly(depth):
    """ALBERT's way: two blocks, each repeated, equal as many with those weights, and so does a cache."""
    shared, full = GPT(**SIZES).eval(), GPT(**(SIZES | {"depth": depth})).eval()
    shared.decoder.depth = depth
    state = {name: tensor for name, tensor in shared.state_dict().items() if ".blocks." not in name}
    for layer in range(depth):
        block = shared.decoder.blocks[layer // 3].state_dict()  # of five layers, the first block is three
        state |= {f"decoder.blocks.{layer}.{name}": tensor for name, tensor in block.items()}
    full.load_state_dict(state)
    tokens = torch.randint(13, (2, 9))
    torch.testing.assert_close(shared(tokens), full(tokens))
    cache = shared.decoder.new_cache()
    torch.testing.assert_close(torch.cat([shared(t, cache=cache) for t in tokens.split(1, 1)], 1), full(tokens))


@pytest.mark.parametrize("positions", [RotaryPositions, RelativePositions])
def test_the_whole_graph_can_be_captured(positions):
    """No graph breaks, for torch.compile or export; with the backend that runs what was captured as it is."""
    model, tokens = GPT(**SIZES, positions=positions).eval(), torch.randint(13, (2, 9))
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(tokens), model(tokens))


@pytest.mark.slow
def test_a_compiled_block_equals_the_eager_one():
    model, tokens = GPT(**SIZES).eval(), torch.randint(13, (2, 9))
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.0, 0.4)
    expected = model(tokens)
    for block in model.decoder.blocks:
        block.compile()
    scores = model(tokens)
    assert (scores - expected).abs().max() < 1e-5 * expected.abs().max()
