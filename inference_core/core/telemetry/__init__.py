"""Telemetry of the service: access log, metrics and traces."""
