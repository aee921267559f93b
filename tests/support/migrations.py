"""Services whose migrations a test writes: the first revisions of the built-in one, and those of a feature `notes`."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from inference_core.core.feature import Feature, Service, folder_of
from tests.support.settings import service as built_in

SCRIPT = """\
import os
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {after!r}
branch_labels = {labels!r}
depends_on = None
{more}


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
"""


@dataclass(frozen=True)
class Written:
    """A service with the feature `name`, and the folder of its migrations, to which a test adds scripts."""

    service: Service
    folder: Path
    name: str = "notes"

    def add(self, number: str, *, up: str, down: str = "pass", more: str = "", after: str | None = "0001") -> None:
        follows = after and f"{self.name}_{after}"
        labels = None if follows else (self.name,)
        (self.folder / f"r{number}_x.py").write_text(
            SCRIPT.format(revision=f"{self.name}_{number}", after=follows, labels=labels, more=more, up=up, down=down)
        )


def written_service(folder: Path) -> Written:
    """Return the service with the first revision of every feature, and an empty first one of `notes`.

    `folder` keeps the packages of its migrations. A second process gets the same service by the same folder.
    """
    features = with_first_revisions(folder, 1).features
    names = tuple(feature.name for feature in features if feature.migrations)
    package = new_package(folder, "notes")
    notes = Feature(name="notes", requires=names, migrations=package.name)
    written = Written(Service(name=built_in.name, features=(*features, notes), title=built_in.title), package)
    if not list(package.glob("r*.py")):
        written.add("0001", up="pass", after=None)
    return written


def replace_features(*features: Feature) -> Service:
    """Return the built-in service with other features."""
    return replace(built_in, features=features)


def with_first_revisions(folder: Path, count: int) -> Service:
    """Return the built-in service with the first `count` revisions of every feature."""
    return replace_features(*(_with_first_revisions(feature, folder, count) for feature in built_in.features))


def _with_first_revisions(feature: Feature, folder: Path, count: int) -> Feature:
    if not feature.migrations:
        return feature
    package = new_package(folder, f"first_{feature.name}")
    for script in sorted(folder_of(feature.load("migrations")).glob("r0*.py"))[:count]:
        shutil.copy(script, package)
    return replace(feature, migrations=package.name)


def new_package(folder: Path, name: str) -> Path:
    """Return the folder of a new package, whose name is that of the folder. `folder` must be in `sys.path`."""
    # Every test has a folder of its own, so the names of its packages are unique in the test process.
    package = folder / f"{name}_{folder.parent.name}"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    importlib.invalidate_caches()
    return package
