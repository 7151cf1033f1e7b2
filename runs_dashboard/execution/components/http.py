"""`http`: one request. Request and answer are kept as payloads of its log entry, secrets masked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings

from ...definition.templates import fill, fill_tree
from ...models import Payload
from ...text.intake import clean, clean_json
from .. import outbound
from ..control import RunTimeout, StopAsked
from .task import Result, StepFailed, Task

if TYPE_CHECKING:
    from ..outbound import Answer

DEFAULT_TIMEOUT = 60.0
BODY_MAX_BYTES = 1_000_000


def perform(task: Task) -> Result:
    """Sends the request. Raises StepFailed, StopAsked, RunTimeout, LeaseLost."""
    context = task.surroundings.context()
    options = task.options
    method = str(options.get("method", "GET")).upper()
    url = fill(options["url"], context, encode="url")
    headers = {name: fill(str(value), context) for name, value in options.get("headers", {}).items()}
    body = _encode(options.get("body"), headers, context)
    if method not in ("GET", "HEAD", "OPTIONS") and not any(name.lower() == "idempotency-key" for name in headers):
        # The same value for every attempt, so that a server that knows the header acts once.
        headers["Idempotency-Key"] = f"{task.run.uid}.{task.definition.id}"
    try:
        answer = outbound.request(
            method,
            url,
            headers=headers,
            body=body,
            timeout=task.time_left(DEFAULT_TIMEOUT) or DEFAULT_TIMEOUT,
            max_bytes=BODY_MAX_BYTES,
            allow=outbound.parse_allowed(settings.HTTP_ALLOW),
            should_stop=lambda: task.control.read() is not None,
        )
    except outbound.Stopped:
        task.control.check()
        raise StopAsked from None
    except outbound.Failed as error:
        line = task.log.write(f"{method} {url}: {error}", level=3)
        _keep(task, line, "request", headers, body or b"", headers.get("Content-Type", ""), False)
        if task.is_run_over():
            raise RunTimeout from None
        raise StepFailed(f"{method} {url}: {error}") from None
    return _judge(task, method, url, headers, body or b"", answer)


def _judge(task: Task, method: str, url: str, headers: dict[str, str], body: bytes, answer: Answer) -> Result:
    expected = task.options.get("expect")
    wanted = [expected] if isinstance(expected, int) else expected
    is_fine = answer.status in wanted if wanted else 200 <= answer.status < 300
    size = f"{len(answer.body):,} bytes" + (", cut" if answer.is_truncated else "")
    text = f"{method} {url} → {answer.status} ({answer.elapsed * 1000:.0f} ms, {size})"
    line = task.log.write(text, level=1 if is_fine else 3)
    _keep(task, line, "request", headers, body, headers.get("Content-Type", ""), False)
    kind = answer.headers.get("content-type", "")
    _keep(task, line, "response", answer.headers, answer.body, kind, answer.is_truncated)
    task.count("operations_sent", 1)
    task.count("operations_received", 1)
    outputs = {"status": answer.status, "body": _decode(answer.body, kind)}
    outputs = task.surroundings.redactor.redact_json(outputs)
    if not is_fine:
        reason = f"{method} {url} answered {answer.status}"
        reason += f", expected {', '.join(map(str, wanted))}." if wanted else "."
        raise StepFailed(reason, outputs=outputs)
    return Result(outputs=outputs)


def _encode(body: Any, headers: dict[str, str], context: dict[str, Any]) -> bytes | None:
    if body is None:
        return None
    filled = fill_tree(body, context)
    if isinstance(filled, str):
        return filled.encode("utf-8", "replace")
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return json.dumps(filled, ensure_ascii=False).encode("utf-8", "replace")


def _decode(body: bytes, kind: str) -> Any:
    """Parsed JSON where it is JSON, else text."""
    if "json" in kind or body[:1] in (b"{", b"["):
        try:
            return clean_json(msgspec.json.decode(body))
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass  # it only looked like it: text then
    return clean(body.decode("utf-8", "replace"))


def _keep(
    task: Task, line: int, kind: str, headers: dict[str, str], body: bytes, content_type: str, is_truncated: bool
) -> None:
    limit = settings.PAYLOAD_MAX_BYTES
    text = task.mask(body.decode("utf-8", "replace"))
    payload = Payload(
        tenant_id=task.run.tenant_id,
        run=task.run,
        step=task.step,
        line=line,
        kind=kind,
        content_type=clean(content_type)[:100],
        headers={clean(name): task.mask(value) for name, value in headers.items()},
        body=text[:limit],
        size=len(body),
        is_truncated=is_truncated or len(text) > limit,
    )
    task.store(lambda: payload.save(force_insert=True))
    task.payload_bytes += len(body)
