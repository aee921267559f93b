"""The Kubernetes manifests of a run: a master and its workers, which need no operator and no permission.

    NetworkPolicy NAME          only the workers reach the master
    Service NAME-master         the name of the master for its workers
    Job NAME-master             the run; the exit code of its only pod is that of the verdict
    Job NAME-worker             one indexed pod for each worker

No pod is ever started again, because a second attempt would be another measurement. A worker that fails leaves the
others running, so that the master can say which one is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loadgate.runner.cluster.commands import CONNECT_WITHIN_S, PORT

Manifest = dict[str, Any]

USER = 65_532
"""The user and the group of all processes. Nothing in the image belongs to it."""

SCHEDULE_WITHIN_S = 600
"""Time for the cluster to place the master and to load its image."""
CONCLUDE_WITHIN_S = 120
"""Time for requests in flight, the verdict and the report, which together take less than half of it."""
DELIVER_WITHIN_S = 150
"""Time to send the run folder, more than `runner.upload.WITHIN_S`."""
KEPT_AFTER_S = 86_400
"""Time after which the cluster deletes Jobs that have ended."""
VOLUME_LIMIT = "2Gi"


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """A run of a master and `workers` workers, with names and values that an API server accepts.

    `folder` is the folder of the project in the image, and `reports` that of the reports; both are absolute.
    """

    name: str
    profile: str
    image: str
    workers: int
    run_time_s: float
    master: tuple[str, ...]
    worker: tuple[str, ...]
    folder: str
    reports: str
    cpu: str
    memory: str
    namespace: str = ""
    secret: str = ""
    """The Secret whose keys become environment variables."""
    host_from_secret: bool = False
    """Whether the Secret must contain the target's URL, as TARGET_HOST."""
    keep_s: float = 0.0


def manifests(run: ClusterRun) -> list[Manifest]:
    """Return the manifests in the order in which they should be created."""
    return [_network_policy(run), _service(run), _master_job(run), _worker_job(run)]


def longest_s(run: ClusterRun) -> int:
    """Return the seconds after which the cluster ends the run, if it has not ended itself."""
    waits_s = SCHEDULE_WITHIN_S + CONNECT_WITHIN_S + CONCLUDE_WITHIN_S + DELIVER_WITHIN_S
    return int(waits_s + run.run_time_s + run.keep_s) + 1


def _labels(run: ClusterRun, component: str) -> dict[str, str]:
    return {**_run_labels(run), "app.kubernetes.io/component": component}


def _run_labels(run: ClusterRun) -> dict[str, str]:
    return {"app.kubernetes.io/name": "loadgate", "app.kubernetes.io/instance": run.name}


def _metadata(run: ClusterRun, name: str, labels: dict[str, str]) -> Manifest:
    namespace = {"namespace": run.namespace} if run.namespace else {}
    return {"name": name, **namespace, "labels": labels}


def _network_policy(run: ClusterRun) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(run, run.name, _run_labels(run)),
        "spec": {
            "podSelector": {"matchLabels": _run_labels(run)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": _labels(run, "worker")}}],
                    "ports": [{"protocol": "TCP", "port": PORT}],
                }
            ],
        },
    }


def _service(run: ClusterRun) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(run, f"{run.name}-master", _labels(run, "master")),
        "spec": {
            "clusterIP": "None",
            # The workers connect while the master, which has no probe, waits for them.
            "publishNotReadyAddresses": True,
            "selector": _labels(run, "master"),
            "ports": [{"name": "locust", "protocol": "TCP", "port": PORT, "targetPort": PORT}],
        },
    }


def _master_job(run: ClusterRun) -> Manifest:
    environment: list[Manifest] = []
    if run.host_from_secret:
        source = {"secretKeyRef": {"name": run.secret, "key": "TARGET_HOST"}}
        environment.append({"name": "TARGET_HOST", "valueFrom": source})
    container = _container(run, "master", run.master, environment)
    container["ports"] = [{"name": "locust", "protocol": "TCP", "containerPort": PORT}]
    container["volumeMounts"].append({"name": "reports", "mountPath": run.reports})
    pod = _pod(container, stop_within_s=CONCLUDE_WITHIN_S + DELIVER_WITHIN_S)
    pod["volumes"].append(_volume("reports"))
    return _job(run, "master", pod, {"backoffLimit": 0})


def _worker_job(run: ClusterRun) -> Manifest:
    pod = _pod(_container(run, "worker", run.worker, []), stop_within_s=CONCLUDE_WITHIN_S)
    pod["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": _labels(run, "worker")},
        }
    ]
    indexed = {
        "completionMode": "Indexed",
        "completions": run.workers,
        "parallelism": run.workers,
        # With backoffLimit: 0, the first worker that fails would end all others.
        "backoffLimitPerIndex": 0,
    }
    return _job(run, "worker", pod, indexed)


def _job(run: ClusterRun, component: str, pod: Manifest, spec: Manifest) -> Manifest:
    labels = _labels(run, component)
    metadata = _metadata(run, f"{run.name}-{component}", labels)
    # A profile can have any name, which a label cannot.
    metadata["annotations"] = {"loadgate/profile": run.profile}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            **spec,
            "activeDeadlineSeconds": longest_s(run),
            "ttlSecondsAfterFinished": KEPT_AFTER_S,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _pod(container: Manifest, *, stop_within_s: int) -> Manifest:
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": stop_within_s,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [_volume("tmp")],
    }


def _container(run: ClusterRun, component: str, command: tuple[str, ...], environment: list[Manifest]) -> Manifest:
    resources = {"cpu": run.cpu, "memory": run.memory}
    secret = {"envFrom": [{"secretRef": {"name": run.secret}}]} if run.secret else {}
    return {
        "name": component,
        "image": run.image,
        # Kubernetes replaces $(NAME) in commands, and $$ with $.
        "command": [part.replace("$", "$$") for part in command],
        "workingDir": run.folder,
        **secret,
        "env": [{"name": "HOME", "value": "/tmp"}, *environment],  # noqa: S108 - a volume of the pod
        # Equal requests and limits: the generator must not compete for its CPU.
        "resources": {"requests": resources, "limits": dict(resources)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }


def _volume(name: str) -> Manifest:
    return {"name": name, "emptyDir": {"sizeLimit": VOLUME_LIMIT}}
