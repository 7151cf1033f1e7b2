"""What each component's `with` may hold."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from runs_dashboard.definition import templates
from runs_dashboard.definition.problems import Path
from runs_dashboard.definition.reader import SLUG, SLUG_HINT, VARIABLE, VARIABLE_HINT, Reader

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OWN_VARIABLES = ("RUN_ID", "STEP_ID", "FLOW_ID", "ATTEMPT", "RUN_ARGS", "RUN_REPORT")
# Where `${{ … }}` is filled, by component: the rest of a definition is taken literally.
TEMPLATE_KEYS = {"command": ("env",), "http": ("url", "headers", "body"), "approval": (), "flow": ("args",)}
TEMPLATE_PLACES = "an http step's url, headers and body, a command's env and a flow's args"

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ENV_HINT = 'e.g. {ROWS: "12"}'
_RUN_HINT = 'e.g. ["python", "load.py"]'


def read_with(reader: Reader, component: str, value: Any, path: Path) -> dict[str, Any]:
    """A component's settings, checked and with its defaults filled in."""
    return _READERS[component](reader, {} if value is None else value, path)


def _read_command(reader: Reader, value: Any, path: Path) -> dict[str, Any]:
    data = reader.keys(value, path, ("run", "env"), ("run",))
    run = data.get("run")
    if run is not None:
        if not isinstance(run, list):
            reader.refuse((*path, "run"), "expected a list of arguments", _RUN_HINT)
            run = []
        elif not run:
            reader.refuse((*path, "run"), "expected at least one argument", _RUN_HINT)
        for index, item in enumerate(reader.items(run, (*path, "run"), "a list", _RUN_HINT, 1000)):
            reader.text(item, (*path, "run", index), limit=100_000, hint=_RUN_HINT, allow_empty=index > 0)
    env = reader.texts(
        data.get("env", {}),
        (*path, "env"),
        hint=_ENV_HINT,
        limit=32_000,
        names=VARIABLE,
        name_hint=VARIABLE_HINT,
    )
    for name in env:
        if name in OWN_VARIABLES or name.startswith("INPUT_"):
            reader.refuse((*path, "env", name), f"{name} is set by the product", "choose another name")
    return {"run": run, "env": env}


def _read_http(reader: Reader, value: Any, path: Path) -> dict[str, Any]:
    data = reader.keys(value, path, ("method", "url", "headers", "body", "expect"), ("url",))
    read: dict[str, Any] = {"method": reader.choice(data.get("method", "GET"), (*path, "method"), METHODS)}
    if "url" in data:
        read["url"] = reader.text(data["url"], (*path, "url"), limit=8000, hint="e.g. https://shop.example/orders")
        if read["url"]:
            check_url(
                reader, read["url"], (*path, "url"), hint="e.g. https://shop.example/orders?day=${{ inputs.day }}"
            )
    read["headers"] = reader.texts(
        data.get("headers", {}),
        (*path, "headers"),
        hint='e.g. {Accept: "text/csv"}',
        names=_HEADER,
        name_hint="e.g. X-Request-Id",
    )
    for name, text in read["headers"].items():
        if "\r" in text or "\n" in text:
            reader.refuse((*path, "headers", name), "may not contain a line break", "write it on one line")
    if "body" in data:
        read["body"] = data["body"]
        if read["method"] in ("GET", "HEAD"):
            reader.refuse((*path, "body"), f"{read['method']} sends no body", "e.g. method: POST")
    expect = data.get("expect", [])
    codes = expect if isinstance(expect, list) else [expect]
    read["expect"] = [
        reader.whole(
            code,
            (*path, "expect", index) if isinstance(expect, list) else (*path, "expect"),
            least=100,
            most=599,
        )
        for index, code in enumerate(codes[:500])
    ]
    return read


def check_url(reader: Reader, url: str, path: Path, *, hint: str) -> None:
    """The scheme is literal; only an environment may choose the host: inputs must not aim secrets."""
    if not url.lower().startswith(("http://", "https://")):
        reader.refuse(path, "expected a URL that starts with http:// or https://", hint)
        return
    authority = re.split(r"[/?#\\]", templates.mask(url).split("://", 1)[1], maxsplit=1)[0]
    start = url.index("://") + 3
    try:
        references = templates.find_in_text(url[start : start + len(authority)])
        parts = urlsplit(templates.mask(url))
        has_host = bool(parts.hostname) and bool(references or parts.port != 0)
    except templates.TemplateError:
        return
    except ValueError:
        has_host, references = False, []
    if not has_host or any(c.isspace() for c in templates.mask(url)):
        reader.refuse(path, "expected a URL with a host and without spaces", hint)
    if "@" in authority:
        reader.refuse(path, "a user name in the URL would be shown", "use the Authorization header with a secret")
    for reference in references:
        if reference.root != "environment":
            reader.refuse(
                path,
                f"the host may not come from {reference.expression}",
                "write it, or use environment.NAME",
            )


def _read_approval(reader: Reader, value: Any, path: Path) -> dict[str, Any]:
    data = reader.keys(value, path, ("message",))
    if "message" in data:
        return {"message": reader.text(data["message"], (*path, "message"), limit=2000)}
    return {}


def _read_flow(reader: Reader, value: Any, path: Path) -> dict[str, Any]:
    data = reader.keys(value, path, ("flow", "args", "environment"), ("flow",))
    read: dict[str, Any] = {"args": reader.mapping(data.get("args", {}), (*path, "args"), 'e.g. {day: "2026-11-22"}')}
    for key in ("flow", "environment"):
        if key in data:
            read[key] = reader.text(data[key], (*path, key), limit=100, pattern=SLUG, hint=SLUG_HINT)
    return read


_READERS: dict[str, Callable[[Reader, Any, Path], dict[str, Any]]] = {
    "command": _read_command,
    "http": _read_http,
    "approval": _read_approval,
    "flow": _read_flow,
}
COMPONENTS = tuple(_READERS)
