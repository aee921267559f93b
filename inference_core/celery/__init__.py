"""Background work: the Celery application, the sender of its messages, and the heartbeat of its workers."""
