"""What text and images have in common: where their items come from, and what a data set gives to a run."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from ..samples import ExampleSplit, LabelledTexts, TextCodec, TextSplit

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

OnBad = Literal["error", "skip"]  # what happens to an item that cannot be used; the default is an error
OnDuplicate = Literal["keep", "drop", "error"]  # what happens to items that occur more than once

ItemsT = TypeVar("ItemsT", covariant=True)
SplitT = TypeVar("SplitT", covariant=True)


class Source(Protocol[ItemsT]):
    """Where the items of a data set come from: documents (`TextSource`) or images (`ImageSource`)."""

    def read(self) -> Mapping[Split, ItemsT]:
        """The items of each split that the source has, "train" always among them; downloads what is missing.

        A split that is not there is cut from the training items. Of text, the data set cuts it; of images, the source.
        """
        ...


class DataSet(Protocol[SplitT]):
    """What a run needs of its data. `variformer.data.TextData` and `variformer.data.images.ImageData` are two.

    A class may have `samples_fingerprint(split)`, too: a text that changes whenever sample number i is another one, in
    whatever form models see it. Runs are compared where it is the same, and without it where `fingerprint` is.
    """

    holds: ClassVar[Any]  # "text", "examples" or "images": an objective that reads another kind is refused

    def prepare(self) -> None:
        """Do once what takes long. Raises ValueError or OSError where the data cannot be used."""
        ...

    def split(self, name: Split) -> SplitT:
        """What an objective's `view` takes."""
        ...

    @property
    def fingerprint(self) -> str:
        """Text that changes whenever a sample would. A run goes on only with the fingerprint that it began with."""
        ...

    @property
    def parts(self) -> dict[str, str]:
        """What the fingerprint follows from, by name, each with a short text that changes whenever it does."""
        ...

    @property
    def report(self) -> Mapping[str, Any]:
        """Counts that go into a run's record, as JSON: of each split, and of what was left out."""
        ...


class LabelledDataSet(DataSet[ExampleSplit], LabelledTexts, Protocol):
    """A data set of labelled examples, which an objective is built with."""

    @property
    def found_settings(self) -> dict[str, Any]:
        """Values of its config that an objective's questions have found, such as `labels`; the run keeps them."""
        ...


class TextDataSet(DataSet[TextSplit], Protocol):
    """A data set of texts has a tokenizer too."""

    @property
    def tokenizer(self) -> TextCodec:
        """Trained on the training split, or loaded; an objective is built with it, and a run keeps it."""
        ...


def check_choices(on_bad: str, on_duplicate: str = "keep") -> None:
    """Raises ValueError if one of the two is no choice."""
    if on_bad not in ("error", "skip"):
        raise ValueError(f"data.on_bad is error or skip, not {on_bad!r}")
    if on_duplicate not in ("keep", "drop", "error"):
        raise ValueError(f"data.on_duplicate is keep, drop or error, not {on_duplicate!r}")
