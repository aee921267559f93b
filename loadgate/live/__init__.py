"""The view of a run while it goes on: its state, as text or on a terminal, and as a tab of Locust's web UI."""
