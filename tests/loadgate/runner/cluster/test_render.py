"""Test the text of the manifests, and that a wrong request is refused in one line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadgate.errors import RequestError
from loadgate.project import load_project
from loadgate.runner.cluster import render as rendering
from loadgate.runner.cluster.render import RenderRequest, render
from tests.loadgate.runner.cluster.schema import VERSIONS, problems_of
from tests.loadgate.running.support import PASS, SUITE, USAGE, finish, loadgate_command

IMAGE, HOST = "registry.example.com/load:1.0", "http://api.default.svc:8000"
RIGHT = {"profile": "roomy", "workers": 2, "image": IMAGE, "host": HOST}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a suite, which is not imported by the tests that describe it themselves."""
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "locustfile.py").write_text(SUITE.read_text())
    (tmp_path / "pyproject.toml").write_text("[tool.loadgate]\nlocustfile = 'suite/locustfile.py'\nreports = 'out'\n")
    return tmp_path


@pytest.fixture
def _described(monkeypatch: pytest.MonkeyPatch) -> None:
    profiles = [{"name": name, "run_time_s": 2.0} for name in ("roomy", "y", "0x10", "a: b # c", "$(HOME)")]
    monkeypatch.setattr(rendering, "describe", lambda *_: {"default": "roomy", "profiles": profiles})


def rendered(project: Path, **changes: Any) -> tuple[str, list[dict[str, Any]]]:
    text = render(RenderRequest(**RIGHT | changes), load_project(project), "load.yaml")
    return text, list(yaml.safe_load_all(text))


def command_of(documents: list[dict[str, Any]], component: str) -> list[str]:
    (job,) = [
        item for item in documents if item["metadata"]["name"].endswith(f"-{component}") and item["kind"] == "Job"
    ]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return [part.replace("$$", "$") for part in container["command"]]


@pytest.mark.usefixtures("_described")
def test_the_commands_name_the_suite_the_target_and_the_number_of_workers(project: Path) -> None:
    more = {"put": "https://store.example.com/runs/", "keep_s": 600.0, "run_time_s": 90.0, "options": ["-u", "200"]}
    _, documents = rendered(project, **more)
    assert shlex.join(command_of(documents, "master")) == (
        "loadgate run roomy -f suite/locustfile.py --master --expect-workers 2 --expect-workers-max-wait 600"
        f" --master-bind-port 5557 --host {HOST} --run-time 1m30s --put https://store.example.com/runs/ --keep 10m"
        " -u 200"
    )
    assert shlex.join(command_of(documents, "worker")) == (
        "locust -f suite/locustfile.py --worker --master-host loadgate-roomy-master --master-port 5557"
    )
    mounts = documents[2]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "reports", "mountPath": "/suite/out"} in mounts


@pytest.mark.usefixtures("_described")
@pytest.mark.parametrize("profile", ["y", "0x10", "a: b # c", "$(HOME)"])
@pytest.mark.parametrize(
    "option", ["no", "1e3", "0o17", "1_000", "12:30", "", "a\nb", "---", "'\"", "\u2028", "é", "~"]
)
def test_every_text_arrives_as_it_was_given(project: Path, profile: str, option: str) -> None:
    text, documents = rendered(project, profile=profile, options=["--tag", option])
    command = command_of(documents, "master")
    assert (command[2], command[-1]) == (profile, option)
    for item in documents:
        assert [problem for version in VERSIONS for problem in problems_of(item, version)] == []
    # YAML 1.1 and 1.2 read different texts as numbers and truth values: all of these are in quotes.
    plain = re.findall(r"^\s*(?:- )?(?:[\w./]+: )?([^\s\"'#][^\"\n]*)$", text.partition("---\n")[2], re.MULTILINE)
    assert plain
    assert not {"y", "no", "1e3", "0o17", "0x10", "1_000", "12:30", "~"} & set(plain)


@pytest.mark.usefixtures("_described")
def test_the_text_begins_with_the_commands_for_its_use(project: Path) -> None:
    text, _ = rendered(project, namespace="load", keep_s=600.0)
    head = text.partition("---\n")[0].splitlines()
    assert all(line.startswith("# ") for line in head)
    commands = [line.removeprefix("#   ") for line in head if line.startswith("#   ")]
    assert all(command.startswith("kubectl ") for command in commands)
    assert commands[0] == "kubectl apply -f load.yaml"
    assert commands[-1] == "kubectl delete -f load.yaml"
    assert all("-n load" in command for command in commands[1:-1])
    assert any(":/suite/out reports" in command for command in commands)
    without, _ = rendered(project)
    assert "kubectl cp" not in without
    assert " -n " not in without.partition("---\n")[0]


