"""The application for `fastapi dev`, `fastapi run` and uvicorn: `inference_core.main:app`."""

from inference_core.settings import SettingsError
from inference_core.telemetry.propagators import check_propagators

try:
    check_propagators()
    from inference_core.main_factory import create_application  # the folder of the metrics is made when it is imported

    app = create_application()
except SettingsError as error:
    raise SystemExit(str(error)) from None
