"""Why a command was not carried out: errors for whoever called it, each with its exit code.

CommandError              something outside the request:
├── PlaceError            a folder for reports that cannot be made or written
├── UnwrittenError        files of a run that could not be written; an OSError as well
├── TargetError           a managed target that does not start
└── RequestError          the command line, the project's settings or a file that it names:
    ├── ProjectError      [tool.loadgate] in pyproject.toml
    ├── RunError          the options of `loadgate run`
    ├── DescribeError     a locustfile that cannot be loaded
    ├── RunFileError      a run.json that cannot be read
    └── SuiteError        a suite; what it raises for its values is a ValueError as well:
        ├── ProfileError  a load profile
        └── LimitError    thresholds and rules:
            ├── ThresholdError
            └── RuleErrors

The command line catches CommandError and nothing below it.
"""

from loadgate.exit_codes import ExitCode


class CommandError(Exception):
    """A command was not carried out; the text is one line an error and says what to do."""

    exit_code = ExitCode.ERROR


class RequestError(CommandError):
    """A command was asked for wrongly."""

    exit_code = ExitCode.USAGE


class SuiteError(RequestError):
    """A profile, a class name or a rule is wrong; the text is one line an error."""


class LimitError(SuiteError, ValueError):
    """Limits that cannot be read; the text is one line a problem."""
