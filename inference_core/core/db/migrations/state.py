"""The state of each feature's schema, in words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from inference_core.core.db.migrations.revisions import histories
from inference_core.core.feature import Service


@dataclass(frozen=True, slots=True)
class FeatureState:
    """The revision of one feature in a database, and its newest revision. None stands for no revision."""

    feature: str
    current: str | None
    newest: str | None
    is_newer: bool

    def __str__(self) -> str:
        if self.is_newer:
            return f"{self.feature}: {self.current}, made by a newer version (this version knows {self.newest})"
        if self.current == self.newest:
            return f"{self.feature}: {self.current or 'no revisions'}{' (newest)' if self.current else ''}"
        return f"{self.feature}: {self.current or 'base'} (newest is {self.newest})"


def feature_states(service: Service, stored: Collection[str]) -> list[FeatureState]:
    """Return the states of the features with migrations, by the revisions in a database under their present names."""
    states = []
    for history in histories(service):
        newer = history.newer_of(stored)
        current = newer or history.current_of(stored)
        states.append(FeatureState(history.feature.name, current, history.head, is_newer=newer is not None))
    return states


def unknown_revisions(service: Service, stored: Collection[str]) -> list[str]:
    """Return a line for each revision in a database that belongs to no feature of the service."""
    shown = {state.current for state in feature_states(service, stored)}
    return [f"{name}: of a feature that {service.name} does not have" for name in stored if name not in shown]
