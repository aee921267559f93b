"""The errors that end a command, each with its exit code.

CommandError              a cause outside the request:
├── ReportFolderError     a folder for reports that cannot be created or written
├── ArtefactError         files of a run that could not be written; also an OSError
├── TargetError           a managed target that does not start
├── GitError              git is missing or fails
│   └── GitTimeoutError   git does not answer
├── BusyError             another comparison of the repository is running
├── DeliveryError         a run folder that cannot be sent to a URL
├── PrepareError          the command that prepares a worktree fails
├── SideError             a side of a comparison that cannot be prepared or started
├── SegmentError          a segment of a comparison that leaves no run
├── NoRunError            a run of Locust that leaves no run.json
├── StoppedError          a run of Locust that a signal has stopped
└── RequestError          the command line, the project's settings or a file that they name:
    ├── ProjectError      [tool.loadgate] in pyproject.toml
    ├── RunError          the options of `loadgate run`
    ├── RenderError       the options of `loadgate k8s render`
    ├── AbError           the options of `loadgate ab`
    ├── CapacityError     the options of `loadgate capacity`
    ├── BisectError       the options of `loadgate bisect`
    ├── CommitError       a commit or a repository that does not exist
    ├── DescribeError     the suite cannot be described
    │   └── SuiteImportError  a locustfile that cannot be loaded
    ├── BaselineError     a baseline that does not exist or cannot be made
    ├── CompareError      runs that cannot be compared
    ├── RunNameError      a run that does not exist
    ├── RunFileError      a run.json or an ab.json that cannot be read
    └── SuiteError        a suite; its subclasses for wrong values are also ValueErrors:
        ├── ProfileError  a load profile
        └── LimitError    thresholds and rules:
            ├── ThresholdError
            └── RuleErrors

The command line catches CommandError, which includes all of them.
"""

from loadgate.exit_codes import ExitCode


class CommandError(Exception):
    """Raised if a command cannot be carried out. The text has one line for each error and says what to do."""

    exit_code = ExitCode.ERROR


class RequestError(CommandError):
    """Raised if the request itself is wrong."""

    exit_code = ExitCode.USAGE


class SuiteError(RequestError):
    """Raised if a profile, a class name or a rule is wrong. The text has one line for each error."""


class LimitError(SuiteError, ValueError):
    """Raised for limits that cannot be read. The text has one line for each problem."""


def os_error_text(error: OSError) -> str:
    """Return the path and the reason of an operating system error."""
    place = error.filename2 or error.filename
    return f"{place}: {error.strerror}" if place else error.strerror or str(error)
