"""A user's own configs join those of the package. Hydra imports this plug-in at each start."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class StudyConfigs(SearchPathPlugin):
    """Appends conf/ of the working directory to the package's configs. Search paths of other programs stay the same."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        from variformer.configs import packaged, study

        main = [element.path for element in search_path.get_path() if element.provider == "main"]
        own = study() if main and Path(main[0].removeprefix("file://")).resolve() == packaged() else None
        if own is not None:
            search_path.append("study", f"file://{own}")
