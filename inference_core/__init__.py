"""Inference Core: a FastAPI service template that holds its limits under load."""

from importlib.metadata import version

__version__ = version("inference-core")
