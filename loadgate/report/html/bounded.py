"""Bound the size of the page: show only the most relevant request names."""

from __future__ import annotations

from dataclasses import replace

from loadgate.report.html.series import ChartSeries
from loadgate.run.document import RunDocument

MAX_SHOWN_NAMES = 200


def bounded(document: RunDocument, series: ChartSeries) -> tuple[RunDocument, ChartSeries, int]:
    """Return the document and the series without the names beyond the limit, and the number of removed names.

    Names in rules are kept first, then those with the most failures, then those with the most requests. All other
    parts of the document are unchanged.
    """
    totals = document.totals
    names = totals.requests
    if len(names) <= MAX_SHOWN_NAMES:
        return document, series, 0
    judged = {rule.scope for rule in document.verdict.rules}

    def weight(place: int) -> tuple[bool, int, int]:
        figures = names[place]
        return figures.name in judged, figures.failures, figures.requests

    shown = sorted(sorted(range(len(names)), key=weight, reverse=True)[:MAX_SHOWN_NAMES])
    sums = len(series.scopes) - len(names)
    scopes = [*series.scopes[:sums], *(series.scopes[sums + place] for place in shown)]
    requests = [names[place] for place in shown]
    return (
        document.model_copy(update={"totals": totals.model_copy(update={"requests": requests})}),
        replace(series, scopes=scopes),
        len(names) - MAX_SHOWN_NAMES,
    )