@pytest.mark.usefixtures("_described")
@pytest.mark.parametrize(
    ("file", "shown"), [("a b.yaml", "'a b.yaml'"), ("a\nkind: Pod", "FILE"), ("a\u2028b", "FILE")]
)
def test_the_name_of_the_file_stays_in_its_comment(project: Path, file: str, shown: str) -> None:
    text = render(RenderRequest(**RIGHT), load_project(project), file)
    assert f"#   kubectl apply -f {shown}\n" in text
    assert len(list(yaml.safe_load_all(text))) == 4


@pytest.mark.usefixtures("_described")
def test_an_empty_name_is_the_default_profile(project: Path) -> None:
    _, documents = rendered(project, profile="")
    assert command_of(documents, "master")[2] == "roomy"


@pytest.mark.usefixtures("_described")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Bad_Name"}, "--name: 'Bad_Name' is not a name of at most 54 lower-case letters, digits and hyphens"),
        ({"name": ""}, "--name: '' is not a name"),
        ({"name": "a" * 55}, "--name: "),
        ({"namespace": "a.b"}, "--namespace: "),
        ({"image": "a b"}, "--image: 'a b' is not the name of an image"),
        ({"cpu": "0"}, "--cpu: "),
        ({"memory": "512m"}, "--memory: "),
        ({"memory": "512"}, "--memory: '512' is less than the 64Mi that Locust needs"),
        ({"memory": "63.9Mi"}, "--memory: '63.9Mi' is less than"),
        ({"folder": "suite"}, "--folder: "),
        ({"secret": "A"}, "--secret: "),
        ({"host": None}, "--host: is missing; give the target's URL, or a --secret with the key TARGET_HOST"),
        ({"host": "api:8000"}, "--host: the host 'api:8000' is not an http:// or https:// address"),
        ({"host": "http://localhost:8000"}, "--host: 'localhost' is each pod itself; "),
        ({"host": "http://127.0.0.1"}, "--host: '127.0.0.1' is each pod itself; "),
        ({"host": "http://[::1]:80"}, "--host: '::1' is each pod itself; "),
        ({"host": "http://me:secret@api"}, "--host: the URL contains a password; store it in a Secret as TARGET_HOST"),
        ({"put": "ftp://x"}, "--put: the URL 'ftp://x' for the run folder is not an http:// or https:// address"),
        ({"put": "https://me:secret@x/"}, "--put: the URL contains a password or a signature; store it in a Secret"),
        ({"put": "https://x/?sig=secret"}, "--put: the URL contains a password or a signature; store it in a Secret"),
        ({"options": ["--processes", "2"]}, "--processes: the manifests set this option, or it does not apply"),
        ({"options": ["--master-host=x"]}, "--master-host: "),
        ({"options": ["-Hhttp://me:secret@api"]}, "-H: "),
        ({"locustfile": str(SUITE)}, f"{SUITE}: is not in the folder of the project ("),
        ({"locustfile": "nowhere.py"}, "nowhere.py: locustfile not found"),
    ],
)
def test_a_wrong_request_is_one_line_without_secrets(project: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as refused:
        rendered(project, **changes)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(said)
    assert "secret@" not in line
    assert "sig=" not in line


@pytest.mark.usefixtures("_described")
def test_every_wrong_option_has_its_line(project: Path) -> None:
    with pytest.raises(RequestError) as refused:
        rendered(project, image="", cpu="x", host=None)
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == ["--image", "--cpu", "--host"]


def test_the_command_prints_manifests_or_writes_them_to_a_file(project: Path) -> None:
    line = ["k8s", "render", "roomy", "--workers", "2", "--image", IMAGE, "--host", HOST, "-u", "9", "--rate", "50/s"]
    done = finish(loadgate_command(*line), project)
    assert done.returncode == PASS, done.stderr
    documents = list(yaml.safe_load_all(done.stdout))
    assert [item["kind"] for item in documents] == ["NetworkPolicy", "Service", "Job", "Job"]
    assert command_of(documents, "master")[-4:] == ["-u", "9", "--rate", "50/s"]
    written = finish(loadgate_command(*line, "-o", "out/load.yaml"), project)
    assert (written.returncode, written.stdout) == (PASS, "out/load.yaml\n"), written.stderr
    assert list(yaml.safe_load_all((project / "out" / "load.yaml").read_text())) == documents


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["nobody"], "unknown load profile 'nobody'"),
        (["roomy", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["roomy", "--keep", "soon"], "'soon' is not a duration"),
        (["roomy", "-t", "soon"], "'soon' is not a duration"),
        (["roomy", "-u", "0"], "--users 0: must be at least 1; see loadgate run --help"),
        (["bad-time"], "run_time: '1 minute' is not a duration"),
    ],
)
@pytest.mark.full
def test_the_suite_and_locust_refuse_what_they_do_not_know(project: Path, more: list[str], said: str) -> None:
    done = finish(loadgate_command("k8s", "render", "--workers", "2", "--image", IMAGE, "--host", HOST, *more), project)
    assert (done.returncode, done.stdout) == (USAGE, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("loadgate: ")
    assert said in line
