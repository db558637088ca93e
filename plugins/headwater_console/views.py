"""Pages from templates: both languages from one template, every text from one table, numbers with their units."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import yaml
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["LANGUAGES", "Page", "Views", "language"]

LANGUAGES = {"zh-CN": "zh", "en": "en"}
"""Value of ``?lang=`` to the key of a text; the first one is the default."""

_ZONE = ZoneInfo("Asia/Shanghai")


def language(request: Request) -> str:
    """Return the language of a request; an unknown one is the default, as a link may be old."""
    asked = request.query_params.get("lang", "")
    return asked if asked in LANGUAGES else next(iter(LANGUAGES))


@dataclass(frozen=True)
class Page:
    """What a template calls: texts, links and numbers in the language of the request."""

    request: Request
    lang: str
    texts: Mapping[str, Mapping[str, str]]

    def t(self, key: str, /, **values: object) -> str:
        """Return the text filed under ``key``."""
        return self.texts[key][LANGUAGES[self.lang]].format(**values)

    def either(self, zh: str, en: str) -> str:
        """Return the one of two stored texts that fits."""
        return zh if self.lang == "zh-CN" else en

    def link(self, path: str, **parameters: object) -> str:
        """Return the address of a page of the console; the language goes with it."""
        kept = {name: value for name, value in parameters.items() if value not in (None, "")}
        query = urlencode({**kept, "lang": self.lang})
        return f"{self.request.scope.get('root_path', '')}/{path}?{query}"

    def static(self, name: str) -> str:
        """Return the address of a static file."""
        return f"{self.request.scope.get('root_path', '')}/static/{name}"

    def here(self, lang: str) -> str:
        """Return this page in another language, with all its filters."""
        return "?" + urlencode({**dict(self.request.query_params), "lang": lang})

    def count(self, value: int | None) -> str:
        """Write a count."""
        return "–" if value is None else f"{value:,}"

    def money(self, value: Decimal | None) -> str:
        """Write an amount to the fen."""
        return "–" if value is None else f"{value:,.2f}"

    def change(self, value: Decimal | None) -> str:
        """Write by how much an amount changes, to the fen, with its sign."""
        return "–" if value is None else f"{value:+,.2f}" if value else "0.00"

    def figure(self, value: float | None, digits: int = 4) -> str:
        """Write a measure; what is rounded to nothing has no sign."""
        return "–" if value is None else f"{value:z.{digits}f}"

    def at(self, value: datetime | None) -> str:
        """Write a moment in the bureau's time."""
        return "–" if value is None else f"{value.astimezone(_ZONE):%Y-%m-%d %H:%M}"


class Views:
    """The templates and texts of the console."""

    def __init__(self, folder: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folder / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.texts: dict[str, dict[str, str]] = yaml.safe_load((folder / "texts.yml").read_text(encoding="utf-8"))

    def page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Render one page."""
        page = Page(request, language(request), self.texts)
        html = self._environment.get_template(template).render(page=page, t=page.t, now=datetime.now(UTC), **values)
        return HTMLResponse(html, status_code=status, headers={"Content-Language": page.lang, "Vary": "Cookie"})
