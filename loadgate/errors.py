"""Why a command was not carried out: errors for whoever called it, each with its exit code.

CommandError          something outside the request: a target that does not start, a folder that cannot be written
└── RequestError      the command line, the project's settings or a file that it names
"""

from loadgate.exit_codes import ExitCode


class CommandError(Exception):
    """A command was not carried out; the text is one line an error and says what to do."""

    exit_code = ExitCode.ERROR


class RequestError(CommandError):
    """A command was asked for wrongly."""

    exit_code = ExitCode.USAGE
