"""The conclusions of a run as sentences under titles."""

from __future__ import annotations

from loadgate.run.document import RunDocument

MAX_BRIEF = 5
"""The maximum number of sentences in the console and the summary. The report has all of them."""

MIN_GROWTH_S = 600.0
"""A shorter run shows the warm-up of a service as well. Its growth is only in the report, and rules judge it."""


def conclusions(document: RunDocument) -> list[tuple[str, list[str]]]:
    """Return a title and texts of one or more sentences for each kind of conclusion that the run has."""
    found = document.conclusions
    kinds = [
        ("Slow episodes", [episode.sentence for episode in found.episodes]),
        ("Changes of the load", [" ".join(one.sentences) for one in found.recoveries] + found.left_over),
        ("Growth", [growth.sentence for growth in found.growth]),
    ]
    return [(title, texts) for title, texts in kinds if texts]


def brief_conclusions(document: RunDocument) -> list[str]:
    """Return the sentences that need attention: slow episodes, recoveries that took time, and growth."""
    found = document.conclusions
    is_long = document.run.duration_s >= MIN_GROWTH_S
    growing = [record for record in found.growth if is_long and record.low_per_s > 0 and record.doubt is None]
    sentences = [
        *(episode.sentence for episode in found.episodes),
        *(" ".join(record.sentences[:2]) for record in found.recoveries if record.time_s != 0),
        *(record.sentence for record in growing),
    ]
    more = len(sentences) - MAX_BRIEF
    if more <= 0:
        return sentences
    return [*sentences[:MAX_BRIEF], f"{more} more {'conclusion is' if more == 1 else 'conclusions are'} in the report."]
