"""Health: the state of the service's parts, from background probes."""
