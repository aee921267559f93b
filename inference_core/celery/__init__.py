"""Background work: the Celery application, how messages are sent to it, and what its workers say about themselves."""
