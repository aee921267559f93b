"""The application for `fastapi dev`, `fastapi run` and uvicorn: `inference_core.main:app`."""

from inference_core.core.exceptions import OperatorError
from inference_core.core.telemetry.opentelemetry_variables import check_opentelemetry_variables

try:
    check_opentelemetry_variables()
    from inference_core.app.application import (
        create_application,  # the folder of the metrics is made when it is imported
    )

    app = create_application()
except OperatorError as error:
    raise SystemExit(str(error)) from None
