"""What may a user type? The `variformer` command.

main.py: the command and its options, with quick answers to --help and --version.
commands.py: `train` and `evaluate`, whose command lines Hydra reads.
writing.py: `variformer generate` and `variformer fill`.
common.py: what several commands share.
studies.py: `variformer new`, which writes a small project of a user's own.
"""
