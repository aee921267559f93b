"""Quantiles of Student's t distribution."""

import math
from statistics import NormalDist


def student_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t distribution with `degrees` degrees of freedom.

    One and two degrees have closed forms. Otherwise the expansion of Abramowitz and Stegun, Handbook of Mathematical
    Functions, 26.7.5, is used. At 97.5 % its error is 0.1 % for 3 degrees and less for more. Raises ValueError for a
    probability that is not between 0 and 1, or for less than one degree.
    """
    if not 0.0 < probability < 1.0 or degrees < 1:
        raise ValueError(f"no quantile {probability!r} of Student's t with {degrees!r} degrees of freedom")
    if degrees == 1:
        return math.tan(math.pi * (probability - 0.5))
    if degrees == 2:
        distance = 2 * probability - 1
        return distance * math.sqrt(2 / (1 - distance * distance))
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / degrees ** (power + 1) for power, term in enumerate(terms))
