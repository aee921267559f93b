"""The line that tells a newcomer what to install."""

from tests.conftest import missing_packages


def test_one_line_names_each_package_once() -> None:
    reasons = [
        "MariaDB is not installed; on Debian: apt-get install mariadb-server",
        "no Chromium found; install it, for example: apt-get install chromium",
        "no Chromium found; install it, for example: apt-get install chromium",
        "only Linux ends children whose parent was killed outright",
    ]
    assert missing_packages(reasons) == "3 tests were skipped; to run them: apt-get install chromium mariadb-server"
    assert missing_packages(reasons[3:]) == ""
