"""A page that is one file: a template in one language, with the house's style, and nothing else that it may load."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from headwater.adapters.report import Language

__all__ = ["page"]

_TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, language: Language, **facts: object) -> str:
    """Return a template filled with ``facts``, its policy allowing its own style alone.

    In the template ``words|say`` is a ``Message`` in the page's language, ``t(zh, en)`` a pair of words in it.
    """
    css = (_TEMPLATES / "quality.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(say=lambda words: words.zh if language == "zh" else words.en)
    environment.globals.update(t=lambda zh, en: zh if language == "zh" else en)
    return environment.get_template(template).render(
        language=language,
        css=Markup(css),
        css_hash=Markup("sha256-" + base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()),
        **facts,
    )
