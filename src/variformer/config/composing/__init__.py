"""From the words of a command line to a config: overrides, folders, and the configs of earlier runs."""
