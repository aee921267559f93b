"""Proofs by simulation in virtual time of what the load gate concludes: recovery times and causes of slowness."""
