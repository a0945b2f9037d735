"""Hidden matrices: those that neither read the input nor write the output. Muon updates them by a rule of their own.

Each part of a model that has some says which: `hidden_matrices()` returns them. What no part names is not hidden.
"""

from torch import nn


def matrices_of(*parts: nn.Module) -> list[nn.Parameter]:
    """The parameters of `parts` that have two dimensions."""
    return [parameter for part in parts for parameter in part.parameters() if parameter.dim() == 2]
