"""Names of resources that the load gate itself gives."""

MACHINE = "machine"
"""The machine of the target."""

CPU = "cpu"
"""The quantity of the CPU time of a role."""

CPU_WAIT = "cpu_wait"
"""The quantity of the time in which threads were ready to run and did not run."""

TARGET = "target"
"""The whole target, if no resource is configured."""
