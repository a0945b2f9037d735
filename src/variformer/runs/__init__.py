"""From a config to a run: what it is built of, and how it starts, trains, stops, continues, repeats and is scored."""
