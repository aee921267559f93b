"""Calibration of the load gate: compares its results with the records of a stub server."""
