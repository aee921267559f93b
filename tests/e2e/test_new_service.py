"""New services and features: what is generated passes lint, types, tests and its load profile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support.stack import BIN, ROOT, clean_environment

pytestmark = [pytest.mark.full, pytest.mark.process, pytest.mark.timeout(600)]


def run(folder: Path, *command: str, **variables: str) -> str:
    """Run a command of the installed environment, which must succeed. Return its output."""
    first, *arguments = command
    env = clean_environment(PYTHONDONTWRITEBYTECODE="1", **variables)
    done = subprocess.run(
        [BIN / first, *arguments],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


# A plural without an "s", a longest name, two words, an irregular plural.
NAMES = (["categories"], ["news"], ["data"], ["x" * 24], ["open_orders"], ["people", "--singular", "person"])

# The first feature has all of its tests. The others differ by names only, so they need few variants of each test.
FEW_VARIANTS = "notes or categories or not (PATCH or body1 or body2 or body3 or body4 or body5 or body6)"


def test_a_new_service_with_generated_features_passes_everything(tmp_path: Path) -> None:
    run(tmp_path, "inference-core", "new", "shop")
    shop = tmp_path / "shop"
    (shop / ".venv").symlink_to(ROOT / ".venv")
    first, *others = NAMES
    run(shop, "inference-core", "generate", "feature", *first)
    # The users of both features.
    assert "(exit code 0)" in run(shop, "loadgate", "run", "light")
    assert not (shop / ".local").exists()
    for names in others:
        run(shop, "inference-core", "generate", "feature", *names)
    run(shop, "ruff", "check", "--no-cache", ".")
    run(shop, "ruff", "format", "--check", "--no-cache", ".")
    run(shop, "mypy", "--cache-dir", str(tmp_path / "types"))
    shown = run(shop, "python", "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", FEW_VARIANTS)
    passed = set(re.findall(r"^tests/(\w+)\S*::(\w+)\S* PASSED", shown, re.MULTILINE))
    counts = Counter(part for part, _ in passed)
    # The service has tests of its own.
    assert counts.pop("test_service") > 0
    assert counts == dict.fromkeys(["notes", *(name for name, *_ in NAMES)], counts["notes"])


def test_a_feature_that_is_generated_in_the_built_in_service_passes_everything(tmp_path: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    copy = tmp_path / "copy"
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    # The environment has the package of this checkout, so the copy comes first.
    first = {"PYTHONPATH": os.pathsep.join([str(copy)])}
    run(copy, "inference-core", "generate", "feature", "notes", **first)
    generated = ("inference_core/notes", "tests/service/notes", "tests/performance/users/notes.py")
    run(copy, "ruff", "check", "--no-cache", *generated, "inference_core/service.py", **first)
    run(copy, "ruff", "format", "--check", "--no-cache", *generated, "inference_core/service.py", **first)
    run(copy, "mypy", "--cache-dir", str(tmp_path / "types"), "-p", "inference_core.notes", **first)
    run(copy, "lint-imports", "--no-cache", **first)
    rules = ("tests/service/test_house_rules.py", "tests/service/test_settings.py")
    run(copy, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/service/notes", *rules, **first)
    assert "(exit code 0)" in run(copy, "loadgate", "run", "notes", **first)
