"""The exit codes of loadgate. No other module contains these numbers."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command, for shells and CI jobs.

    Shells, Python and Locust do not use the codes of FAIL and INCONCLUSIVE. A script can therefore distinguish a slow
    service from a run that did not take place.
    """

    PASS = 0
    """Every rule passed."""

    ERROR = 1
    """The run could not be carried out: the target was unreachable, crashed before the load, or loadgate failed.

    A run that passed but whose run.json could not be written also has this code, because nothing proves the pass. The
    same applies if the run's folder could not be sent to the URL of --put.
    """

    USAGE = 2
    """The command line, a profile, a rule or the project's settings are wrong. Nothing was started."""

    INCONCLUSIVE = 98
    """No rule failed, but at least one is inconclusive: too few samples, an interrupted run, a saturated generator."""

    FAIL = 99
    """At least one rule failed."""
