"""Every exit code of loadgate, named and explained: the only place where these numbers are written."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a run ended, as a shell or a CI job sees it.

    The two codes of a judged run that is not a pass lie next to each other and far from the codes that shells,
    Python and Locust itself use, so that a script can tell a slow service from a broken run.
    """

    PASS = 0
    """Every rule was measured and held."""

    ERROR = 1
    """The run could not be carried out: the target was unreachable, died before the load, or loadgate failed.

    So is a pass that nothing shows, since its run.json could not be written.
    """

    USAGE = 2
    """The command line, a profile, a rule or the project's settings are wrong; nothing was started."""

    INCONCLUSIVE = 98
    """No rule failed, but at least one could not be judged: too few samples, an interrupted run, a busy generator."""

    FAIL = 99
    """At least one rule was measured and broken."""
