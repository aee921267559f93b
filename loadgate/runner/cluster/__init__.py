"""Runs of a master and its workers on several machines: their command lines and their Kubernetes manifests."""
