"""The automatic class of transformers that reads a model, whatever its family."""

READERS = {  # by how the name of the model's class ends
    "ForPreTraining": "AutoModelForPreTraining",
    "ForReplacedTokenDetection": "AutoModelForPreTraining",
    "ForMaskedLM": "AutoModelForMaskedLM",
    "LMHeadModel": "AutoModelForCausalLM",
    "ForCausalLM": "AutoModelForCausalLM",
    "ForConditionalGeneration": "AutoModelForSeq2SeqLM",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForTokenClassification": "AutoModelForTokenClassification",
    "ForQuestionAnswering": "AutoModelForQuestionAnswering",
    "ForImageClassification": "AutoModelForImageClassification",
    "ForImageClassificationWithTeacher": "AutoModelForImageClassification",
}


def reader_of(architecture: str) -> str:
    """The class that reads an `architecture`. Raises ValueError if the end of its name is unknown."""
    for ending, reader in READERS.items():
        if architecture.endswith(ending):
            return reader
    raise ValueError(f"no automatic class of transformers is known for {architecture}: add how it ends to {__name__}")
