"""Test that names and values are refused here if an API server would refuse them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.text(max_size=200), st.integers(1, 1000))
def test_every_profile_has_a_name_that_is_valid(profile: str, workers: int) -> None:
    name = name_of_profile(profile, workers)
    assert name_problem(name, longest_name(workers)) is None
    assert len(f"{name}-worker-{workers - 1}") <= 63


def test_the_name_says_the_profile() -> None:
    assert name_of_profile("Spike_Recovery 2", 4) == "loadgate-spike-recovery-2"
    assert name_of_profile("测试", 4) == "loadgate"


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a b", "ä", "a\n", "a" * 64])
def test_a_wrong_name_is_refused(name: str) -> None:
    problem = name_problem(name)
    assert problem is not None
    assert "\n" not in problem


@pytest.mark.parametrize("name", ["a", "a-1", "1", "a" * 63])
def test_a_right_name_is_accepted(name: str) -> None:
    assert name_problem(name) is None
    assert secret_problem(f"{name}.b") is None


@pytest.mark.parametrize("name", ["a..b", ".a", "A", "a_b", "a" * 254, "a\n"])
def test_a_wrong_secret_is_refused(name: str) -> None:
    assert secret_problem(name) is not None


@pytest.mark.parametrize(
    "image",
    [
        "load",
        "load:1.0",
        "team/load",
        "registry.example.com:5000/team/load:v1_2",
        "localhost:5000/load",
        "load@sha256:" + "0" * 64,
        "ghcr.io/A/load:x".lower(),
        "a__b/c--d",
    ],
)
def test_a_right_image_is_accepted(image: str) -> None:
    assert image_problem(image) is None


@pytest.mark.parametrize("image", ["", "a b", "Load", "load:", ":1", "load@sha256:1", "-x", "a//b", "a\n", "a" * 513])
def test_a_wrong_image_is_refused(image: str) -> None:
    assert image_problem(image) is not None


@pytest.mark.parametrize("cpu", ["1", "0.5", "500m", "16"])
def test_a_right_cpu_is_accepted(cpu: str) -> None:
    assert cpu_problem(cpu) is None


@pytest.mark.parametrize("cpu", ["", "0", "0m", "-1", "1.5m", "two", "1 ", "1e3", "0.0001", "1Gi"])
def test_a_wrong_cpu_is_refused(cpu: str) -> None:
    assert cpu_problem(cpu) is not None


@pytest.mark.parametrize("memory", ["512Mi", "1Gi", "1.5Gi", "500M", "1073741824", "128000k"])
def test_a_right_memory_is_accepted(memory: str) -> None:
    assert memory_problem(memory) is None


@pytest.mark.parametrize("memory", ["", "0", "0Gi", "512m", "1GB", "1g", "-1Gi", "much", "1 Gi", "1KiB"])
def test_a_wrong_memory_is_refused(memory: str) -> None:
    assert memory_problem(memory) is not None


@pytest.mark.parametrize("folder", ["/suite", "/srv/my-app_1.0"])
def test_a_right_folder_is_accepted(folder: str) -> None:
    assert folder_problem(folder) is None


@pytest.mark.parametrize("folder", ["", "/", "suite", "/a/../b", "/a b", "/a\n", "/ä"])
def test_a_wrong_folder_is_refused(folder: str) -> None:
    assert folder_problem(folder) is not None
