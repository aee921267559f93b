"""Test which groups are found to use a wait."""

import random

from loadgate.analysis.causes.users import users


def test_a_group_that_makes_no_waits_is_left_out() -> None:
    rnd = random.Random(1)
    auth, health = [[float(rnd.randint(10, 40)) for _ in range(60)] for _ in range(2)]
    waits = [2 * count + rnd.randint(-3, 3) for count in auth]
    assert users(waits, [auth, health]) == {0}


def test_all_groups_that_make_waits_are_found() -> None:
    rnd = random.Random(2)
    groups = [[float(rnd.randint(10, 40)) for _ in range(90)] for _ in range(3)]
    waits = [first + 0.5 * third for first, _, third in zip(*groups, strict=True)]
    assert users(waits, groups) == {0, 2}


def test_constant_rates_tell_nothing_apart() -> None:
    assert users([20.0] * 60, [[10.0] * 60, [30.0] * 60]) == {0, 1}


def test_few_seconds_and_noise_leave_no_group_out() -> None:
    rnd = random.Random(3)
    auth, health = [[float(rnd.randint(10, 40)) for _ in range(60)] for _ in range(2)]
    assert users(auth[:15], [auth[:15], health[:15]]) == {0, 1}
    noisy = [max(0.0, count + rnd.gauss(0, 200)) for count in auth]
    assert users(noisy, [auth, health]) == {0, 1}


def test_no_waits_at_all_leave_no_group_out() -> None:
    rnd = random.Random(4)
    groups = [[float(rnd.randint(10, 40)) for _ in range(60)] for _ in range(2)]
    assert users([0.0] * 60, groups) == {0, 1}
    assert users([5.0] * 60, [[1.0] * 60]) == {0}
