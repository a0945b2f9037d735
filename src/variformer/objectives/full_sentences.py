"""RoBERTa's pre-training: hidden tokens in rows of whole sentences, without pairs.

Liu et al., 2019, section 4.2 (FULL-SENTENCES); the masks are fresh in every epoch as always (section 4.1).
"""

from ..samples import SentenceRow, TextSplit, View
from .masked_tokens import MaskedTokens


class FullSentences(MaskedTokens):
    """[start] sentences [end], as many as fit, on into the next document behind another [end]; then padding."""

    def view(self, data: TextSplit) -> View[SentenceRow]:
        return data.whole_sentences(self.length - 2)
