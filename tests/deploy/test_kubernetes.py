"""Test the manifests of Kubernetes without a cluster."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from inference_core.service import service
from tests.support import deployment
from tests.support.deploy_tools import DEPLOY, deploy_tool, output_of
from tests.support.dockerfile import read_dockerfile

FOLDER = DEPLOY / "kubernetes"
OVERLAYS = ("development", "production")
VERSIONS = ("1.33", "1.37")
BEAT_STOPS_WITHIN_S = 30
"""The default grace period of a pod."""

Document = dict[str, Any]

# The parts of the custom resources that are used here. The published schemas are larger.
CUSTOM = {
    # promtool checks the rules: test_observability.py.
    "PrometheusRule": {"type": "object", "required": ["groups"], "additionalProperties": {"type": "array"}},
    "ScaledObject": {
        "type": "object",
        "required": ["scaleTargetRef", "triggers"],
        "additionalProperties": False,
        "properties": {
            "scaleTargetRef": {"type": "object", "required": ["name"]},
            "minReplicaCount": {"type": "integer"},
            "maxReplicaCount": {"type": "integer"},
            "cooldownPeriod": {"type": "integer"},
            "fallback": {"type": "object", "required": ["failureThreshold", "replicas"]},
            "triggers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type", "metadata"],
                    "additionalProperties": False,
                    "properties": {
                        "type": {"const": "prometheus"},
                        "metricType": {"enum": ["AverageValue", "Value"]},
                        "metadata": {
                            "type": "object",
                            "required": ["serverAddress", "query", "threshold"],
                            "additionalProperties": {"type": "string"},
                        },
                    },
                },
            },
        },
    },
    "ServiceMonitor": {
        "type": "object",
        "required": ["selector", "endpoints"],
        "additionalProperties": False,
        "properties": {
            "selector": {"type": "object", "required": ["matchLabels"]},
            "endpoints": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "port": {"type": "string"},
                        "path": {"type": "string"},
                        "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                        "authorization": {
                            "type": "object",
                            "required": ["credentials"],
                            "properties": {"credentials": {"type": "object", "required": ["name", "key"]}},
                        },
                    },
                },
            },
        },
    },
}


@cache
def base() -> dict[tuple[str, str], Document]:
    """Return the manifests of the base by kind and name, without what kustomize adds."""
    listed = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())["resources"]
    read = [part for name in listed for part in yaml.safe_load_all((FOLDER / "base" / name).read_text())]
    return {(part["kind"], part["metadata"]["name"]): part for part in read}


@cache
def built(overlay: str) -> dict[tuple[str, str], Document]:
    """Return the manifests of an overlay by kind and name, as `kubectl apply -k` sends them."""
    text = output_of(deploy_tool("kubectl"), "kustomize", FOLDER / "overlays" / overlay)
    return {(part["kind"], part["metadata"]["name"]): part for part in yaml.safe_load_all(text)}


def literals(kustomization: Path) -> dict[str, str]:
    """Return the settings that a kustomization sets."""
    read = yaml.safe_load(kustomization.read_text())
    (generated,) = read["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generated["literals"])


def settings_of(overlay: str) -> dict[str, str]:
    return literals(FOLDER / "base" / "kustomization.yaml") | literals(
        FOLDER / "overlays" / overlay / "kustomization.yaml"
    )


SECRET = {
    "SECRET_KEY": deployment.SECRETS["SECRET_KEY"],
    "METRICS_TOKEN": deployment.SECRETS["METRICS_TOKEN"],
    "DATABASE_URL": "postgresql://service:x@postgres/service",
    "REDIS_URL": "redis://:x@valkey:6379/0",
}
"""What the Secret of the production overlay contains."""


def pods(documents: dict[tuple[str, str], Document]) -> dict[str, Document]:
    """Return the specification of each pod of the service by the name of its Deployment or Job."""
    found = {
        name: part["spec"]["template"]["spec"]
        for (kind, name), part in documents.items()
        if kind in {"Deployment", "Job"}
    }
    return {name: pod for name, pod in found.items() if pod["containers"][0]["name"] == "service"}


def args(pod: Document) -> list[str]:
    found: list[str] = pod["containers"][0].get("args", [])
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_variable_is_a_setting_and_the_service_accepts_its_value(overlay: str) -> None:
    variables = settings_of(overlay)
    assert set(variables) <= deployment.setting_names()
    assert not [name for name in variables if deployment.SECRET.search(name)]
    settings = deployment.settings_from(variables | (SECRET if overlay == "production" else {}))
    assert settings.is_production == (overlay == "production")
    assert settings.use_dedicated_queues


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_processes_have_the_time_to_end_that_their_settings_give_them(overlay: str) -> None:
    settings = deployment.settings_from(settings_of(overlay) | SECRET | {"ENVIRONMENT": "production"})
    for name, pod in pods(base()).items():
        grace_s = pod.get("terminationGracePeriodSeconds", BEAT_STOPS_WITHIN_S)
        if name == "api":
            assert grace_s == deployment.api_stops_within_s(settings)
        elif name.startswith("worker-"):
            assert grace_s == deployment.worker_stops_within_s(settings)
        else:
            assert grace_s == BEAT_STOPS_WITHIN_S


def test_a_worker_that_is_removed_can_finish_any_task() -> None:
    settings = deployment.settings_from(settings_of("production") | SECRET)
    assert settings.celery_soft_shutdown_s >= settings.celery_task_time_limit_s


def test_each_queue_has_a_worker() -> None:
    taken = [
        queue for pod in pods(base()).values() if "worker" in args(pod) for queue in deployment.queues_of(args(pod))
    ]
    assert sorted(taken) == sorted(service.queues)


def test_one_beat_runs_and_the_old_one_ends_before_the_new_one_starts() -> None:
    assert [name for name, pod in pods(base()).items() if "beat" in args(pod)] == ["beat"]
    beat = base()["Deployment", "beat"]["spec"]
    assert beat["replicas"] == 1
    assert beat["strategy"] == {"type": "Recreate"}


def test_probes_ask_for_routes_that_exist() -> None:
    assert deployment.paths_in(list(base().values())) == {"/api/v1/health/live", "/api/v1/health/ready"}
    assert deployment.paths_in(list(base().values())) <= deployment.paths()
    (api,) = pods(base())["api"]["containers"]
    assert api["startupProbe"]["httpGet"]["path"] == api["livenessProbe"]["httpGet"]["path"] == "/api/v1/health/live"
    assert api["readinessProbe"]["httpGet"]["path"] == "/api/v1/health/ready"
    for name, pod in pods(base()).items():
        if name.startswith("worker-"):
            for probe in ("startupProbe", "livenessProbe"):
                assert pod["containers"][0][probe]["exec"]["command"] == ["inference-core", "check-worker"]


def test_a_draining_pod_gets_no_requests_any_more() -> None:
    settings = deployment.settings_from(settings_of("production") | SECRET)
    probe = pods(base())["api"]["containers"][0]["readinessProbe"]
    assert settings.effective_shutdown_drain_s > probe["periodSeconds"] * probe["failureThreshold"]


def test_ports_are_those_of_the_image() -> None:
    (port,) = pods(base())["api"]["containers"][0]["ports"]
    assert str(port["containerPort"]) == read_dockerfile(DEPLOY / "Dockerfile")[-1].one("EXPOSE")
    (of_service,) = base()["Service", "api"]["spec"]["ports"]
    assert of_service["targetPort"] == port["name"]


def test_the_image_has_the_version_of_the_project() -> None:
    tags = [
        image["newTag"]
        for file in sorted(FOLDER.rglob("kustomization.yaml"))
        for image in yaml.safe_load(file.read_text()).get("images", [])
    ]
    assert set(tags) == {deployment.version()}


def test_the_true_addresses_of_clients_are_known() -> None:
    assert deployment.settings_from(settings_of("production") | SECRET).trusted_proxies


def test_no_manifest_contains_a_secret() -> None:
    for file in FOLDER.rglob("*.yaml"):
        for part in yaml.safe_load_all(file.read_text()):
            assert part["kind"] != "Secret"
            assert "secretGenerator" not in part


@pytest.mark.full
@pytest.mark.process
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_api_server_accepts_the_manifests(overlay: str, version: str, tmp_path: Path) -> None:
    known = [part for part in built(overlay).values() if part["kind"] not in CUSTOM]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(known))
    said = output_of(deploy_tool("kubernetes-validate"), "--strict", "-k", version, tmp_path / "all.yaml")
    assert said.count(" passed for resource ") == len(known)
    for part in built(overlay).values():
        if part["kind"] in CUSTOM:
            jsonschema.validate(part["spec"], CUSTOM[part["kind"]])


@pytest.mark.full
@pytest.mark.process
def test_the_schemas_find_a_manifest_that_is_wrong(tmp_path: Path) -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"}, "spec": {"port": 80}}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    output_of(deploy_tool("kubernetes-validate"), "--strict", "-k", VERSIONS[-1], tmp_path / "wrong.yaml", code=1)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"triggers": []}, CUSTOM["ScaledObject"])


@pytest.mark.full
@pytest.mark.process
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_have_no_rights_and_limits(overlay: str) -> None:
    documents = built(overlay)
    for (kind, name), part in documents.items():
        if kind not in {"Deployment", "Job"}:
            continue
        pod = part["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert container["resources"]["limits"]["memory"], name
        assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"]), name
    user = read_dockerfile(DEPLOY / "Dockerfile")[-1].one("USER").partition(":")[0]
    for pod in pods(documents).values():
        assert str(pod["securityContext"]["runAsUser"]) == user
        assert [item["mountPath"] for item in pod["containers"][0]["volumeMounts"]] == ["/tmp"]  # noqa: S108


@pytest.mark.full
@pytest.mark.process
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_refer_to_the_settings_and_to_the_image(overlay: str) -> None:
    documents = built(overlay)
    (settings,) = [name for kind, name in documents if kind == "ConfigMap"]
    assert documents["ConfigMap", settings]["data"] == settings_of(overlay)
    sources = [{"configMapRef": {"name": settings}}]
    if overlay == "production":
        sources.append({"secretRef": {"name": "secrets"}})
    images = set()
    for name, pod in pods(documents).items():
        assert pod["containers"][0]["envFrom"] == sources, name
        images.add(pod["containers"][0]["image"])
    (image,) = images
    assert image.rpartition("/")[2] == deployment.image_name()


@pytest.mark.full
@pytest.mark.process
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_the_pods(overlay: str) -> None:
    documents = built(overlay)
    labels = [
        part["spec"]["template"]["metadata"]["labels"]
        for (kind, _), part in documents.items()
        if kind in {"Deployment", "Job"}
    ]
    for (kind, name), part in documents.items():
        spec = part.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector") or {}
        wanted = selector.get("matchLabels", selector)
        if kind == "ServiceMonitor":
            assert wanted.items() <= documents["Service", "api"]["metadata"]["labels"].items()
        elif wanted:
            assert [one for one in labels if wanted.items() <= one.items()], (kind, name)
        target = spec.get("scaleTargetRef", {}).get("name")
        assert target is None or ("Deployment", target) in documents, (kind, name)


@pytest.mark.full
@pytest.mark.process
def test_what_is_scaled_has_no_number_of_replicas() -> None:
    documents = built("production")
    specs = [part.get("spec", {}) for part in documents.values()]
    scaled = {spec["scaleTargetRef"]["name"] for spec in specs if "scaleTargetRef" in spec}
    assert scaled == set(pods(documents)) - {"beat", "migrate"}
    assert [name for name in scaled if "replicas" in documents["Deployment", name]["spec"]] == []


@pytest.mark.full
@pytest.mark.process
def test_the_workers_of_a_queue_follow_its_tasks() -> None:
    documents = built("production")
    workers = {name: pod for name, pod in pods(documents).items() if name.startswith("worker-")}
    for name, pod in workers.items():
        (queue,) = deployment.queues_of(args(pod))
        (trigger,) = documents["ScaledObject", name]["spec"]["triggers"]
        query = trigger["metadata"]["query"]
        for metric in ("celery_queue_depth", "celery_tasks_running"):
            assert f'{metric}{{namespace="inference-core", queue="{queue}"}}' in query
