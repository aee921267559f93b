"""The comparison of two versions of a service that are measured in pairs of segments."""
