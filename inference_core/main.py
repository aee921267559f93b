"""What `fastapi dev`, `fastapi run` and uvicorn serve: `inference_core.main:app`."""

from inference_core.main_factory import create_application
from inference_core.settings import SettingsError

try:
    app = create_application()
except SettingsError as error:
    raise SystemExit(str(error)) from None
