"""An index of a recorder's series by group and by name, with the names for display."""

from collections.abc import Iterable

from loadgate.recorder.cells import CellSeries, Outcome, SeriesKey

Item = tuple[SeriesKey, CellSeries]


class SeriesIndex:
    """An index of series by group and by name, so that a query for one name does not scan all series.

    `labels` maps each full name to its name for display. This is the full name if several methods share the name.
    """

    def __init__(self, series: Iterable[Item]) -> None:
        self.every = list(series)
        self.by_group: dict[str, list[Item]] = {}
        self.by_name: dict[str, list[Item]] = {}
        self.by_label: dict[str, list[Item]] = {}
        self.labels = _labels(key for key, _ in self.every)
        for key, one in self.every:
            if key.group:
                self.by_group.setdefault(key.group, []).append((key, one))
            for name in {key.name, key.full_name}:
                self.by_name.setdefault(name, []).append((key, one))
            self.by_label.setdefault(self.label(key), []).append((key, one))

    def label(self, key: SeriesKey) -> str:
        """Return the name of a series for display."""
        return self.labels.get(key.full_name, key.name) if key.method else key.name


def _labels(keys: Iterable[SeriesKey]) -> dict[str, str]:
    full_names: dict[str, set[str]] = {}
    for key in keys:
        if key.method and key.outcome is not Outcome.MEASURE:
            full_names.setdefault(key.name, set()).add(key.full_name)
    return {full: full if len(used) > 1 else name for name, used in full_names.items() for full in used}
