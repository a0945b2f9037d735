"""Counter-based random numbers: pure functions of a key, so that no sample depends on who asks or in which order.

Each number is a hash of (key, stream, position), as in Salmon et al., 2011, "Parallel random numbers: as easy as
1, 2, 3"; the hash is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), applied at every stage.
"""

import numpy as np

# Shapes: B samples, N numbers for each.

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def sample_key(seed: int, epoch: int, index: int) -> int:
    """The 64-bit key of one sample's randomness in one epoch."""
    key = np.uint64(0)
    for part in (seed, epoch, index):
        key = _mix(key + np.array([part], dtype=np.uint64) * _GOLDEN + _GOLDEN)[0]
    return int(key)


def uniform(keys: np.ndarray, count: int, stream: int = 0) -> np.ndarray:
    """(B,) keys -> (B, N) floats in [0, 1), independent between streams."""
    return (_bits(keys, count, stream) >> np.uint64(11)) * 2.0**-53


def integers(keys: np.ndarray, count: int, high: int, stream: int = 0) -> np.ndarray:
    """(B,) keys -> (B, N) integers in [0, high)."""
    return (uniform(keys, count, stream) * high).astype(np.int64)


def _bits(keys: np.ndarray, count: int, stream: int) -> np.ndarray:
    keys = _mix(np.asarray(keys, dtype=np.uint64) + _mix(np.array([stream], dtype=np.uint64) + _GOLDEN))
    return _mix(keys[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)


def _mix(x: np.ndarray) -> np.ndarray:
    """A bijection of 64-bit integers whose output bits look independent (overflow is part of it)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
