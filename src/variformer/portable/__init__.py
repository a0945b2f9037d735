"""Models that no class of transformers has: Hugging Face folders that bring their own modelling code, out and back in.

    contents(model, node, ...) -> Contents       config.json, tensors and the files of code
    read(folder) -> Checkpoint                   the model again, from the node in config.json; no code there is run

The code in a folder is our own source text (`sources`, `flattening`) under a few classes of transformers (`remote/`).
It needs torch and transformers alone.
"""

from .code import remove_code
from .reading import is_own, node_of, read
from .spelling import MODEL_TYPE
from .writing import Contents, contents, obstacle

__all__ = ["MODEL_TYPE", "Contents", "contents", "is_own", "node_of", "obstacle", "read", "remove_code"]
