"""A page of bounded size: of a run with very many request names, those that tell most."""

from __future__ import annotations

from dataclasses import replace

from loadgate.report.html.series import ChartSeries
from loadgate.run.document import RunDocument

MAX_SHOWN_NAMES = 200


def bounded(document: RunDocument, series: ChartSeries) -> tuple[RunDocument, ChartSeries, int]:
    """Return the document and the series without the names beyond the limit, and how many those are.

    Names that rules judge come first, then those with most failures, then those with most requests. The document's
    other parts, groups and totals are left as they are.
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
