"""The tokens of many documents in a row, and where documents and sentences start."""

import numpy as np

from .tokenizer import Tokenizer

# Shapes: N tokens, D documents, S sentences.


class TokenisedText:
    """tokens: (N,) ids, without special tokens
    documents, sentences: (D + 1,) and (S + 1,) offsets at which each starts, and N; a document starts a sentence
    """

    def __init__(self, tokens: np.ndarray, documents: np.ndarray, sentences: np.ndarray, tokenizer: Tokenizer) -> None:
        self.tokens, self.documents, self.sentences, self.tokenizer = tokens, documents, sentences, tokenizer
