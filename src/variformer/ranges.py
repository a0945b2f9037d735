"""The ranges of the numbers that a config may give: types to annotate parameters with.

The check of a config reads them from source text. All of them leave out what is not finite.
"""

from typing import Annotated

from annotated_types import Ge, Gt, Interval

Whole = Annotated[int, Ge(0)]
Count = Annotated[int, Ge(1)]
Seed = Annotated[int, Interval(ge=0, le=0xFFFFFFFF)]  # what NumPy's generators take
Column = Annotated[int, Interval(ge=-999, le=999)]  # of a file; negative numbers count from the last
Buckets = Annotated[int, Ge(4)]  # of distances: in each direction, one exact and one that grows
Magnitude = Annotated[int, Interval(ge=0, le=30)]  # of RandAugment's operations

Finite = Annotated[float, Interval(ge=-1e300, le=1e300)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
OneOrMore = Annotated[float, Ge(1)]
Probability = Annotated[float, Interval(ge=0, le=1)]
Fraction = Annotated[float, Interval(gt=0, lt=1)]
PartOrAll = Annotated[float, Interval(gt=0, le=1)]
UnderHalf = Annotated[float, Interval(gt=0, lt=0.5)]
BelowOne = Annotated[float, Interval(ge=0, lt=1)]  # dropout, and the decay of a moving average

StepsOrShare = Whole | BelowOne  # a number of optimizer steps, or a share of them all
