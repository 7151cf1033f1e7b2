"""A step that ends merges its chunks; whoever reads at that moment still sees every line once."""

from itertools import islice

import pytest

from runs_dashboard.models import LogView, Run, Status, Step, Tenant, append, seal
from runs_dashboard.text.intake import Line
from tests.models.runs import make_flow, make_run

pytestmark = pytest.mark.django_db
BATCHES, SIZE = 40, 5
TOTAL = BATCHES * SIZE


@pytest.fixture
def unsealed(tenant: Tenant) -> tuple[Run, Step]:
    run = make_run(make_flow(tenant), Status.RUNNING)
    step = Step.begin(run, run.version.parsed.steps[0], position=0, attempt=1)
    for batch in range(BATCHES):
        lines = [Line(f"{batch} {place}", 1 + place % 3, "stdout", 1_700_000_000.0) for place in range(SIZE)]
        append(run, lines, step=step, token=run.token)
    return run, step


@pytest.mark.parametrize("taken", [1, 6, 12, 33, 36, 77])
@pytest.mark.parametrize("after", [0, 13])
def test_reading_on_after_a_merge_misses_nothing(unsealed: tuple[Run, Step], taken: int, after: int) -> None:
    run, step = unsealed
    reading = LogView(run).stream(after)
    before = [entry.line for entry in islice(reading, taken)]

    seal(run, step)

    assert before + [entry.line for entry in reading] == list(range(after + 1, TOTAL + 1))


@pytest.mark.parametrize("taken", [1, 2, 3, 9])
def test_a_download_goes_on_after_a_merge(unsealed: tuple[Run, Step], taken: int) -> None:
    run, step = unsealed
    parts = LogView(run).parts(until=TOTAL - 2)
    found = [entry.line for part in islice(parts, taken) for entry in part.entries(TOTAL - 2)]

    seal(run, step)

    found += [entry.line for part in parts for entry in part.entries(TOTAL - 2)]
    assert found == list(range(1, TOTAL - 1))


def test_looking_back_over_a_merge_doubles_nothing(unsealed: tuple[Run, Step], monkeypatch: pytest.MonkeyPatch) -> None:
    run, step = unsealed
    view = LogView(run)
    walk = view.rows_back

    def merge_after_two(line):
        for number, row in enumerate(walk(line)):
            yield row
            if number == 1:
                seal(run, step)

    monkeypatch.setattr(view, "rows_back", merge_after_two)

    assert [entry.line for entry in view.before(limit=TOTAL)] == list(range(1, TOTAL + 1))
