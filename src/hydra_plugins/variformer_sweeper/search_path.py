"""A user's own configs join those of the package. Hydra imports this at each start, and asks it at each search path."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class StudyConfigs(SearchPathPlugin):
    """Appends the working directory's conf/ to the package's configs; other programs' search paths stay as they are."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        from variformer.configs import packaged, study

        main = [element.path for element in search_path.get_path() if element.provider == "main"]
        own = study() if main and Path(main[0].removeprefix("file://")).resolve() == packaged() else None
        if own is not None:
            search_path.append("study", f"file://{own}")
