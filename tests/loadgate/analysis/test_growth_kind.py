"""The kind of a growth of memory, and the sentences about it."""

from __future__ import annotations

from random import Random

import pytest

from loadgate import units
from loadgate.analysis.growth.growth import Growth, growth
from loadgate.analysis.growth.kind import HEAP_IN_USE, PYTHON_BLOCKS, Cause, GrowthKind, growth_kind
from loadgate.analysis.growth.lifetime import lifetime
from loadgate.analysis.growth.text import growth_sentence, kind_sentence
from loadgate.recorder.resources import ResourceUnit

SECONDS = range(600)


def grown(start: float, per_s: float, noise: float, unit: ResourceUnit = ResourceUnit.BYTES) -> Growth:
    rng = Random(2)
    found = growth(SECONDS, [start + per_s * second + noise * rng.random() for second in SECONDS], unit)
    assert found is not None
    return found


MEMORY = grown(100e6, 20_000, 1e5)
FLAT_BLOCKS, BLOCKS = (grown(7e5, per_s, 1000, ResourceUnit.COUNT) for per_s in (0, 200))
FLAT_HEAP, HEAP = (grown(20e6, per_s, 1e5) for per_s in (0, 20_000))


@pytest.mark.parametrize(
    ("blocks", "heap", "cause"),
    [
        (BLOCKS, FLAT_HEAP, Cause.PYTHON),
        (BLOCKS, HEAP, Cause.PYTHON),
        (BLOCKS, None, Cause.PYTHON),
        (FLAT_BLOCKS, HEAP, Cause.NATIVE),
        (FLAT_BLOCKS, FLAT_HEAP, Cause.RETAINED),
        (grown(7e5, 0, 1e6, ResourceUnit.COUNT), FLAT_HEAP, Cause.UNCLEAR),
    ],
)
def test_the_companions_show_the_kind(blocks: Growth, heap: Growth | None, cause: Cause) -> None:
    kind = growth_kind(MEMORY, {PYTHON_BLOCKS: blocks, HEAP_IN_USE: heap})
    assert kind is not None
    assert kind.cause is cause
    assert kind_sentence(kind).endswith(".")


def test_missing_companions_are_named() -> None:
    kind = growth_kind(MEMORY, {})
    assert kind is not None
    assert kind.missing == (PYTHON_BLOCKS, HEAP_IN_USE)
    assert kind_sentence(kind) == (
        "What keeps the memory is unknown, because python_blocks and heap_in_use were not measured."
    )
    one = GrowthKind(Cause.UNKNOWN, missing=(HEAP_IN_USE,))
    assert kind_sentence(one) == "What keeps the memory is unknown, because heap_in_use was not measured."


def test_memory_that_does_not_grow_has_no_kind() -> None:
    assert growth_kind(FLAT_HEAP, {PYTHON_BLOCKS: BLOCKS, HEAP_IN_USE: HEAP}) is None


def test_a_cache_has_a_size() -> None:
    rng = Random(3)
    cache = growth(SECONDS, [100e6 + 2e5 * min(second, 200) + 1e5 * rng.random() for second in SECONDS])
    assert cache is not None
    kind = growth_kind(cache, {})
    assert kind is not None
    assert kind.cause is Cause.LEVELS_OFF
    assert kind.size_bytes == pytest.approx(40e6, rel=0.05)
    assert kind_sentence(kind) == (
        f"The memory levelled off after a rise of {units.size(kind.size_bytes)}, like a cache or a warm-up."
    )


def test_the_sentence_names_the_growth_a_request_and_the_lifetime() -> None:
    leak = growth(SECONDS, [100e6 + 20_000.0 * second for second in SECONDS])
    assert leak is not None
    sentence = growth_sentence("api memory", leak, requests=10_000, lifetime=lifetime(leak, 512e6))
    assert sentence == (
        "api memory grew by 72.0 MB/h [71.7, 72.3], 1.18 kB per request; "
        "the limit of 512 MB will be reached in 5.56 h [5.53 h, 5.58 h]."
    )


def test_the_sentence_of_no_growth_names_the_smallest_leak_that_was_visible() -> None:
    flat = growth(SECONDS, [100e6 for _ in SECONDS])
    assert flat is not None
    assert growth_sentence("api memory", flat) == (
        "api memory showed no clear growth: 0 MB/h [-0.300, 0.300]; "
        "the 9 min 50 s after the ramp cannot show a leak under 12.2 MB/h."
    )
