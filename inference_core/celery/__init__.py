"""The entry point of Celery workers. Their code is in `core/queue`."""
