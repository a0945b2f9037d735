"""Variformer: variants of the transformer, trained, compared and exported from one config tree."""
