"""The Celery applications, the sender of messages, and the heartbeat of workers."""
