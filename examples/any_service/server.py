"""A small HTTP service to try the suite with: books and loans, in memory. It needs only Python."""

from __future__ import annotations

import argparse
import json
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

BOOKS = {number: {"id": number, "title": f"Book {number}"} for number in range(1, 51)}
BOOK = re.compile(r"/books/(\d{1,9})")
LARGEST_BODY_BYTES = 10_000


class Library(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    loans = 0
    counting = Lock()

    def do_GET(self) -> None:
        """Serve `/health`, `/metrics`, `/books` and `/books/{id}`."""
        if self.path == "/health":
            self._send(HTTPStatus.OK, {"status": "ok"})
        elif self.path == "/metrics":
            self._send_body(f"library_loans_total {self.loans}\n".encode(), "text/plain; version=0.0.4")
        elif self.path == "/books":
            self._send(HTTPStatus.OK, {"books": list(BOOKS.values())})
        elif (match := BOOK.fullmatch(self.path)) and int(match[1]) in BOOKS:
            self._send(HTTPStatus.OK, BOOKS[int(match[1])])
        else:
            self._send(HTTPStatus.NOT_FOUND, {"detail": "Not found."})

    def do_POST(self) -> None:
        """Serve `/loans`."""
        try:
            length = int(self.headers["Content-Length"])
            book_id = json.loads(self.rfile.read(min(length, LARGEST_BODY_BYTES)))["book_id"]
        except (KeyError, TypeError, ValueError):
            self.close_connection = True  # the rest of the body may not have been read
            self._send(HTTPStatus.BAD_REQUEST, {"detail": "The body must be JSON with a book_id."})
            return
        if self.path == "/loans" and book_id in BOOKS:
            with self.counting:
                Library.loans += 1
            self._send(HTTPStatus.CREATED, {"book_id": book_id, "days": 14})
        else:
            self._send(HTTPStatus.NOT_FOUND, {"detail": "Not found."})

    def log_message(self, *_: object) -> None:
        """Write no line for each request."""

    def _send(self, status: HTTPStatus, document: object) -> None:
        self._send_body(json.dumps(document).encode(), "application/json", status)

    def _send_body(self, body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on the loopback interface. Print the URL when the server accepts connections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="0 selects a free port (default: 8080)")
    with ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Library) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
