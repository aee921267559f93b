"""Names of resources that the load gate itself gives."""

MACHINE = "machine"
"""The machine of the target."""

TARGET = "target"
"""The whole target, if no resource is configured."""
