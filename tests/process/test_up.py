"""`manage.py up`: one command brings up the whole product, and one signal ends it without a trace."""

import re
import stat

import httpx
import psutil

from ..product import Product, ProductMaker


def test_the_first_start_prints_address_password_and_place_of_the_data(dashboard: Product) -> None:
    printed = dashboard.read_log()

    assert dashboard.password
    assert re.search(rf"^Password: {re.escape(dashboard.password)}$", printed, re.MULTILINE)
    assert dashboard.url in printed
    assert str(dashboard.data_dir) in printed


def test_nobody_sees_a_page_without_signing_in(dashboard: Product) -> None:
    answer = httpx.get(f"{dashboard.url}/runs/", trust_env=False)

    assert answer.status_code == 302


def test_the_first_admin_signs_in_with_the_printed_password(dashboard: Product) -> None:
    with dashboard.signed_in() as client:
        assert client.get("/").url.path == "/runs/"


def test_the_secret_key_is_nobody_elses_to_read(dashboard: Product) -> None:
    assert stat.S_IMODE((dashboard.data_dir / "secret_key").stat().st_mode) == 0o600


def test_a_second_start_keeps_everything_and_makes_no_new_password(fresh_dashboard: Product) -> None:
    password = fresh_dashboard.password
    assert fresh_dashboard.stop() == 0

    fresh_dashboard.start()

    assert fresh_dashboard.read_log().count("Password: ") == 1
    with fresh_dashboard.signed_in(password=password) as client:
        assert client.get("/").url.path == "/runs/"


def test_nothing_of_it_lives_on_after_sigterm(fresh_dashboard: Product) -> None:
    assert len(fresh_dashboard.processes()) > 1

    assert fresh_dashboard.stop() == 0

    assert fresh_dashboard.processes() == []


def test_a_killed_part_is_started_again(fresh_dashboard: Product) -> None:
    main = psutil.Process(fresh_dashboard.pid)
    for child in main.children():
        child.kill()
        child.wait(10)

    fresh_dashboard.wait_until_ready()

    with fresh_dashboard.signed_in() as client:
        assert client.get("/").url.path == "/runs/"


def test_nothing_of_it_lives_on_after_its_head_is_killed(fresh_dashboard: Product) -> None:
    everything = fresh_dashboard.processes()

    fresh_dashboard.kill()

    _, alive = psutil.wait_procs(everything, timeout=20)
    assert alive == []


def test_the_port_of_another_is_refused_with_a_sentence(dashboard: Product, make_product: ProductMaker) -> None:
    second = make_product()
    second.port = dashboard.port
    second.launch()
    assert second.process is not None

    assert second.process.wait(30) == 1
    assert re.search(rf"^Error: .*{dashboard.port}", second.read_log(), re.MULTILINE), second.read_log()
    make_product.end(second)
