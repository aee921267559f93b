"""run.json: one typed document with all data of a run. All other files of the run are made from it."""

from loadgate.run.document.environment import (
    EnvironmentRecord,
    GitRecord,
    MachineClassRecord,
    MachineRecord,
    TargetRecord,
)
from loadgate.run.document.figures import LatencyFigures, NameFigures, ScopeFigures, TotalFigures
from loadgate.run.document.model import SCHEMA_VERSION, RunDocument
from loadgate.run.document.plan import RunRecord, StageRecord
from loadgate.run.document.reading import RUN, RUN_FILE, read_run
from loadgate.run.document.recording import InFlightRecord, SeriesRecord
from loadgate.run.document.requests import ErrorRecord
from loadgate.run.document.resources import ResourcesRecord
from loadgate.run.document.stored_file import RunFileError
from loadgate.run.document.verdict import RuleRecord

__all__ = [
    "RUN",
    "RUN_FILE",
    "SCHEMA_VERSION",
    "EnvironmentRecord",
    "ErrorRecord",
    "GitRecord",
    "InFlightRecord",
    "LatencyFigures",
    "MachineClassRecord",
    "MachineRecord",
    "NameFigures",
    "ResourcesRecord",
    "RuleRecord",
    "RunDocument",
    "RunFileError",
    "RunRecord",
    "ScopeFigures",
    "SeriesRecord",
    "StageRecord",
    "TargetRecord",
    "TotalFigures",
    "read_run",
]
