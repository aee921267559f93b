"""The text of simulated answers: readable Markdown with an exact number of tokens."""

from __future__ import annotations

import random

import pytest

from inference_core.llm.simulator.text import OPENING, answer_pieces

LONGEST = 400


def text_of(length: int, seed: int = 0, *, is_cut: bool = False) -> str:
    return "".join(answer_pieces(random.Random(seed), length, is_cut=is_cut))


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_an_answer_has_exactly_its_number_of_tokens(seed: int, is_cut: bool) -> None:
    for length in range(1, LONGEST):
        pieces = answer_pieces(random.Random(seed), length, is_cut=is_cut)
        assert len(pieces) == length
        assert all(pieces)


@pytest.mark.parametrize("seed", range(5))
def test_an_answer_that_is_not_cut_ends_with_a_sentence_list_or_code(seed: int) -> None:
    for length in range(len(OPENING), LONGEST):
        last = text_of(length, seed).splitlines()[-1]
        assert last.endswith((".", "```")) or last.startswith("- "), last


@pytest.mark.parametrize("seed", range(5))
def test_code_blocks_of_an_answer_that_is_not_cut_are_closed(seed: int) -> None:
    for length in range(len(OPENING), LONGEST):
        assert text_of(length, seed).count("```") % 2 == 0


def test_a_long_answer_has_paragraphs_lists_and_code() -> None:
    text = text_of(300)
    assert text.startswith("This is a simulated answer. ")
    assert text.count("\n\n") >= 6
    for mark in ("\n- **TTFT**: ", "\n1. Choose a profile.\n2. ", "\n```python\ndef percentile(values, share):\n    "):
        assert mark in text


def test_the_same_seed_gives_the_same_text_and_another_seed_another_one() -> None:
    assert text_of(100, seed=1) == text_of(100, seed=1)
    assert text_of(100, seed=1) != text_of(100, seed=2)


def test_a_cut_answer_is_the_beginning_of_a_longer_one() -> None:
    assert text_of(200, is_cut=True).startswith(text_of(50, is_cut=True))
