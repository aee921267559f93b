"""Test the distributions against exact sums and published tables."""

import math

import pytest

from loadgate.analysis.binomial import binomial_cdf
from loadgate.analysis.student import student_quantile


@pytest.mark.parametrize("trials", [1, 2, 20, 73, 300, 1000])
@pytest.mark.parametrize("probability", [0.001, 0.05, 0.5, 0.95, 0.999])
def test_the_binomial_distribution_of_whole_numbers_is_exact(trials: int, probability: float) -> None:
    total = 0.0
    for successes in range(trials + 1):
        total += math.comb(trials, successes) * probability**successes * (1 - probability) ** (trials - successes)
        assert binomial_cdf(successes, trials, probability) == pytest.approx(total, abs=1e-9)


def test_the_binomial_distribution_rises_between_whole_numbers_and_has_ends() -> None:
    values = [binomial_cdf(successes / 4, 12.5, 0.6) for successes in range(51)]

    assert values == sorted(values)
    assert (binomial_cdf(-0.5, 12.5, 0.6), values[-1]) == (0.0, 1.0)


def test_many_trials_continue_where_the_exact_form_ends() -> None:
    few, many = binomial_cdf(9500, 10_000, 0.95), binomial_cdf(9501, 10_001, 0.95)

    assert many == pytest.approx(few, abs=0.02)


# Fisher and Yates, Statistical Tables, two-sided 5 % and 1 %.
@pytest.mark.parametrize(
    ("degrees", "at_95", "at_99"),
    [
        (1, 12.706, 63.657),
        (2, 4.303, 9.925),
        (3, 3.182, 5.841),
        (5, 2.571, 4.032),
        (9, 2.262, 3.250),
        (30, 2.042, 2.750),
    ],
)
def test_quantiles_of_student_are_those_of_the_tables(degrees: int, at_95: float, at_99: float) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(at_95, rel=0.0015)
    assert student_quantile(0.995, degrees) == pytest.approx(at_99, rel=0.03)
    assert student_quantile(0.025, degrees) == pytest.approx(-at_95, rel=0.0015)


@pytest.mark.parametrize(("probability", "degrees"), [(0.0, 5), (1.0, 5), (0.5, 0)])
def test_quantiles_that_do_not_exist_are_refused(probability: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        student_quantile(probability, degrees)
