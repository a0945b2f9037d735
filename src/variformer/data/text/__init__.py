"""Text: where it comes from, how it is cleaned and stored, and how it becomes tokens."""
