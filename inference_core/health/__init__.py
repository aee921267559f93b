"""Health: what the service's parts are doing, from probes that run beside the requests."""
