"""Wherever a page shows a time, the same page says in which zone; and what is given twice is asked for once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..web.reading import Page
from .pages import EVERY_PAGE, ZONE, fill

if TYPE_CHECKING:
    from ..product import Product


def test_every_page_with_a_time_names_the_zone(world: tuple[Product, dict[str, Any]]) -> None:
    product, made = world
    silent, seen = [], 0
    with product.signed_in() as client:
        for address in EVERY_PAGE:
            page = Page(client.get(fill(address, made)).text)
            if address == "/api/v1/docs":
                continue
            main = page.one("main", id="main")
            start = page.elements.index(main)
            has_time = any(element.tag == "time" for element in page.elements[start:])
            seen += has_time
            if has_time and ZONE not in main.text:
                silent.append(address)
    assert seen > 10
    assert not silent, "these show a time and no zone"


def test_no_page_has_an_id_twice(world: tuple[Product, dict[str, Any]]) -> None:
    product, made = world
    with product.signed_in() as client:
        for address in EVERY_PAGE:
            ids = Page(client.get(fill(address, made)).text).ids
            assert len(ids) == len(set(ids)), (address, {one for one in ids if ids.count(one) > 1})
