"""Start Locust with this version of loadgate: `python -m loadgate.generator.launch OPTION ...`.

Locust imports a suite with the current folder first on Python's path. By then, this version is imported, so the suite
does not import another one from the current folder.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("locust", run_name="__main__", alter_sys=True)
