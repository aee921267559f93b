"""API keys: credentials of machine callers that act as their owner within their scopes."""
