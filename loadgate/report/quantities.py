"""The quantities of the target's resources: their order, units and texts, for all outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from loadgate.analysis.quantity_text import FORMATS, words
from loadgate.recorder.resources import LIMIT, WAIT_COUNT, WAIT_SUM, ColumnKind, ResourceColumn, ResourceUnit
from loadgate.report.text import printable
from loadgate.resource_names import CPU
from loadgate.units import cores, milliseconds

_WAITS = "waits"
_ORDER = (CPU, "memory", "connections", _WAITS, "depth", "open_files", "threads")
"""The quantities that people look at first. All waits have one place."""


@dataclass(frozen=True, slots=True)
class QuantityUnit:
    """The unit of a quantity. A chart multiplies its values by `factor`, which gives the unit `axis`."""

    name: str
    """The unit of the stored values, for other programs."""
    axis: str
    factor: float
    text: Callable[[float | None], str]
    """Formats a stored value for people."""


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


CORES = QuantityUnit("cores", "cores", 1.0, cores)
WAIT = QuantityUnit("s", "ms", 1000.0, lambda value: milliseconds(_scaled(value, 1000)))

_UNITS = {
    column: QuantityUnit(name, axis, factor, FORMATS[column])
    for column, name, axis, factor in (
        ((ColumnKind.LEVEL, ResourceUnit.BYTES), "bytes", "MB", 1e-6),
        ((ColumnKind.LEVEL, ResourceUnit.SECONDS), "s", "s", 1.0),
        ((ColumnKind.LEVEL, ResourceUnit.COUNT), "count", "count", 1.0),
        ((ColumnKind.FLOW, ResourceUnit.BYTES), "bytes/s", "MB/s", 1e-6),
        ((ColumnKind.FLOW, ResourceUnit.SECONDS), "s/s", "s/s", 1.0),
        ((ColumnKind.FLOW, ResourceUnit.COUNT), "count/s", "per second", 1.0),
    )
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """What the columns of a resource measure.

    Its value is the one of `amount`. If `per` is set, it is a wait: its mean is `amount` divided by `per`.
    """

    resource: str
    name: str
    unit: QuantityUnit
    amount: ResourceColumn
    per: ResourceColumn | None
    limit: Quantity | None = None

    @property
    def label(self) -> str:
        """Return the words for the quantity, as in `open files`."""
        return words(self.name)

    @property
    def chart(self) -> str:
        """Return the title of the chart that draws the quantity. All waits are in one chart."""
        return (
            "Waits" if self.per else "Queue depth" if self.name == "depth" else self.label[:1].upper() + self.label[1:]
        )

    @property
    def rank(self) -> int:
        """Return the place of the quantity among the others. 0 is the most important one."""
        name = _WAITS if self.per else self.name
        return _ORDER.index(name) if name in _ORDER else len(_ORDER)

    @property
    def is_detail(self) -> bool:
        """Return whether only the report shows the quantity: it is not important, and it has no limit."""
        return self.rank >= _ORDER.index("threads") and self.limit is None

    def text(self, value: float | None, limit: float | None = None) -> str:
        """Return a value with the words for the quantity, as in `connections 12 of 20`."""
        of = f" of {self.unit.text(limit)}" if limit is not None else ""
        return f"{self.label} {self.unit.text(value)}{of}"


def quantities(columns: Sequence[ResourceColumn]) -> list[Quantity]:
    """Return what the columns measure, by resource and importance.

    The two columns of a wait are one quantity, and a limit belongs to another quantity.
    """
    known: dict[tuple[str, str], ResourceColumn] = {}
    for column in columns:
        known.setdefault((column.resource, column.quantity), column)
    found = []
    for (resource, name), column in known.items():
        is_limit = name.endswith(LIMIT) and (resource, name.removesuffix(LIMIT)) in known
        is_count = name.endswith(WAIT_COUNT) and (resource, name.removesuffix(WAIT_COUNT) + WAIT_SUM) in known
        if is_limit or is_count:
            continue
        wait = name.removesuffix(WAIT_SUM)
        per = known.get((resource, wait + WAIT_COUNT)) if name.endswith(WAIT_SUM) else None
        unit = WAIT if per else CORES if name == CPU else _UNITS[column.kind, column.unit]
        limit = known.get((resource, name + LIMIT))
        limited = Quantity(resource, limit.quantity, unit, limit, None) if limit else None
        found.append(Quantity(resource, wait if per else name, unit, column, per, limited))
    resources = list(dict.fromkeys(quantity.resource for quantity in found))
    return sorted(found, key=lambda quantity: (resources.index(quantity.resource), quantity.rank))


def by_resource(texts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (resource, text) with the texts of each resource joined, as in `CPU 0.820 cores, memory 312 MB`."""
    parts = groupby(texts, key=lambda pair: pair[0])
    return [(printable(resource), printable(", ".join(text for _, text in pairs))) for resource, pairs in parts]


def real_limit(limit: float | None) -> float | None:
    """Return the limit. None if there is none, which many programs report as 0 or -1."""
    return limit if limit is not None and limit > 0 else None
