"""The errors of crates."""

from __future__ import annotations

from inference_core.core.exceptions import ConflictError, DependencyUnavailableError


class CrateTakenError(ConflictError):
    """Raised if there is a crate with this label."""

    code = "crate_taken"
    detail = "There is such a crate."


class CraneError(Exception):
    """An error of a library."""


class CraneUnavailableError(DependencyUnavailableError):
    """Raised if the crane does not move."""

    code = "crane_unavailable"


library_errors = {CraneError: CraneUnavailableError}
