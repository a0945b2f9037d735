"""Which classes a config may name, and what they take, read from their source text without importing it."""
