"""Render the Kubernetes manifests of a run: check the request, and write the manifests as YAML."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from loadgate.checks import host_problem
from loadgate.credentials import without_credentials
from loadgate.environment import quoted
from loadgate.errors import RequestError
from loadgate.project import Project
from loadgate.runner.cluster.commands import master_command, worker_command
from loadgate.runner.cluster.manifests import ClusterRun, manifests
from loadgate.runner.cluster.names import (
    cpu_problem,
    folder_problem,
    image_problem,
    longest_name,
    memory_problem,
    name_of_profile,
    name_problem,
    secret_problem,
)
from loadgate.runner.delivery import PUT_URL_VARIABLE, put_problem, shown_url
from loadgate.runner.describe import describe, suite_files
from loadgate.units import compact_duration

# The manifests set these options themselves, or they contradict a run with several machines.
_OWN_OPTIONS = {
    *("-H", "--master", "--worker", "--processes", "--headless", "--autostart", "--master-host", "--master-port"),
    *("--master-bind-host", "--master-bind-port", "--expect-workers", "--expect-workers-max-wait"),
}
_THIS_MACHINE = re.compile(r"localhost|127\..*|::1|0\.0\.0\.0|::|.*\.localhost")


class RenderError(RequestError):
    """Raised if the request for manifests is wrong. The text has one line for each error."""


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """The arguments of `loadgate k8s render`. `options` are passed to the run unchanged."""

    profile: str
    workers: int
    image: str
    host: str | None = None
    secret: str = ""
    name: str | None = None
    namespace: str = ""
    put: str = ""
    keep_s: float = 0.0
    cpu: str = "1"
    memory: str = "1Gi"
    folder: str = "/suite"
    run_time_s: float | None = None
    """Used instead of the run time of the profile."""
    locustfile: str | None = None
    options: Sequence[str] = ()


def render(request: RenderRequest, project: Project, file: str) -> str:
    """Return the manifests as a YAML text, which begins with the commands for its use. `file` is its name.

    Raises:
        RenderError, DescribeError: The request, the locustfile or the profile is wrong.
    """
    if problems := [*_problems(request)]:
        raise RenderError("\n".join(problems))
    files = suite_files(request.locustfile, project)
    locustfile = _in_image(files, project.root)
    declared = describe(files, request.profile, request.options)
    profile = request.profile or declared["default"]
    (run_time_s,) = (item["run_time_s"] for item in declared["profiles"] if item["name"] == profile)
    name = name_of_profile(profile, request.workers) if request.name is None else request.name
    run = ClusterRun(
        name=name,
        profile=profile,
        image=request.image,
        workers=request.workers,
        run_time_s=request.run_time_s or run_time_s,
        master=tuple(master_command(profile, locustfile, request.workers, _run_options(request))),
        worker=tuple(worker_command(locustfile, f"{name}-master")),
        folder=request.folder,
        reports=posixpath.normpath(posixpath.join(request.folder, project.reports)),
        cpu=request.cpu,
        memory=request.memory,
        namespace=request.namespace,
        secret=request.secret,
        host_from_secret=not request.host,
        keep_s=request.keep_s,
    )
    documents = yaml.dump_all(
        manifests(run), Dumper=_Dumper, sort_keys=False, explicit_start=True, width=120, allow_unicode=True
    )
    return (
        "".join(
            f"# {line}".rstrip() + "\n"
            for line in _instructions(run, shlex.quote(file) if file.isprintable() else "FILE")
        )
        + documents
    )


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some reader of YAML could take for a number, a truth value or a time."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Repeat what occurs twice."""
        return True


def _quoting(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    is_word = re.fullmatch(r"--?[A-Za-z][A-Za-z0-9-]*|/?[A-Za-z][A-Za-z0-9._/-]+", text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_word else '"')


_Dumper.add_representer(str, _quoting)


def _run_options(request: RenderRequest) -> list[str]:
    given = {
        "--host": request.host,
        "--run-time": compact_duration(request.run_time_s) if request.run_time_s else None,
        "--put": request.put,
        "--keep": compact_duration(request.keep_s) if request.keep_s else None,
    }
    return [part for option, value in given.items() if value for part in (option, value)] + [*request.options]


def _problems(request: RenderRequest) -> Iterator[str]:
    """Yield one line for each wrong option."""
    longest = longest_name(request.workers)
    checked = {
        "--image": image_problem(request.image),
        "--name": name_problem(request.name, longest) if request.name is not None else None,
        "--namespace": name_problem(request.namespace) if request.namespace else None,
        "--secret": secret_problem(request.secret) if request.secret else None,
        "--cpu": cpu_problem(request.cpu),
        "--memory": memory_problem(request.memory),
        "--folder": folder_problem(request.folder),
        "--host": _host_problem(request),
        "--put": _put_problem(request.put) if request.put else None,
    }
    yield from (f"{option}: {problem}" for option, problem in checked.items() if problem)
    for option in request.options:
        # The value of -H can follow without a space.
        name = "-H" if option.startswith("-H") else option.partition("=")[0]
        if name in _OWN_OPTIONS:
            yield f"{name}: the manifests set this option, or it does not apply to them; omit it"


def _host_problem(request: RenderRequest) -> str | None:
    if not request.host:
        return None if request.secret else "is missing; give the target's URL, or a --secret with the key TARGET_HOST"
    if without_credentials(request.host) != request.host:
        return "the URL contains a password; store it in a Secret as TARGET_HOST, and give only --secret"
    if problem := host_problem(request.host):
        return problem
    address = urlsplit(request.host).hostname or ""
    if _THIS_MACHINE.fullmatch(address):
        return f"{quoted(address)} is each pod itself; give the address of the service, such as http://api.default.svc"
    return None


def _put_problem(url: str) -> str | None:
    if shown_url(url) != url:
        return f"the URL contains a password or a signature; store it in a Secret as {PUT_URL_VARIABLE}, without --put"
    return put_problem(url)


def _in_image(files: str, root: Path) -> str:
    """Return locustfiles, in the form of Locust's -f, relative to the project's folder, which the image contains."""
    parts = []
    for part in files.split(","):
        path = Path(part)
        if "://" in part:
            parts.append(part)
        elif path.is_relative_to(root.resolve()):
            parts.append(path.relative_to(root.resolve()).as_posix())
        else:
            raise RenderError(f"{part}: is not in the folder of the project ({root}), which the image contains")
    return ",".join(parts)


def _instructions(run: ClusterRun, file: str) -> Iterator[str]:
    where = f" -n {run.namespace}" if run.namespace else ""
    pods = f"kubectl get pods{where} -l job-name={run.name}-master"
    master = f"job/{run.name}-master"
    yield f"A load run with {run.workers} workers, rendered by loadgate. The exit code of the master is the verdict."
    yield f"  kubectl apply -f {file}"
    yield f"  kubectl wait{where} --for=jsonpath='{{.status.ready}}'=1 --timeout=10m {master}"
    yield f"  kubectl logs{where} -f {master}"
    if run.keep_s:
        yield f"While the folder is kept for {compact_duration(run.keep_s)}: copy it, then end the wait."
        yield f"  kubectl cp{where} $({pods} -o name | cut -d/ -f2):{run.reports} reports"
        yield f"  kubectl exec{where} {master} -- sh -c 'kill 1'"
    state = "{.items[0].status.containerStatuses[0].state.terminated.exitCode}"
    yield f"  {pods} -o jsonpath='{state}'"
    yield f"  kubectl delete -f {file}"
