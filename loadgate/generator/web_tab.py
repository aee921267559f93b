"""A tab of Locust's web UI with the live state of the rules, and routes for this state and for the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from flask import Response, jsonify, request, send_file
from locust.runners import STATE_STOPPED, STATE_STOPPING
from locust.web import WebUI

from loadgate.live.state import LiveState, RuleState
from loadgate.report.conclusion import Conclusion
from loadgate.report.text import OUTCOME_WORDS, rule_limit, rule_quantity, rule_reason
from loadgate.run.document import VerdictRecord

KEY = "loadgate"
COLUMNS = {
    "rule": "Rule",
    "limit": "Limit",
    "measured": "Measured",
    "samples": "Samples",
    "outcome": "Outcome",
    "why": "Why",
}


class TabSource(Protocol):
    """The source of the data in the tab."""

    def live_state(self) -> LiveState | None:
        """Return the state of the current run. `None` if there is none."""

    def last_conclusion(self) -> Conclusion | None:
        """Return the conclusion of the last run. `None` before its end."""


def refuse_profiles(web_ui: WebUI, profile_problem: Callable[[str], str | None]) -> None:
    """Refuse to start a run if `profile_problem` returns a problem for the value of the field Profile."""

    def refuse() -> Response | None:
        if request.endpoint != "locust.swarm" or not (problem := profile_problem(request.form.get("profile", ""))):
            return None
        # The format of Locust's own response to a wrong field, whose message its page shows.
        return jsonify({"success": False, "message": problem, "host": web_ui.environment.host})

    if web_ui.app is not None:
        web_ui.app.before_request(refuse)


def add_tab(web_ui: WebUI, source: TabSource) -> None:
    """Add the tab, `/loadgate/state` and `/loadgate/report` to the web UI."""
    app = web_ui.app
    if app is None:
        return
    web_ui.template_args |= {
        name: [*web_ui.template_args.get(name, []), added]
        for name, added in {
            "extended_tabs": {"title": "Rules", "key": KEY},
            "extended_tables": {"key": KEY, "structure": _structure()},
            "extended_csv_files": {"title": "Download load gate report", "href": "./loadgate/report"},
        }.items()
    }

    def state() -> Response:
        running, conclusion = source.live_state(), source.last_conclusion()
        verdict = conclusion.document.verdict.model_dump(mode="json") if conclusion is not None else None
        return jsonify({"running": running.to_json() if running is not None else None, "verdict": verdict})

    def report() -> Response:
        conclusion = source.last_conclusion()
        if conclusion is None or conclusion.report is None:
            return Response("No report yet. It is available when a run has ended.\n", 404, mimetype="text/plain")
        return send_file(conclusion.report.resolve(), as_attachment=True)

    def add_rules(response: Response) -> Response:
        # Locust's page reads the rows of additional tables from this response.
        if request.endpoint == "locust.request_stats" and response.is_json:
            document = response.get_json()
            if document.get("state") == STATE_STOPPED and source.live_state() is not None:
                # The page stops polling when a run has stopped, so it would not show the verdict.
                document["state"] = STATE_STOPPING
            others = [table for table in document.get("extended_stats", []) if table["key"] != KEY]
            rows = tab_rows(source.live_state(), source.last_conclusion())
            response.set_data(jsonify(document | {"extended_stats": [*others, {"key": KEY, "data": rows}]}).get_data())
        return response

    base = str(app.blueprints["locust"].url_prefix or "").rstrip("/")
    for name, view in {"state": state, "report": report}.items():
        guarded = web_ui.auth_required_if_enabled(view)  # type: ignore[no-untyped-call]  # Locust's
        app.add_url_rule(f"{base}/loadgate/{name}", f"loadgate_{name}", guarded)
    app.after_request(add_rules)


def tab_rows(state: LiveState | None, conclusion: Conclusion | None) -> list[dict[str, Any]]:
    """Return the rows of the table: those of the current run, or else those of the last verdict."""
    if state is not None:
        return [_live_row(rule) for rule in state.rules]
    return _verdict_rows(conclusion.document.verdict) if conclusion is not None else []


def _structure() -> Sequence[Mapping[str, str]]:
    return [{"key": key, "title": title} for key, title in COLUMNS.items()]


def _live_row(rule: RuleState) -> dict[str, Any]:

    return {
        "rule": f"{rule.scope}: {rule.metric}",
        "limit": rule_limit(rule),
        "measured": rule_quantity(rule, rule.value),
        "samples": rule.samples,
        "outcome": OUTCOME_WORDS[rule.outcome],
        "why": rule.reason,
    }


def _verdict_rows(verdict: VerdictRecord) -> list[dict[str, Any]]:
    rows = [
        {
            "rule": f"{rule.scope}: {rule.metric}",
            "limit": rule_limit(rule),
            "measured": rule_quantity(rule, rule.value),
            "samples": rule.samples,
            "outcome": OUTCOME_WORDS[rule.outcome],
            "why": rule_reason(rule),
        }
        for rule in verdict.rules
    ]
    whole = dict.fromkeys(COLUMNS, "") | {"rule": "the run", "outcome": OUTCOME_WORDS[verdict.outcome]}
    return [*rows, whole | {"why": verdict.reason}]
