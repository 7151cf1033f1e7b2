"""The examples of docs/api.md, typed as they stand into one shell, against the real product."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..product import Product, ProductMaker

needed = [word for word in ("curl", "openssl", "python3") if shutil.which(word) is None]
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(bool(needed), reason=f"the examples call {', '.join(needed)}, which is not here"),
]
TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
# Every answer must be a good one: curl says so by its exit status, and the shell stops at the first that is not.
HEAD = 'set -eu -o pipefail\ncurl() { echo "$ curl $*" >&2; command curl -sS --fail "$@"; }\n'
NOT_HERE = ("createkey", "schemathesis")


def read_examples() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    return [block for block in blocks if not any(word in block for word in NOT_HERE)]


def make_secret(product: Product) -> str:
    with product.signed_in() as client:
        page = client.get("/flows/hello/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        made = client.post("/flows/hello/secrets/", data={"keep": "", "csrfmiddlewaretoken": token[1]})
    secret = re.search(r'<pre[^>]* id="secret"[^>]*>([^<]+)</pre>', made.text)
    assert secret is not None, made.text
    return secret[1]


@pytest.mark.timeout(180)
def test_every_example_of_the_docs_is_answered_well(make_product: ProductMaker, tmp_path: Path) -> None:
    product = make_product().start()
    try:
        environment = {
            "PATH": product.environment["PATH"],
            "URL": product.url,
            "KEY": product.manage("createkey", "--user", "admin", "--role", "operator").strip(),
            "PASSWORD": product.password or "",
            "SECRET": make_secret(product),
        }
        examples = read_examples()
        shell = subprocess.run(
            ["bash", "-c", HEAD + "".join(examples)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    finally:
        make_product.end(product)

    assert len(examples) >= 7
    assert shell.returncode == 0, f"{shell.stderr}\n{shell.stdout[-3_000:]}"
    assert shell.stdout.count('"phase":"') > 5
    assert "event: end" in shell.stdout
    assert (tmp_path / "hello.ndjson").read_text().startswith('{"line":1,')
