"""Variformer's sweeper for Hydra, which finds plug-ins in packages of this name."""
