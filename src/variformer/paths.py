"""Types of parameters that name local files. What a config gives for such a parameter is kept as an absolute path.

A parameter takes one of them, also in a union or a sequence: `LocalPattern | Sequence[LocalPattern] | None`.
"""

LocalPath = str  # a file or a folder
LocalPattern = str  # a file, or a glob
PathOrName = str  # a file or a folder where there is one of this name, else a name on the Hugging Face hub
FolderOrName = str  # the same, but a file is none
