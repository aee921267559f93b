"""Which tests one test process gets together."""

from __future__ import annotations

import functools
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling


class SharingModules(LoadScopeScheduling):
    """Hands out tests one by one, but those of a module that shares fixtures together.

    Its servers then start once, not once for each test process. (`--dist loadgroup` of pytest-xdist 3.8 groups nothing
    with pytest 9.2, which keeps no `_nodeid`.)
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if shares_fixtures(self.config.rootpath / module) else nodeid


@functools.cache
def shares_fixtures(module: Path) -> bool:
    """Whether a module, or what its folder's modules have in common, defines fixtures of the whole module."""
    sources = (module, module.with_name("conftest.py"))
    return any('scope="module"' in source.read_text(encoding="utf-8") for source in sources if source.exists())
