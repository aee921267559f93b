"""Find the highest arrival rate that a service sustains."""
