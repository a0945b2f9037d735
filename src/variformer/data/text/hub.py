"""Text columns of Hugging Face data sets, from the hub or from a local folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...paths import FolderOrName
from ..cache import digest_of, file_digest
from ..contracts import Split
from ..hub import folder_of, load_split, require_columns
from .document import Document, documents_of_rows


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

    def read(self) -> dict[Split, Iterator[Document]]:
        return {split: self._documents(name) for split, name in self._names().items() if name}

    def fingerprint(self, cache: Path) -> str:
        folder = folder_of(self.path)
        content = [[str(file.relative_to(folder)), file_digest(file, cache)] for file in self._files()]
        return digest_of("HubText", content or self.path, self.name, self.column, self._names(), self.revision)

    def contents(self, cache: Path) -> dict[str, str]:
        files = {str(file): file_digest(file, cache) for file in self._files()}
        return files or {self.path: str(self.revision)}

    def _documents(self, split: str) -> Iterator[Document]:
        cure = "data=text_files would name it, or skip it"
        table = load_split(self.path, self.name, split, self.revision, cure)
        require_columns(table, [self.column], self.path)
        rows = enumerate(table.select_columns([self.column]))
        yield from documents_of_rows(((f"{self.path}/{split}:{number}", row) for number, row in rows), self.column)

    def _names(self) -> dict[Split, str | None]:
        return {"train": self.train_split, "val": self.validation_split, "test": self.test_split}

    def _files(self) -> list[Path]:
        """Of a local folder."""
        folder = folder_of(self.path)
        return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
