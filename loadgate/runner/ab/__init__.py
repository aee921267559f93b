"""Compare two versions of a service: two commits that are started from worktrees, or two deployments."""
