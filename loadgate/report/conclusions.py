"""The conclusions of a run as sentences under titles."""

from __future__ import annotations

from loadgate.run.document import RunDocument


def conclusions(document: RunDocument) -> list[tuple[str, list[str]]]:
    """Return (title, sentences) of each kind of conclusion that the run has."""
    found = document.conclusions
    kinds = [
        ("Slow episodes", [episode.sentence for episode in found.episodes]),
        ("Changes of the load", [text for one in found.recoveries for text in one.sentences] + found.left_over),
        ("Growth", [growth.sentence for growth in found.growth]),
    ]
    return [(title, sentences) for title, sentences in kinds if sentences]
