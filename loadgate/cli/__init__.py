"""The `loadgate` command line: one module for each group of commands.

Each command imports its modules when it is called, so that help and usage errors appear without delay.
"""
