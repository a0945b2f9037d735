"""A study of its own: what it adds to Variformer. Configs in conf/ name these classes."""
