"""Check the names and values that a Kubernetes API server would refuse."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from loadgate.environment import quoted

LONGEST_LABEL = 63
"""Characters of a label (RFC 1123), of a host name, and of the value of a Kubernetes label."""

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_CPU = re.compile(r"\d{1,6}m|\d{1,4}(?:\.\d{1,3})?")
_MEMORY = re.compile(r"(?P<number>\d{1,12}(?:\.\d{1,3})?)(?P<unit>[KMGT]i|[kMGT]|)")
_UNIT_BYTES = {"": 1} | {f"{unit}i": 1024**power for power, unit in enumerate("KMGT", 1)}
_UNIT_BYTES |= {unit: 1000**power for power, unit in enumerate("kMGT", 1)}
LEAST_MEMORY_BYTES = 64 * 1024**2
"""A pod with less memory is killed at its start."""
_IMAGE_PART = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?/)?{_IMAGE_PART}(?:/{_IMAGE_PART})*"
    r"(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_FOLDER = re.compile(r"/[\w./-]*", re.ASCII)


def longest_name(workers: int) -> int:
    """Return the largest length of a run's name: the host name of its last worker must be a label."""
    return LONGEST_LABEL - len(f"-worker-{workers - 1}")


def name_of_profile(profile: str, workers: int) -> str:
    """Return a name for a run of a profile, made of the letters and digits that a name can contain."""
    words = re.findall(r"[a-z0-9]+", profile.lower())
    return "-".join(["loadgate", *words])[: longest_name(workers)].rstrip("-")


def name_problem(name: str, longest: int = LONGEST_LABEL) -> str | None:
    """Return why a text is not a DNS label (RFC 1123) of at most `longest` characters. `None` if it is one."""
    if len(name) <= longest and _LABEL.fullmatch(name):
        return None
    return f"{quoted(name)} is not a name of at most {longest} lower-case letters, digits and hyphens"


def secret_problem(name: str) -> str | None:
    """Return why a text is not the name of a Secret, which consists of labels and dots. `None` if it is one."""
    if len(name) <= 253 and all(_LABEL.fullmatch(part) for part in name.split(".")):
        return None
    return f"{quoted(name)} is not the name of a Secret; it consists of lower-case letters, digits, hyphens and dots"


def image_problem(image: str) -> str | None:
    """Return why a text is not the reference of a container image. `None` if it is one."""
    if len(image) <= 512 and _IMAGE.fullmatch(image):
        return None
    return f"{quoted(image)} is not the name of an image; write it like registry.example.com/load:1.0"


def cpu_problem(cpu: str) -> str | None:
    """Return why a text is not a number of cores above 0. `None` if it is one."""
    if _CPU.fullmatch(cpu) and float(cpu.removesuffix("m")) > 0:
        return None
    return f"{quoted(cpu)} is not a number of cores; write it like 2, 0.5 or 500m"


def memory_problem(memory: str) -> str | None:
    """Return why a text is not a size of memory in which Locust can start. `None` if it is one."""
    if not (match := _MEMORY.fullmatch(memory)):
        return f"{quoted(memory)} is not a size of memory; write it like 512Mi or 2Gi"
    if float(match["number"]) * _UNIT_BYTES[match["unit"]] < LEAST_MEMORY_BYTES:
        return f"{quoted(memory)} is less than the 64Mi that Locust needs to start; write it like 512Mi or 2Gi"
    return None


def folder_problem(folder: str) -> str | None:
    """Return why a text is not an absolute path that a container can use as its folder. `None` if it is one."""
    if len(folder) <= 255 and _FOLDER.fullmatch(folder) and ".." not in PurePosixPath(folder).parts and folder != "/":
        return None
    return f"{quoted(folder)} is not the absolute path of a folder in the image, such as /suite"
