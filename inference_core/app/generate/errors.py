"""The error of the generators."""

from __future__ import annotations

from inference_core.core.exceptions import OperatorError


class GenerateError(OperatorError):
    """Raised if nothing can be generated. Nothing has been written. The text states why and what to do."""
