"""The comparison of a worker with its master."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from loadgate.run.identity import Identity, difference, minor_differences

SAME: dict[str, Any] = {
    "versions": {"loadgate": "0.1.0", "Locust": "2.47.0", "Python": "3.11.7"},
    "files": {"locustfile.py": "aa", "users/web.py": "bb"},
    "profiles": {"light": "11", "heavy": "22"},
    "user_classes": ["WebUser", "ApiUser"],
    "pid": 4711,
    "options": {},
}
MASTER = Identity(**SAME | {"options": {"--load-profile": "light", "--rate": "50/s"}})


def refusal(**changed: Any) -> str:
    return difference(MASTER, Identity(**SAME | changed), "light", ["WebUser"])


def test_an_equal_worker_is_admitted() -> None:
    assert refusal() == ""
    assert refusal(pid=4712) == ""
    assert refusal(options={"--load-profile": "light"}, user_classes=["WebUser"]) == ""


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"versions": SAME["versions"] | {"loadgate": "0.2.0"}},
            "it has loadgate 0.2.0 and the master 0.1.0; install the same version on all machines",
        ),
        (
            {"versions": SAME["versions"] | {"Locust": "3.0.0"}},
            "it has Locust 3.0.0 and the master 2.47.0; install the same version on all machines",
        ),
        (
            {"versions": {"loadgate": "0.1.0", "Locust": "2.47.0"}},
            "it has Python (unknown) and the master 3.11.7; install the same version on all machines",
        ),
        (
            {"files": {"locustfile.py": "aa", "users/web.py": "cc", "users/new.py": "dd"}},
            "its suite differs in users/new.py, users/web.py; use the same files on all machines",
        ),
        (
            {"files": {f"{number}.py": "" for number in range(5)}},
            "its suite differs in 0.py, 1.py, 2.py and 4 more; use the same files on all machines",
        ),
        (
            {"options": {"--load-profile": "heavy"}},
            (
                "it was started with --load-profile heavy and the master with light; start workers without this "
                "option, because the master sets it"
            ),
        ),
        (
            {"options": {"--seed": "7"}},
            (
                "it was started with --seed 7 and the master without; start workers without this option, because the "
                "master sets it"
            ),
        ),
        (
            {"profiles": {"light": "12", "heavy": "22"}},
            (
                "the profile 'light' has another load there, although the files are the same; compare the environment "
                "variables that the suite reads"
            ),
        ),
        (
            {"user_classes": ["ApiUser"]},
            "it has no user class WebUser; start workers without names of user classes",
        ),
    ],
)
def test_a_difference_is_named_with_what_to_do(changed: dict[str, Any], reason: str) -> None:
    assert refusal(**changed) == reason


def test_other_profiles_and_classes_can_differ() -> None:
    assert refusal(profiles={"light": "11"}, user_classes=["WebUser", "OtherUser"]) == ""


def test_smaller_differences_between_versions_are_listed() -> None:
    versions = {"loadgate": "0.1.3", "Locust": "2.50.1", "Python": "3.13.1"}
    assert refusal(versions=versions) == ""
    assert minor_differences(MASTER, Identity(**SAME | {"versions": versions})) == [
        "loadgate 0.1.3 instead of 0.1.0",
        "Locust 2.50.1 instead of 2.47.0",
        "Python 3.13.1 instead of 3.11.7",
    ]
    assert minor_differences(MASTER, Identity(**SAME)) == []


@pytest.mark.parametrize(
    "message",
    [
        None,
        {},
        SAME | {"versions": None},
        SAME | {"files": {f"{number}": "" for number in range(6000)}},
        SAME | {"options": {"--seed": "7" * 2000}},
        SAME | {"user_classes": [7]},
    ],
)
def test_a_message_of_another_form_is_no_identity(message: object) -> None:
    with pytest.raises(ValidationError):
        Identity.model_validate(message)
