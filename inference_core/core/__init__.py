"""What every service is built with: settings, storage, the queue, telemetry. It knows no feature."""
