"""Types of parameters that name local files. What a config gives for such a parameter is kept as an absolute path.

A parameter is annotated with one of them, also within a union or a sequence: `LocalPath | Sequence[LocalPath] | None`.
"""

LocalPath = str  # a file, a folder or a glob
PathOrName = str  # a file or a folder where there is one of this name, else a name on the Hugging Face hub
FolderOrName = str  # the same, but a file is none
