"""File Downloads by API: asked for, shown, fetched whole and in parts."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.utils import timezone

from runs_dashboard.execution.downloads import make_next
from runs_dashboard.models import AuditEntry, Download, Step

from .world import Caller, print_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import StreamingHttpResponse

    from runs_dashboard.models import Run, User

CONTENT = b"0123456789" * 60_000  # more than one block of the server's


@pytest.fixture
def ready(ended_run: Run, ada: User) -> Iterator[Download]:
    """A download whose file was made."""
    from runs_dashboard.models import Actor

    download = Download.request(ended_run, by=Actor(user=ada))
    claimed = Download.across_tenants.claim(worker="w1")
    assert claimed is not None
    claimed.path.parent.mkdir(parents=True, exist_ok=True)
    claimed.path.write_bytes(CONTENT)
    claimed.end(size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    yield claimed
    download.path.unlink(missing_ok=True)


def read(answer: StreamingHttpResponse) -> bytes:
    return b"".join(answer.streaming_content)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", ["txt", "ndjson", "csv"])
def test_a_download_is_queued(api: Caller, ended_run: Run, method: str, kind: str) -> None:
    answer = api.call(method, f"/api/v1/flow-runs/{ended_run.uid}/download?format={kind}")

    assert answer.status_code == 202
    shown = answer.json()
    assert (shown["status"], shown["format"], shown["flowRunId"]) == ("queued", kind, ended_run.uid)
    assert (shown["size"], shown["sha256"], shown["expiresAt"]) == (None, None, None)
    assert shown["url"] == f"/api/v1/file-downloads/{shown['id']}/content"
    assert api.get(answer["Location"]).json() == shown


def test_txt_is_the_default(api: Caller, ended_run: Run) -> None:
    assert api.get(f"/api/v1/flow-runs/{ended_run.uid}/download").json()["format"] == "txt"


def test_a_body_can_name_the_format_and_the_part(api: Caller, ended_run: Run) -> None:
    body = {"format": "csv", "levels": ["error", "warning"]}

    shown = api.post(f"/api/v1/flow-runs/{ended_run.uid}/download", body).json()

    assert shown["format"] == "csv"
    assert Download.across_tenants.get(uuid=shown["id"]).filters == {"levels": ["error", "warning"]}


@pytest.mark.parametrize(
    "query", ["format=pdf", "format=", "colour=red", "raw=2", "attempt=0", "level=loud", "stream=x"]
)
def test_an_unknown_format_is_refused(api: Caller, ended_run: Run, query: str) -> None:
    assert api.get(f"/api/v1/flow-runs/{ended_run.uid}/download?{query}").status_code == 422


def test_the_address_can_name_the_part_too(api: Caller, ended_run: Run) -> None:
    Step.across_tenants.create(tenant=ended_run.tenant, run=ended_run, slug="load")
    query = "format=ndjson&raw=true&step=load&attempt=1&level=error,warning&stream=stderr&text=disk"

    shown = api.get(f"/api/v1/flow-runs/{ended_run.uid}/download?{query}").json()

    assert (shown["format"], shown["raw"]) == ("ndjson", True)
    assert shown["filters"] == {
        "step": "load",
        "attempt": 1,
        "levels": ["error", "warning"],
        "stream": "stderr",
        "text": "disk",
    }


@pytest.mark.parametrize("query", ["format=raw", "raw=true", "format=txt&raw=1"])
def test_raw_is_text_as_printed(api: Caller, ended_run: Run, query: str) -> None:
    shown = api.get(f"/api/v1/flow-runs/{ended_run.uid}/download?{query}").json()

    assert (shown["format"], shown["raw"]) == ("txt", True)


def test_a_support_bundle_is_asked_for_like_a_log(api: Caller, ended_run: Run) -> None:
    shown = api.post(f"/api/v1/flow-runs/{ended_run.uid}/download", {"format": "bundle"}).json()

    assert (shown["format"], shown["status"]) == ("bundle", "queued")


def test_who_takes_a_file_is_in_the_trail_once_for_all_its_parts(api: Caller, ready: Download) -> None:
    url = f"/api/v1/file-downloads/{ready.uuid}/content"
    for part in ("bytes=5-9", "bytes=10-19"):
        api.get(url, headers={"Range": part})
    api.call("HEAD", url)
    fetches = AuditEntry.across_tenants.filter(action="run.fetch")
    assert fetches.count() == 1

    api.get(url)
    assert fetches.count() == 2
    assert fetches[0].detail["download"] == str(ready.uuid)


def test_an_unknown_step_is_refused(api: Caller, ended_run: Run) -> None:
    assert api.post(f"/api/v1/flow-runs/{ended_run.uid}/download", {"step": "x"}).status_code == 422


def test_asked_twice_it_is_one_job(api: Caller, ended_run: Run) -> None:
    first, second = (api.get(f"/api/v1/flow-runs/{ended_run.uid}/download").json() for _ in range(2))

    assert first["id"] == second["id"]
    assert AuditEntry.across_tenants.filter(action="run.download").count() == 1


def test_a_look_at_the_address_makes_no_file(api: Caller, ended_run: Run) -> None:
    assert api.call("HEAD", f"/api/v1/flow-runs/{ended_run.uid}/download").status_code == 202
    assert Download.across_tenants.count() == 0


def test_the_whole_file(api: Caller, ready: Download) -> None:
    answer = api.get(f"/api/v1/file-downloads/{ready.uuid}/content")

    assert (answer.status_code, read(answer)) == (200, CONTENT)
    assert answer["Content-Length"] == str(len(CONTENT))
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["ETag"] == f'"{ready.sha256}"'
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=5-5", (5, 6)),
        ("bytes=599990-", (599_990, 600_000)),
        ("bytes=-10", (599_990, 600_000)),
        ("bytes=-9999999", (0, 600_000)),
        ("bytes=599999-9999999", (599_999, 600_000)),
        ("bytes=0-599999", (0, 600_000)),
        ("bytes=599999-" + "9" * 40, (599_999, 600_000)),
        ("Bytes = 0-9", (0, 10)),
    ],
)
def test_a_part_of_the_file(api: Caller, ready: Download, asked: str, part: tuple[int, int]) -> None:
    answer = api.get(f"/api/v1/file-downloads/{ready.uuid}/content", headers={"Range": asked})

    assert answer.status_code == 206
    assert read(answer) == CONTENT[slice(*part)]
    assert answer["Content-Range"] == f"bytes {part[0]}-{part[1] - 1}/600000"


@pytest.mark.parametrize("asked", ["bytes=600000-", "bytes=-0", "bytes=" + "9" * 40 + "-"])
def test_a_part_that_is_out_of_reach(api: Caller, ready: Download, asked: str) -> None:
    answer = api.get(f"/api/v1/file-downloads/{ready.uuid}/content", headers={"Range": asked})

    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */600000")


@pytest.mark.parametrize(
    "asked", ["bytes=9-1", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "x", "bytes=" + "9" * 5_000 + "-", "bytes=\u0661-"]
)
def test_a_range_that_is_none_gives_the_whole(api: Caller, ready: Download, asked: str) -> None:
    answer = api.get(f"/api/v1/file-downloads/{ready.uuid}/content", headers={"Range": asked})

    assert (answer.status_code, len(read(answer))) == (200, 600_000)


def test_a_range_of_the_same_file_is_given(api: Caller, ready: Download) -> None:
    headers = {"Range": "bytes=2-4", "If-Range": f'"{ready.sha256}"'}

    answer = api.get(f"/api/v1/file-downloads/{ready.uuid}/content", headers=headers)

    assert (answer.status_code, read(answer)) == (206, CONTENT[2:5])


def test_a_look_at_the_file_tells_its_whole_size(api: Caller, ready: Download) -> None:
    answer = api.call("HEAD", f"/api/v1/file-downloads/{ready.uuid}/content", headers={"Range": "bytes=0-9"})

    assert (answer.status_code, answer["Content-Length"]) == (200, str(len(CONTENT)))


def test_a_range_of_another_file_gives_the_whole(api: Caller, ready: Download) -> None:
    headers = {"Range": "bytes=0-1", "If-Range": '"other"'}

    answer = api.get(f"/api/v1/file-downloads/{ready.uuid}/content", headers=headers)

    assert (answer.status_code, len(read(answer))) == (200, 600_000)


def test_the_server_streams_it_in_blocks(api: Caller, ready: Download) -> None:
    path, headers = f"/api/v1/file-downloads/{ready.uuid}/content", {"Authorization": f"Bearer {api.key}"}

    async def fetch() -> list[bytes]:
        answer = await AsyncClient().get(path, headers=headers)
        return [block async for block in answer.streaming_content]

    blocks = async_to_sync(fetch)()

    assert b"".join(blocks) == CONTENT
    assert len(blocks) > 1


def test_a_file_that_is_not_made_yet_is_a_conflict(api: Caller, ended_run: Run) -> None:
    url = api.get(f"/api/v1/flow-runs/{ended_run.uid}/download").json()["url"]

    assert api.get(url).status_code == 409


def test_an_expired_file_is_gone(api: Caller, ready: Download) -> None:
    Download.across_tenants.filter(pk=ready.pk).update(status="expired")

    assert api.get(f"/api/v1/file-downloads/{ready.uuid}/content").status_code == 404
    assert api.get(f"/api/v1/file-downloads/{ready.uuid}").json()["status"] == "expired"


def test_a_file_is_gone_at_its_time_and_not_when_it_is_removed(api: Caller, ready: Download) -> None:
    Download.across_tenants.filter(pk=ready.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    assert api.get(f"/api/v1/file-downloads/{ready.uuid}/content").status_code == 404
    assert api.get(f"/api/v1/file-downloads/{ready.uuid}").json()["status"] == "expired"
    assert ready.path.is_file()


@pytest.mark.parametrize("kind", ["txt", "ndjson", "csv"])
def test_a_log_that_still_grows_is_cut_at_its_line_and_says_so(api: Caller, run: Run, kind: str) -> None:
    print_lines(run, *(f"line {number}" for number in range(1, 31)))
    shown = api.get(f"/api/v1/flow-runs/{run.uid}/download?format={kind}").json()
    print_lines(run, "later")
    assert make_next("w1")

    made = api.get(f"/api/v1/file-downloads/{shown['id']}").json()
    content = read(api.get(made["url"]))
    assert (made["status"], made["lastLine"], made["isCut"]) == ("ready", 30, True)
    assert hashlib.sha256(content).hexdigest() == made["sha256"]
    assert len(content) == made["size"]
    assert b"line 30" in content
    assert b"later" not in content


def test_a_viewer_sees_downloads_but_takes_none(
    caller_of: Callable[[User], Caller], vic: User, ready: Download, ended_run: Run
) -> None:
    caller = caller_of(vic)

    assert caller.get(f"/api/v1/file-downloads/{ready.uuid}").status_code == 200
    assert caller.get(f"/api/v1/file-downloads/{ready.uuid}/content").status_code == 403
    assert caller.get(f"/api/v1/flow-runs/{ended_run.uid}/download").status_code == 403


@pytest.mark.parametrize("path", ["", "/content"])
def test_a_foreign_download_is_not_there(eves: Caller, ready: Download, path: str) -> None:
    foreign = eves.get(f"/api/v1/file-downloads/{ready.uuid}{path}")
    missing = eves.get(f"/api/v1/file-downloads/nothing{path}")

    assert (foreign.status_code, foreign.content) == (404, missing.content)
    assert eves.get(f"/api/v1/file-downloads/{str(ready.uuid).upper()}{path}").status_code == 404
