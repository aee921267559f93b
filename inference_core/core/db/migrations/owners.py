"""The feature of each table: the one whose models define it, or whose revision scripts have created it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import MetaData, Table

from inference_core.core.db.base import Base
from inference_core.core.db.migrations.revisions import History, syntax_tree
from inference_core.core.feature import Feature, Service


def tables_of(service: Service, metadata: MetaData = Base.metadata) -> dict[str, Feature]:
    """Return the features of the tables of `metadata`, by their names. The models of the service are imported first.

    A table can stand in the module of models, in a module of that package, or in another module of the feature's
    package. Tables of features that the service does not have are left out.
    """
    service.load_each("models")
    modules = {mapper.local_table: mapper.class_.__module__ for mapper in Base.registry.mappers}
    plain = dict(_plain_tables(service, metadata))
    found = {}
    for name, table in metadata.tables.items():
        module = modules.get(table) or plain.get(table)
        if module and (feature := _feature_of(module, service)):
            found[name] = feature
    return found


def _plain_tables(service: Service, metadata: MetaData) -> Iterator[tuple[Table, str]]:
    """Yield the tables without a class, with the modules of the service that contain them as an attribute."""
    for name, module in list(sys.modules.items()):
        if _feature_of(name, service):
            for value in list(vars(module).values()):
                if isinstance(value, Table) and value.metadata is metadata:
                    yield value, name


def _feature_of(module: str, service: Service) -> Feature | None:
    """Return the feature with the longest package that contains a module."""
    packages = [
        (len(package), feature)
        for feature in service.features
        if feature.models
        for package in (feature.models, feature.models.rpartition(".")[0])
        if package and f"{module}.".startswith(f"{package}.")
    ]
    return max(packages, key=lambda found: found[0])[1] if packages else None


def created_tables(known: Iterable[History]) -> Mapping[str, Feature]:
    """Return the features of the tables that revision scripts have created, or have given a new name."""
    found = {}
    for history in known:
        for script in history.scripts:
            for call in ast.walk(syntax_tree(script.path)):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                    place = {"create_table": 0, "rename_table": 1}.get(call.func.attr)
                    if place is not None and place < len(call.args):
                        name = call.args[place]
                        if isinstance(name, ast.Constant) and isinstance(name.value, str):
                            found[name.value] = history.feature
    return found
