"""Test the manifests of a run against the published schemas, and what the schemas do not express."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loadgate.runner import upload
from loadgate.runner.cluster.manifests import DELIVER_WITHIN_S, ClusterRun, longest_s, manifests
from loadgate.runner.cluster.names import longest_name
from tests.loadgate.runner.cluster.schema import LABEL, VERSIONS, problems_of

Document = dict[str, Any]
RUN = ClusterRun(
    name="loadgate-light",
    profile="light",
    image="registry.example.com/load:1.0",
    workers=4,
    run_time_s=60,
    master=("loadgate", "run", "light"),
    worker=("locust", "--worker"),
    folder="/suite",
    reports="/suite/reports/performance",
    cpu="2",
    memory="1Gi",
)
RUNS = [
    RUN,
    replace(RUN, workers=1, namespace="load", secret="credentials", host_from_secret=True),
    replace(RUN, name="x" * longest_name(1000), workers=1000, profile="a profile: ä", keep_s=600),
]


def named(run: ClusterRun) -> dict[str, Document]:
    return {
        f"{item['kind']} {item['metadata']['name'].removeprefix(run.name)}".rstrip(): item for item in manifests(run)
    }


def pods(run: ClusterRun) -> list[Document]:
    return [item["spec"]["template"]["spec"] for item in manifests(run) if item["kind"] == "Job"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("run", RUNS, ids=["plain", "secret", "longest"])
def test_the_api_server_accepts_every_manifest(run: ClusterRun, version: str) -> None:
    assert list(named(run)) == ["NetworkPolicy", "Service -master", "Job -master", "Job -worker"]
    assert [problem for item in manifests(run) for problem in problems_of(item, version)] == []


def _unknown_field(job: Document) -> None:
    job["spec"]["backofLimit"] = 0


def _wrong_type(job: Document) -> None:
    job["spec"]["template"]["spec"]["containers"][0]["command"] = "loadgate run"


def _number_in_a_command(job: Document) -> None:
    job["spec"]["template"]["spec"]["containers"][0]["command"].append(4)


def _missing_template(job: Document) -> None:
    del job["spec"]["template"]


def _nothing(job: Document) -> None:
    job["spec"]["backoffLimit"] = None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("spoil", [_unknown_field, _wrong_type, _number_in_a_command, _missing_template, _nothing])
def test_the_schema_finds_a_manifest_that_is_wrong(spoil: Callable[[Document], None], version: str) -> None:
    job = copy.deepcopy(named(RUN)["Job -master"])
    spoil(job)
    assert problems_of(job, version)


@pytest.mark.parametrize("run", RUNS, ids=["plain", "secret", "longest"])
def test_names_and_labels_have_a_form_that_the_api_server_accepts(run: ClusterRun) -> None:
    for item in manifests(run):
        assert LABEL.fullmatch(item["metadata"]["name"])
        labels = [item["metadata"]["labels"]]
        if item["kind"] == "Job":
            labels.append(item["spec"]["template"]["metadata"]["labels"])
        assert all(LABEL.fullmatch(value) for found in labels for value in found.values())
    assert LABEL.fullmatch(f"{run.name}-worker-{run.workers - 1}"), "the host name of the last worker"


def test_no_pod_starts_again_and_a_worker_that_fails_leaves_the_others() -> None:
    found = named(RUN)
    assert {pod["restartPolicy"] for pod in pods(RUN)} == {"Never"}
    assert found["Job -master"]["spec"]["backoffLimit"] == 0
    worker = found["Job -worker"]["spec"]
    assert "backoffLimit" not in worker
    assert worker["backoffLimitPerIndex"] == 0
    assert worker["completionMode"] == "Indexed"
    assert worker["completions"] == worker["parallelism"] == 4


def test_the_deadline_leaves_time_for_everything_that_a_run_waits_for() -> None:
    assert DELIVER_WITHIN_S > upload.WITHIN_S
    for run in RUNS:
        deadlines = {item["spec"]["activeDeadlineSeconds"] for item in manifests(run) if item["kind"] == "Job"}
        assert deadlines == {longest_s(run)}
        assert longest_s(run) > 600 + 600 + run.run_time_s + upload.WITHIN_S + run.keep_s
    grace_s = [pod["terminationGracePeriodSeconds"] for pod in pods(RUN)]
    assert grace_s[0] > 60 + upload.WITHIN_S
    assert grace_s[1] > 60


@pytest.mark.parametrize("run", RUNS, ids=["plain", "secret", "longest"])
def test_pods_have_no_rights_and_the_cpu_that_they_ask_for(run: ClusterRun) -> None:
    for pod in pods(run):
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"] == container["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}
        mounted = {item["name"] for item in container["volumeMounts"]}
        assert mounted == {item["name"] for item in pod["volumes"] if item["emptyDir"]["sizeLimit"]}


def test_only_the_master_writes_reports() -> None:
    paths = [[item["mountPath"] for item in pod["containers"][0]["volumeMounts"]] for pod in pods(RUN)]
    assert paths == [["/tmp", "/suite/reports/performance"], ["/tmp"]]  # noqa: S108 - volumes of the pods


def test_the_service_and_the_policy_select_the_pods_of_this_run_only() -> None:
    found = named(RUN)
    labels = {
        name: item["spec"]["template"]["metadata"]["labels"] for name, item in found.items() if name.startswith("Job")
    }
    master, worker = labels["Job -master"], labels["Job -worker"]
    selector = found["Service -master"]["spec"]["selector"]
    assert selector.items() <= master.items()
    assert not selector.items() <= worker.items()
    policy = found["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= (master.items() & worker.items())
    allowed = policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    assert allowed.items() <= worker.items()
    assert not allowed.items() <= master.items()
    other = {
        f"{value}" for item in manifests(replace(RUN, name="other")) for value in item["metadata"]["labels"].values()
    }
    assert RUN.name not in other
    ports = [port["port"] for port in policy["ingress"][0]["ports"]]
    assert ports == [port["port"] for port in found["Service -master"]["spec"]["ports"]]
    assert found["Service -master"]["spec"]["clusterIP"] == "None"
    assert found["Service -master"]["spec"]["publishNotReadyAddresses"] is True


def test_a_secret_reaches_all_pods_and_the_host_only_the_master() -> None:
    run = replace(RUN, secret="credentials", host_from_secret=True)
    master, worker = (pod["containers"][0] for pod in pods(run))
    assert master["envFrom"] == worker["envFrom"] == [{"secretRef": {"name": "credentials"}}]
    assert {"name": "TARGET_HOST", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "TARGET_HOST"}}} in (
        master["env"]
    )
    assert [item["name"] for item in worker["env"]] == ["HOME"]
    assert not [pod for pod in pods(RUN) if "envFrom" in pod["containers"][0]]


def test_a_namespace_is_in_every_manifest_or_in_none() -> None:
    assert {item["metadata"].get("namespace") for item in manifests(RUN)} == {None}
    assert {item["metadata"].get("namespace") for item in manifests(replace(RUN, namespace="load"))} == {"load"}


def test_kubernetes_does_not_replace_parts_of_a_command() -> None:
    master = named(replace(RUN, master=("loadgate", "run", "$(HOME) $5")))["Job -master"]
    assert master["spec"]["template"]["spec"]["containers"][0]["command"][-1] == "$$(HOME) $$5"
