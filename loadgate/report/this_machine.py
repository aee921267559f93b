"""What determines how fast this machine is, and how its Python process uses memory."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from loadgate.run.document.environment import MachineClassRecord, SoftwareRecord
from loadgate.sampler.processes.cgroups import Cgroups
from loadgate.sampler.processes.linux import LinuxSystem, read_text

_ROOT = Path("/")
_ALLOCATORS = re.compile(r"jemalloc|tcmalloc|mimalloc")
_ARM_FIELDS = ("CPU implementer", "CPU architecture", "CPU part")


def machine_class(root: Path = _ROOT) -> MachineClassRecord:
    """Return the class of this machine. `root` is the folder that holds `proc` and `sys`."""
    path = LinuxSystem(str(root / "proc")).cgroup(os.getpid())
    limits = Cgroups(root / "sys/fs/cgroup").state(path) if path is not None else None
    memory = limits.memory_limit_bytes if limits is not None else None
    return MachineClassRecord(
        cpu=_cpu(read_text(root / "proc/cpuinfo") or ""),
        usable_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        cpu_limit=limits.cores if limits is not None else None,
        memory_limit_bytes=int(memory) if memory is not None else None,
    )


def software(root: Path = _ROOT) -> SoftwareRecord:
    """Return the kernel and the allocator of this process."""
    maps = _mapped_files(root / "proc/self/maps")
    return SoftwareRecord(
        kernel=platform.release() or None,
        c_library=_c_library(maps or ""),
        python_malloc=os.environ.get("PYTHONMALLOC") or None,
        preloaded_allocator=_preloaded(os.environ.get("LD_PRELOAD", ""), maps),
    )


def _mapped_files(maps: Path) -> str | None:
    try:
        return maps.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _cpu(cpuinfo: str) -> str | None:
    """Return the model of the first processor. Processors of ARM have numbers instead of a name."""
    first, *_ = cpuinfo.split("\n\n")
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    numbers = [f"{name} {fields[name]}" for name in _ARM_FIELDS if fields.get(name)]
    return fields.get("model name") or fields.get("cpu model") or ", ".join(numbers) or None


def _c_library(maps: str) -> str | None:
    name, version = platform.libc_ver()
    if name:
        return f"{name} {version}".strip()
    return "musl" if "/ld-musl-" in maps else None


def _preloaded(variable: str, maps: str | None) -> str | None:
    """Return the file of an allocator in LD_PRELOAD. The loader ignores a file that it cannot load."""
    for entry in re.split(r"[\s:]+", variable):
        name = entry.rpartition("/")[2]
        if _ALLOCATORS.search(name) and (maps is None or _ALLOCATORS.search(maps)):
            return name
    return None
