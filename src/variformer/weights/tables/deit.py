"""DeiT: `DeiTForImageClassificationWithTeacher`, or `DeiTForImageClassification` with one head."""

from ...models import DeiT, SingleHeadDeiT
from ..settings import Settings
from ..table import STACKED, Family, Row, Tensors, rows
from . import vit

BODY = {ours: theirs.replace("vit.", "deit.", 1) for ours, theirs in vit.BODY.items()}
SPECIALS = ("deit.embeddings.cls_token", "deit.embeddings.distillation_token")
ONE_HEAD = {"head": "classifier"}
TWO_HEADS = {"head": "cls_classifier", "teacher_head": "distillation_classifier"}


def table(model: DeiT | SingleHeadDeiT) -> list[Row]:
    heads = TWO_HEADS if hasattr(model, "teacher_head") else ONE_HEAD
    return [
        *rows(BODY | heads, "weight", "bias"),
        Row(("encoder.embedding.specials",), SPECIALS, STACKED),
        vit.POSITIONS._replace(theirs=("deit.embeddings.position_embeddings",)),
    ]


def build(config: Settings, tensors: Tensors) -> DeiT | SingleHeadDeiT:
    if "classifier.weight" in tensors:
        return SingleHeadDeiT(**vit.numbers(config, tensors, "classifier.weight"))
    return DeiT(**vit.numbers(config, tensors, "cls_classifier.weight"))


def architecture(model: DeiT | SingleHeadDeiT) -> str:
    return f"DeiTForImageClassification{'WithTeacher' if hasattr(model, 'teacher_head') else ''}"


DEIT = Family(
    model_type="deit",
    year=2020,
    models=(DeiT, SingleHeadDeiT),
    build=build,
    table=table,
    differences=vit.differences,
    config=vit.config,
    architecture=architecture,
    prefix="deit.",
    our_scores="head.weight",
    unused=vit.VIT.unused.replace("vit", "deit", 1),
    heads=("head", "teacher_head"),
)
