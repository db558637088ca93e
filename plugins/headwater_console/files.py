"""Files: the console's own, and rendered reports; both behind the login like everything else."""

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from headwater.adapters.report import SCRIPT_HASH

__all__ = ["router"]

router = APIRouter()

_STATIC = {path.name: path for path in sorted((Path(__file__).parent / "static").iterdir())}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Send one of the console's own files; a name that is not in the list does not exist."""
    path = _STATIC.get(name)
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, media_type=_TYPES[path.suffix], headers={"Cache-Control": "private, max-age=300"})


@router.get("/reports/{kind}/{folder}/{name}")
def report(request: Request, kind: str, folder: str, name: str) -> Response:
    """Send a page of a rendered report; it stands alone and may run its filter only."""
    path = request.app.state.readings.report_file(kind, folder, name)
    if path is None:
        raise HTTPException(404)
    content = path.read_bytes()
    styles = " ".join(f"'sha256-{_digest(style)}'" for style in _STYLE.findall(content)) or "'none'"
    policy = (
        f"default-src 'none'; style-src {styles}; script-src '{SCRIPT_HASH}'; img-src data:; "
        "frame-ancestors 'self'; base-uri 'none'"
    )
    return HTMLResponse(content, headers={"Content-Security-Policy": policy})


@router.get("/returns/{source}/{name}")
def workbook(request: Request, source: str, name: str) -> Response:
    """Send the workbook of what a hospital must mend."""
    path = request.app.state.readings.return_file(source, name)
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, media_type=_WORKBOOK, filename=name)


def _digest(style: bytes) -> str:
    return base64.b64encode(hashlib.sha256(style).digest()).decode()
