"""Start the command line with `python -m loadgate.cli`."""

from loadgate.cli.command_line import app

if __name__ == "__main__":
    app()
