"""Determine what the sampler measures: from the settings, the host under test, and the managed target's process id."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from loadgate.checks import host_problem, is_http
from loadgate.credentials import is_same_server, without_credentials
from loadgate.paths import TARGET_PID_VARIABLE
from loadgate.project import Project
from loadgate.resource_names import TARGET
from loadgate.resource_settings import ProcessResource, PrometheusResource
from loadgate.sampler.configuration import Configuration, MetricSource, ProcessSource


def sampled_target(project: Project, hosts: Sequence[str]) -> tuple[Configuration, list[str]]:
    """Return what the sampler measures, and sentences on what it cannot measure.

    `hosts` are the hosts of the run. Only the first one is sampled.
    """
    host = hosts[0] if hosts else ""
    entries = project.resource or (ProcessResource(name=TARGET, kind="process"),)
    processes = [entry for entry in entries if isinstance(entry, ProcessResource)]
    metrics = [entry for entry in entries if isinstance(entry, PrometheusResource)]
    notes: list[str] = []
    pid, port = _managed_pid(), None
    if pid is None and processes:
        port, problem = _port_here(host)
        if problem:
            names = " and ".join(dict.fromkeys(repr(entry.name) for entry in processes))
            notes.append(f"the processes of {names} are not measured, because {problem}")
            processes = []
    relative = [entry for entry in metrics if entry.url.startswith("/")]
    if relative and (not is_http(host) or host_problem(host)):
        notes.append(f"{relative[0].url} is not read, because the run has no valid http:// or https:// host")
        metrics = [entry for entry in metrics if entry not in relative]
    elif pid is None:
        foreign = [entry for entry in relative if not _gets_token(entry, host, project)]
        notes += dict.fromkeys(_refusal(entry, host, project) for entry in foreign)
        metrics = [entry for entry in metrics if entry not in foreign]
    collect = project.target.collect if project.target is not None and pid is not None else None
    configuration = Configuration(
        pid=pid,
        port=port,
        processes=tuple(_process_source(entry, project) for entry in processes),
        metrics=tuple(_metric_source(entry, host) for entry in metrics),
        collect=_url(host, collect) if collect is not None else None,
    )
    return configuration, notes


def _gets_token(entry: PrometheusResource, host: str, project: Project) -> bool:
    """Return whether a host may get the token of an entry, which belongs to the hosts of the settings."""
    return entry.bearer is None or any(is_same_server(host, known) for known in (project.host, *entry.bearer_hosts))


def _refusal(entry: PrometheusResource, host: str, project: Project) -> str:
    return without_credentials(
        f"{entry.url} is not read, because the token in {entry.bearer} belongs to {project.host} and not to {host}; "
        "to send it there, add the host to bearer_hosts"
    )


def _managed_pid() -> int | None:
    """Return the process id of the target that `loadgate run` has started."""
    given = os.environ.get(TARGET_PID_VARIABLE, "")
    return int(given) if re.fullmatch(r"[0-9]{1,9}", given) else None


def _port_here(host: str) -> tuple[int | None, str]:
    """Return the port of a host on this machine, or why there is none."""
    if not host:
        return None, "the run has no host"
    try:
        parts = urlsplit(host)
        port = parts.port or (443 if parts.scheme in {"https", "wss"} else 80)
    except ValueError:
        return None, "the host is not an address"
    if not parts.hostname:
        return None, "the host is not an address"
    if not _is_this_machine(parts.hostname):
        return None, f"{parts.hostname} is not this machine"
    return port, ""


def _is_this_machine(name: str) -> bool:
    """Return whether a socket of this machine can have the address of a host."""
    try:
        addresses = socket.getaddrinfo(name, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    for family, kind, protocol, _, address in addresses:
        with socket.socket(family, kind, protocol) as probe:
            try:
                probe.bind(address)
            except OSError:
                continue
            return True
    return False


def _process_source(entry: ProcessResource, project: Project) -> ProcessSource:
    pid_file = str(project.root / entry.pid_file) if entry.pid_file is not None else None
    return ProcessSource(entry.name, entry.command, entry.port, pid_file)


def _metric_source(entry: PrometheusResource, host: str) -> MetricSource:
    return MetricSource(
        resource=entry.name,
        quantity=entry.quantity,
        url=_url(host, entry.url),
        wait_quantity=entry.wait_quantity,
        used=entry.used,
        limit=entry.limit,
        wait=entry.wait,
        rate=entry.rate,
        unit=entry.unit,
        bearer=entry.bearer,
        optional=entry.optional,
    )


def _url(host: str, url: str) -> str:
    return host.rstrip("/") + url if url.startswith("/") else url
