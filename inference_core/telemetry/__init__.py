"""What the service tells those who run it: access log, metrics, traces."""
