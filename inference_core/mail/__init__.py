"""Mail: templates, transports, and the tasks that send."""
