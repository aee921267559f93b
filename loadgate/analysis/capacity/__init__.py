"""The search for the capacity: the highest arrival rate that a service sustains."""
