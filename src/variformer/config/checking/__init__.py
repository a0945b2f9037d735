"""Whether a config is right: each value alone, and all of them together."""
