"""A tab of Locust's web UI with the live state of the rules, and routes for this state and for the report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Response, jsonify, request, send_file
from locust.runners import STATE_STOPPED, STATE_STOPPING
from locust.web import WebUI

from loadgate.live.state import LiveState
from loadgate.live.table import COLUMNS, table_rows
from loadgate.report.conclusion import Conclusion

KEY = "loadgate"

TabSource = Callable[[], tuple[LiveState | None, Conclusion | None]]
"""Returns the state of the current run and the conclusion of the last one, if there are any."""


def refuse_profiles(web_ui: WebUI, profile_problem: Callable[[str], str | None]) -> None:
    """Refuse to start a run if `profile_problem` returns a problem for the value of the field Profile."""

    def refuse() -> Response | None:
        if request.endpoint != "locust.swarm" or not (problem := profile_problem(request.form.get("profile", ""))):
            return None
        # Locust's own response to a wrong field has this format, and its page shows the message.
        return jsonify({"success": False, "message": problem, "host": web_ui.environment.host})

    if web_ui.app is not None:
        web_ui.app.before_request(refuse)


def add_tab(web_ui: WebUI, source: TabSource) -> None:
    """Add the tab, `/loadgate/state` and `/loadgate/report` to the web UI."""
    app = web_ui.app
    if app is None:
        return
    structure = [{"key": key, "title": title} for key, title in COLUMNS.items()]
    web_ui.template_args |= {
        name: [*web_ui.template_args.get(name, []), added]
        for name, added in {
            "extended_tabs": {"title": "Rules", "key": KEY},
            "extended_tables": {"key": KEY, "structure": structure},
            "extended_csv_files": {"title": "Download load gate report", "href": "./loadgate/report"},
        }.items()
    }
    base = str(app.blueprints["locust"].url_prefix or "").rstrip("/")
    for name, view in {"state": _state, "report": _report}.items():
        guarded = web_ui.auth_required_if_enabled(partial(view, source))  # type: ignore[no-untyped-call]  # Locust's
        app.add_url_rule(f"{base}/loadgate/{name}", f"loadgate_{name}", guarded)
    app.after_request(partial(_add_rules, source))


def _state(source: TabSource) -> Response:
    running, conclusion = source()
    verdict = conclusion.document.verdict.model_dump(mode="json") if conclusion is not None else None
    return jsonify({"running": running.model_dump(mode="json") if running is not None else None, "verdict": verdict})


def _report(source: TabSource) -> Response:
    _, conclusion = source()
    if conclusion is None or conclusion.report is None:
        return Response("No report yet. It is available when a run has ended.\n", 404, mimetype="text/plain")
    return send_file(conclusion.report.resolve(), as_attachment=True)


def _add_rules(source: TabSource, response: Response) -> Response:
    """Add the rows of the table to the response from which Locust's page reads additional tables."""
    if request.endpoint == "locust.request_stats" and response.is_json:
        document, (state, conclusion) = response.get_json(), source()
        if document.get("state") == STATE_STOPPED and state is not None:
            # The page stops polling when a run has stopped, so it would not show the verdict.
            document["state"] = STATE_STOPPING
        others = [table for table in document.get("extended_stats", []) if table["key"] != KEY]
        table = {"key": KEY, "data": table_rows(state, conclusion)}
        response.set_data(jsonify(document | {"extended_stats": [*others, table]}).get_data())
    return response
