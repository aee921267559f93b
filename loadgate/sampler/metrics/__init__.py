"""Read the quantities that the target exposes in Prometheus' text format."""
