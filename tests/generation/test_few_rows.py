"""Few rows from the left equal `nn.Linear`, and afterwards every layer is as it was."""

import pytest
import torch
from torch import nn

from variformer.generation.few_rows import FEW, few_rows


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, FEW.start - 1, FEW.start, FEW.stop - 1, FEW.stop])
def test_it_computes_what_a_linear_layer_computes(rows, bias):
    layer, x = nn.Linear(30, 50, bias), torch.randn(rows, 1, 30)
    expected = layer(x)
    with few_rows(layer), torch.inference_mode():
        torch.testing.assert_close(layer(x), expected)
        torch.testing.assert_close(layer(x.transpose(0, 1)), expected.transpose(0, 1))


def test_every_layer_is_as_before_also_after_an_error():
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(3, 3), Own(3, 3))
    with pytest.raises(RuntimeError), few_rows(model):
        assert "forward" in vars(model[0]) and "forward" not in vars(model[1])
        raise RuntimeError
    assert not any("forward" in vars(each) for each in model)
