"""Test that the request name that broke a rule is named, with the time in which it did."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import pytest

from loadgate.recorder import RAMP, STEADY, FinishedRequest, Outcome, Recorder
from loadgate.rules import RuleOutcome, evaluate, parse_rules
from loadgate.run.breaches import breaches
from loadgate.run.document.conclusions import BreachRecord

START_S = 1_000
RUN_S = 60
GROUPS = {"Search": "shop", "Cart": "shop", "Item": "shop", "Login": "auth", "Me": "auth"}
PER_SECOND = {"Search": 8, "Cart": 3, "Item": 12, "Login": 1, "Me": 4}

Behaviour = Callable[[int, Random], float | str]
"""The latency in ms, or the error, of a request that ends in a second of the run."""


def usual(_: int, random: Random) -> float:
    return random.lognormvariate(3.0, 0.3)  # median 20 ms


def recorded(behaviours: Mapping[str, Behaviour], seed: int = 0, ramp_s: int = 0) -> Recorder:
    """The record of a run in which the names behave as usual or as given."""
    random, recorder = Random(seed), Recorder()
    for second in range(RUN_S):
        for name, number in PER_SECOND.items():
            for _ in range(number):
                found = behaviours.get(name, usual)(second, random)
                failed = isinstance(found, str)
                request = FinishedRequest(
                    name,
                    Outcome.FAILURE if failed else Outcome.SUCCESS,
                    start_s=START_S + second + 0.5,
                    latency_ms=5.0 if isinstance(found, str) else found,
                    group=GROUPS[name],
                    error=found if isinstance(found, str) else None,
                )
                recorder.record(request, RAMP if second < ramp_s else STEADY)
    return recorder


def found_in(recorder: Recorder, *rules: str) -> list[BreachRecord]:
    verdict = evaluate(parse_rules(list(rules)), recorder)
    return breaches(recorder, verdict.results, START_S)


def slow(factor: float, first_s: int = 0, end_s: int = RUN_S, share: float = 1.0) -> Behaviour:
    def latency(second: int, random: Random) -> float:
        value = usual(second, random)
        return value * factor if first_s <= second < end_s and random.random() < share else value

    return latency


def failing(text: str, share: float, first_s: int = 0, end_s: int = RUN_S) -> Behaviour:
    def outcome(second: int, random: Random) -> float | str:
        value = usual(second, random)
        return text if first_s <= second < end_s and random.random() < share else value

    return outcome


def twice(second: int, random: Random) -> float:
    return usual(second, random) * (10 if second in range(5, 15) or second in range(40, 55) else 1)


@dataclass(frozen=True)
class Stub:
    """A service in which one name is at fault, the rule that it breaks, and what must be said of it."""

    culprit: str
    behaviour: Behaviour
    rule: str
    said: tuple[str, ...] = ()


STUBS = {
    "slow throughout": Stub("Search", slow(10), "shop: p95 < 100ms", ("Broken during the whole run by Search (p95 ",)),
    "slow for a time": Stub("Cart", slow(20, 18, 43), "shop: p95 < 100ms", ("in the rest of the run",)),
    "slow at the end": Stub("Item", slow(10, 50), "shop: p95 < 60ms", (" to 1:00 by Item",)),
    "slow at times": Stub("Item", slow(15, share=0.2), "overall: p95 < 60ms"),
    "rare and very slow": Stub("Login", slow(50), "auth: p95 < 200ms"),
    "frequent and a little slow": Stub("Item", slow(2.2), "overall: mean < 27ms"),
    "slow twice": Stub("Me", twice, "auth: p95 < 100ms", ("Broken 2 times, longest from 0:",)),
    "slow in a window": Stub("Search", slow(10, 30, 42), "shop: p95 < 100ms over 10s"),
    "fails now and then": Stub(
        "Login", failing("500 Internal Server Error", 0.4), "overall: failures < 1%", ("failed, 500 Internal Server",)
    ),
    "fails for a time": Stub("Cart", failing("timed out", 0.9, 20, 30), "shop: failures < 1%", ("timed out",)),
}


@pytest.mark.parametrize("stub", STUBS.values(), ids=STUBS)
@pytest.mark.parametrize("seed", range(3))
def test_the_culprit_is_named(stub: Stub, seed: int) -> None:
    (found,) = found_in(recorded({stub.culprit: stub.behaviour}, seed), stub.rule)
    assert found.rule == stub.rule
    assert found.requests == [stub.culprit]
    assert all(text in found.sentence for text in stub.said), found.sentence


def test_the_time_is_the_broken_time() -> None:
    (found,) = found_in(recorded({"Cart": slow(20, 18, 43)}), "shop: p95 < 100ms")
    ((first_s, end_s),) = found.spans
    assert first_s - START_S == pytest.approx(18, abs=4)
    assert end_s - START_S == pytest.approx(43, abs=4)


def test_a_rare_name_has_the_time_of_its_slow_requests() -> None:
    # One request per second gives a single period, which is the whole run.
    (found,) = found_in(recorded({"Login": slow(20, 21, 51)}), "Login: p95 < 100ms")
    assert found.spans == [(START_S + 21, START_S + 51)]
    assert re.fullmatch(
        r"Broken from 0:21 to 0:51 by Login \(p95 \d+ ms, \d\d\.\d ms in the rest of the run\)\.", found.sentence
    )


def test_a_pause_that_can_be_a_coincidence_belongs_to_the_broken_time() -> None:
    (found,) = found_in(recorded({"Login": slow(20, 2, 58)}), "Login: p95 < 100ms")
    # All requests between were slow, so two in a row that were not are no coincidence.
    assert found.spans == [(START_S + 2, START_S + 59)]
    (found,) = found_in(recorded({"Login": slow(20, share=0.3)}, seed=3), "Login: p95 < 100ms")
    assert found.sentence.startswith("Broken during the whole run by Login (p95 ")


def test_a_rule_without_the_ramp_says_so() -> None:
    (found,) = found_in(recorded({"Search": slow(10)}, ramp_s=10), "shop: p95 < 100ms")
    assert found.sentence.startswith("Broken during the whole run after the ramp by Search (p95 ")


@pytest.mark.parametrize("rule", ["overall: p95 < 100ms", "overall: failures < 5%"])
def test_if_all_are_slow_or_fail_none_stands_out(rule: str) -> None:
    all_slow = dict.fromkeys(GROUPS, slow(10))
    all_failing = dict.fromkeys(GROUPS, failing("503", 0.2))
    (found,) = found_in(recorded(all_failing if "failures" in rule else all_slow), rule)
    assert found.requests == []
    assert re.search(r"stands out: 5 of 5 break the limit on their own, most of all \w+ \(.*\)\.$", found.sentence)


def test_a_limit_that_all_break_twice_is_described_in_two_sentences() -> None:
    (found,) = found_in(recorded(dict.fromkeys(GROUPS, twice)), "overall: p95 < 100ms")
    assert re.fullmatch(r"Broken 2 times, longest from [\d:]+ to [\d:]+\. No request name .*", found.sentence)


def test_two_of_five_can_be_at_fault() -> None:
    (found,) = found_in(recorded({"Cart": slow(20), "Me": slow(20)}), "overall: p95 < 60ms")
    assert sorted(found.requests) == ["Cart", "Me"]


def test_the_only_name_of_a_scope_is_named_with_its_time() -> None:
    (found,) = found_in(recorded({"Login": slow(30, 30)}), "Login: p95 < 100ms")
    assert found.requests == ["Login"]
    assert " by Login (p95 " in found.sentence


def test_the_ramp_does_not_count_if_the_rule_excludes_it() -> None:
    recorder = recorded({"Cart": slow(50, 0, 10), "Item": slow(10, 40, 60)}, ramp_s=10)
    (found,) = found_in(recorder, "shop: p95 < 100ms")
    assert found.requests == ["Item"]


def test_rules_that_hold_and_rules_on_other_things_have_no_breach() -> None:
    rules = ["shop: p95 < 1s", "overall: requests > 1000000", "overall: p50 > 1s"]
    assert found_in(recorded({}), *rules) == []
    verdict = evaluate(parse_rules(rules), recorded({}))
    assert [result.outcome for result in verdict.results] == [RuleOutcome.PASS, RuleOutcome.FAIL, RuleOutcome.FAIL]
