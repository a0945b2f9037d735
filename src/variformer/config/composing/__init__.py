"""Which config does a command line ask for?

- `compose`: the way from Hydra's config to a checked one, of a run and of an evaluation.
- `overrides`: how overrides are spelled, which were given, and how one changes a saved config.
- `hydra_errors`: what to print if Hydra refuses a command line.
- `earlier_runs`: whether a command resumes or repeats a run, and the config that it then has.
- `saved_configs`: the configs that earlier runs have saved.
- `sources`: the model of an earlier run as that of this one (model=source).
- `absolute_paths`: the paths of a config as absolute ones.
- `run_folder`: whether the folder of a run can be made; `folder_check` asks so before Hydra makes it.
"""
