"""Measure the processes of the target, and the machine on which they run."""
