"""Pages read as a reader finds them: elements with their attributes and their text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpResponse

EMPTY = {"input", "br", "img", "link", "meta", "hr", "col", "rect", "line", "path", "use", "circle", "option"}


@dataclass
class Element:
    tag: str
    attrs: dict[str, str]
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


class Page(HTMLParser):
    """`Page(response)`; `find("button")` gives the elements with that tag, and those attributes."""

    def __init__(self, response: HttpResponse | str) -> None:
        super().__init__()
        self.source = response if isinstance(response, str) else response.content.decode()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self._said: list[str] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in EMPTY:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place].tag == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        self._said.append(data)
        for element in self._open:
            element.parts.append(data)

    def find(self, tag: str, **attrs: str) -> list[Element]:
        wanted = {name.rstrip("_"): value for name, value in attrs.items()}
        return [e for e in self.elements if e.tag == tag and all(e.attrs.get(n) == v for n, v in wanted.items())]

    def one(self, tag: str, **attrs: str) -> Element:
        found = self.find(tag, **attrs)
        assert len(found) == 1, f"{len(found)} of <{tag} {attrs}>"
        return found[0]

    def by_id(self, name: str) -> Element | None:
        return next((element for element in self.elements if element.attrs.get("id") == name), None)

    @property
    def text(self) -> str:
        """Everything that the page says."""
        return " ".join("".join(self._said).split())

    @property
    def title(self) -> str:
        return self.one("title").text

    @property
    def buttons(self) -> list[str]:
        """The names of all buttons, in their order."""
        return [element.text or element.attrs.get("aria-label", "") for element in self.find("button")]

    @property
    def links(self) -> dict[str, str]:
        """Text to address of every link."""
        return {element.text: element.attrs.get("href", "") for element in self.find("a")}

    @property
    def ids(self) -> list[str]:
        return [element.attrs["id"] for element in self.elements if "id" in element.attrs]

    def lines(self) -> Iterator[int]:
        """The numbers of the log lines on the page."""
        for name in self.ids:
            if name[:1] == "L" and name[1:].isdigit():
                yield int(name[1:])
