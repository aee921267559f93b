"""The live view of a run: its state, as plain lines, on a terminal, and in a tab of Locust's web UI."""
