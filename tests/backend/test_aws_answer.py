"""What stands between us and AWS may answer in its place: that is an error, not a write that was done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from backend.aws import Clients
from backend.aws_answer import NotAnAnswer

HTML = b"<!doctype html><html><body>Welcome to the guest network</body></html>"
NAMED = {"x-amzn-RequestId": "1"}


class Between(BaseHTTPRequestHandler):
    """Answers everything the same way."""

    answer: ClassVar[tuple[int, bytes, dict[str, str]]] = (200, HTML, {})

    def respond(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body, headers = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = respond  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Clients("us-east-1", attempts=1)
        server.shutdown()


CALLS: dict[str, Callable[[Clients], Any]] = {
    "dynamodb": lambda clients: clients.dynamodb.put_item(TableName="t", Item={"k": {"S": "v"}}),
    "s3": lambda clients: clients.s3.get_object(Bucket="bucket", Key="key"),
    "sqs": lambda clients: clients.sqs.send_message(QueueUrl="http://127.0.0.1/q", MessageBody="x"),
    "sns": lambda clients: clients.sns.publish(TopicArn="arn:aws:sns:us-east-1:1:t", Message="x"),
}


@pytest.mark.parametrize("service", CALLS)
def test_a_page_of_a_proxy_is_no_success(service: str, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Between, "answer", (200, HTML, {"Content-Type": "text/html"}))
    with pytest.raises(NotAnAnswer, match="names no request"):
        CALLS[service](clients)


@pytest.mark.parametrize(
    ("service", "body"),
    [("dynamodb", b'{"UnprocessedItems": {"t": ['), ("sns", b"<PublishResponse><PublishResult><MessageId>")],
)
def test_half_an_answer_is_no_empty_one(
    service: str, body: bytes, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Between, "answer", (200, body, NAMED))
    with pytest.raises(NotAnAnswer, match="cut or garbled"):
        CALLS[service](clients)


def test_answers_and_errors_of_aws_pass(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Between, "answer", (200, b"{}", NAMED))
    assert CALLS["dynamodb"](clients)["ResponseMetadata"]["HTTPStatusCode"] == 200
    body = b'{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no"}'
    monkeypatch.setattr(Between, "answer", (400, body, NAMED))
    with pytest.raises(clients.dynamodb.exceptions.ResourceNotFoundException):
        CALLS["dynamodb"](clients)
