"""Mail: messages from templates, and their transport."""
