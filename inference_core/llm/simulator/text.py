"""The text of simulated answers: paragraphs, lists and code in Markdown, with an exact number of tokens."""

from __future__ import annotations

import random
import re

Pieces = tuple[str, ...]

# A word or punctuation with the whitespace before it.
PIECE = re.compile(r"\s*(?:\w+|[^\w\s]+)")
SENTENCES_IN_PARAGRAPH = 3
# Shorter words are not split into two tokens.
SPLIT_FROM_CHARACTERS = 4


def _pieces(text: str) -> Pieces:
    return tuple(PIECE.findall(text))


OPENING = _pieces("This is a simulated answer.")
SENTENCES = tuple(
    _pieces(f" {sentence}")
    for sentence in (
        "No provider is called, so this answer costs nothing.",
        "The number of the words and their times are realistic, but the words do not depend on your question.",
        "The same question gets the same answer for the same seed.",
        "A queue grows when requests arrive faster than they are served.",
        "The time to the first token depends on the length of the prompt.",
        "A percentile describes the slowest requests, and a mean hides them.",
        "Each token arrives a few milliseconds after the previous one.",
        "A server that is almost busy responds slowly, although nothing is broken.",
        "A cache makes the second request faster than the first.",
        "A timeout protects the caller, and a limit protects the service.",
        "A retry helps after a brief failure, and hurts a service that is overloaded.",
        "A stream keeps its connection open until the last token.",
        "Load that rises slowly shows where a service begins to slow down.",
        "Many failures start at the boundary between two systems.",
        "A small test on each commit finds more than a large test once a year.",
        "Buffers hide a slow reader for a while.",
        "Measure first, then change one thing.",
        "Limits need a test.",
        "Queues grow.",
    )
)
LIST = """

Three numbers describe a stream:

- **TTFT**: the time to the first token
- **ITL**: the time between two tokens
- **E2E**: the time to the last token"""
CODE = """

This function returns a percentile:

```python
def percentile(values, share):
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))]
```"""
STEPS = """

A load test has three steps:

1. Choose a profile.
2. Run it with `loadgate run`.
3. Read the verdict."""
SPECIAL = tuple(map(_pieces, (LIST, CODE, STEPS)))


def answer_pieces(rng: random.Random, length: int, *, is_cut: bool) -> Pieces:
    """Return the tokens of an answer with `length` tokens. It ends with a sentence, unless `is_cut`."""
    pieces = list(OPENING)
    sentences: list[Pieces] = []
    specials: list[Pieces] = []
    in_paragraph = 1
    while (room := length - len(pieces)) > 0:
        if in_paragraph >= SENTENCES_IN_PARAGRAPH:
            specials = specials or rng.sample(SPECIAL, len(SPECIAL))
            if is_cut or len(specials[-1]) <= room:
                pieces += specials.pop()
                in_paragraph = 0
                continue
        sentences = sentences or rng.sample(SENTENCES, len(SENTENCES))
        sentence = next((one for one in sentences if is_cut or len(one) <= room), None)
        if sentence is None:
            _split_words(pieces, room)
            break
        sentences.remove(sentence)
        pieces += sentence if in_paragraph else (f"\n\n{sentence[0].lstrip()}", *sentence[1:])
        in_paragraph += 1
    return tuple(pieces[:length])


def _split_words(pieces: list[str], count: int) -> None:
    """Split the last `count` long words into two tokens each. The text stays the same."""
    long = [index for index, piece in enumerate(pieces) if len(piece.strip()) >= SPLIT_FROM_CHARACTERS]
    for index in reversed(long[-count:]):
        piece = pieces[index]
        middle = len(piece) - len(piece.strip()) // 2
        pieces[index : index + 1] = [piece[:middle], piece[middle:]]
