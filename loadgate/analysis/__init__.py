"""Statistics on the series of a finished run. Pure functions."""
