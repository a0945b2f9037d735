"""Text columns of Hugging Face data sets, from the hub or from a local folder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from variformer.data.cache import digest_of, file_digest
from variformer.data.sources import Document, Split
from variformer.data.text.files import texts_of_rows
from variformer.paths import FolderOrName


@dataclass(frozen=True)
class HubText:
    """One text column of a Hugging Face data set: a name on the hub, or a folder (of data files, or saved).

    Splits are the data set's own names, also slices such as "train[:10%]". Without a `revision` the hub's
    data may change under the same name, and the cache would not see it: pin one for published results.
    """

    path: FolderOrName
    name: str | None = None
    column: str = "text"
    train_split: str = "train"
    validation_split: str | None = None
    test_split: str | None = None
    revision: str | None = None

    @property
    def given(self) -> tuple[Split, ...]:
        return tuple(split for split, name in self._names().items() if name)

    def fingerprint(self, cache: Path) -> str:
        folder = self._folder()
        content: Any = [[str(file.relative_to(folder)), file_digest(file, cache)] for file in self._files()]
        return digest_of("HubText", content or self.path, self.name, self.column, self._names(), self.revision)

    def contents(self, cache: Path) -> dict[str, str]:
        files = {str(file): file_digest(file, cache) for file in self._files()}
        return files or {self.path: str(self.revision)}

    def documents(self, split: Split) -> Iterator[Document]:
        name = self._names()[split]
        dataset = self._load(str(name))
        if self.column not in dataset.column_names:
            columns = ", ".join(dataset.column_names)
            raise ValueError(f"{self.path}: no column {self.column!r}; there are: {columns}. Set `column`.")
        rows = enumerate(dataset.select_columns([self.column]))
        for row in texts_of_rows(rows, f"{self.path}/{name}", self.column):
            yield Document(*row)

    def _names(self) -> dict[Split, str | None]:
        return {"train": self.train_split, "val": self.validation_split, "test": self.test_split}

    def _folder(self) -> Path:
        return Path(os.path.expanduser(self.path))

    def _files(self) -> list[Path]:
        """Of a local folder."""
        folder = self._folder()
        return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []

    def _load(self, split: str) -> Any:
        import datasets
        from pyarrow.lib import ArrowException

        folder = self._folder()
        try:
            if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
                saved = datasets.load_from_disk(str(folder))
                if not isinstance(saved, datasets.DatasetDict):
                    saved = datasets.DatasetDict({"train": saved})
                return saved[split]
            path = str(folder) if folder.is_dir() else self.path
            return datasets.load_dataset(path, self.name, split=split, revision=self.revision)
        except KeyError as error:
            raise ValueError(f"{self.path}: no split {split!r}; there are: {', '.join(saved)}") from error
        except (OSError, ArrowException, datasets.exceptions.DatasetsError) as error:
            where = f"looked for a folder at {folder.absolute()}, then on the Hugging Face hub and in its local cache"
            if folder.is_dir():
                where = f"a file in {folder.absolute()} may be damaged; data=text_files would name it, or skip it"
            raise FileNotFoundError(
                f"could not load split {split!r} of data set {self.path!r} ({self.name!r}): {where}. {_reason(error)}"
            ) from error


def _reason(error: BaseException) -> str:
    """The first line of the error that began a chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
