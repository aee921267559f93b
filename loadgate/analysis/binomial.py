"""The binomial distribution for numbers that need not be whole, such as an effective number of samples."""

import math
from itertools import count

_MANY = 10_000
_PRECISION = 1e-12
_TINY = 1e-300


def binomial_cdf(successes: float, trials: float, probability: float) -> float:
    """Return P(B <= successes) for B ~ Bin(trials, probability).

    It is the incomplete beta function I(1 - p; n - k, k + 1), which also exists between whole numbers (DLMF 8.17.5).
    Above 10,000 trials, the normal approximation with a continuity correction is used.
    """
    if successes < 0:
        return 0.0
    if successes >= trials:
        return 1.0
    if trials > _MANY:
        deviation = math.sqrt(trials * probability * (1 - probability))
        return 0.5 * math.erfc((trials * probability - successes - 0.5) / (deviation * math.sqrt(2)))
    return _incomplete_beta(1 - probability, trials - successes, successes + 1)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function for a, b > 0 and 0 < x < 1, by its continued fraction.

    The fraction is DLMF 8.17.22, evaluated from front to back (Lentz's method). It converges fast below the mean, so
    the symmetric form is used above it.
    """
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    numerator, denominator, fraction = 1.0, 0.0, 1.0
    for step in count(1):
        half, odd = divmod(step, 2)
        part = -(a + half) * (a + b + half) if odd else half * (b - half)
        term = part * x / ((a + step - 1) * (a + step))
        denominator = 1 / ((1 + term * denominator) or _TINY)
        numerator = (1 + term / numerator) or _TINY
        fraction *= numerator * denominator
        if abs(numerator * denominator - 1) < _PRECISION:
            break
    return math.exp(log_front) / (a * fraction)
