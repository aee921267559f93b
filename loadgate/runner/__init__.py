"""The parent process of `loadgate run`. It starts the target and Locust and completes the artefacts."""
