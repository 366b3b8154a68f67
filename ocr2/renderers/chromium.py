"""Pages of HTML as Chromium prints them: the exact tool for what mathpix-markdown-it makes of a page.

    content = pdf("<p>Hello</p>")     # of one page, as high as what stands on it

The page has no scripts (its policy forbids them) and no network. The program runs in a folder of its own, which
is gone afterwards, and with a time limit, after which all of its processes are ended.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from ocr2.errors import RenderFailed
from ocr2.renderers.apart import apart
from ocr2.renderers.tools import need

SECONDS = 60.0
"""That a page may take: the program's start is most of it."""
WIDTH, HEIGHT = 595, 4200
"""Points of the sheet that is printed on: A4's width, and five times its height."""
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio"),
    *("--disable-extensions", "--disable-sync", "--disable-background-networking", "--disable-component-update"),
    *("--disable-default-apps", "--no-default-browser-check", "--disable-crash-reporter", "--no-pings"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"),
    *("--no-pdf-header-footer", "--disable-features=Translate,MediaRouter"),
)
_LEAVES = re.compile(r"<meta\b[^>]*\bhttp-equiv\s*=\s*[\"']?\s*refresh\b[^>]*>", re.IGNORECASE)
"""What makes a page go elsewhere, perhaps before it is printed."""
# a switch that turns all scripts off would keep it from printing
_SHEET = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    'img-src data:; font-src data:"><style>@page {{size: {width}pt {height}pt; margin: 0}} '
    "html, body {{background: white; margin: 0; -webkit-print-color-adjust: exact}}</style>"
)


def pdf(html: str, seconds: float = SECONDS) -> bytes:
    """The HTML as a PDF of one page, which ends a little below what stands on it.

    Raises RenderFailed where that is more than one very high page, or takes too long, RendererMissing.
    """
    program = need("chromium").program
    assert program
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, made = Path(folder) / "page.html", Path(folder) / "page.pdf"
        before, head, after = _LEAVES.sub("", html).partition("<head>")
        sheet = _SHEET.format(width=WIDTH, height=HEIGHT)
        source.write_text(f"{before}{head}{sheet}{after}" if head else f"{sheet}{html}", encoding="utf-8")
        options = [*_OPTIONS, f"--user-data-dir={folder}/user", f"--print-to-pdf={made}", source.as_uri()]
        told = _run([program, *options], folder, seconds)
        if not made.is_file():
            raise RenderFailed(f"chromium printed nothing: {told[-200:] or 'and said nothing'}")
        return bytes(apart(f"{__name__}:trimmed", made.read_bytes()))


def _run(command: list[str], folder: str, seconds: float) -> str:
    """What the program says. All its processes end with it. Raises RenderFailed where it takes too long."""
    environment = {"HOME": folder, "TMPDIR": folder, "PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
    process = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=seconds)[1].strip()
    except subprocess.TimeoutExpired as error:
        raise RenderFailed(f"chromium took longer than {seconds:g} seconds: give a simpler page") from error
    finally:
        with suppress(ProcessLookupError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stderr:
            process.stderr.close()


def trimmed(content: bytes) -> bytes:
    """The PDF's only page, cut below its ink; called apart. Raises RenderFailed."""
    from io import BytesIO

    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
        if len(document) != 1:
            raise RenderFailed(f"a page as high as {len(document)} of {HEIGHT} points: expected one; give less text")
        page = document[0]
        image = page.render(scale=0.5, grayscale=True).to_numpy()
        rows = (image.reshape(image.shape[0], -1) < 200).any(1).nonzero()[0]
        if not len(rows):
            raise RenderFailed("chromium printed an empty page: expected something to show")
        low = max(0.0, HEIGHT - 2 * float(rows[-1] + 1) - 24)
        page.set_mediabox(0, low, WIDTH, HEIGHT)
        page.set_cropbox(0, low, WIDTH, HEIGHT)
        made = BytesIO()
        document.save(made)
        document.close()
    except pypdfium2.PdfiumError as error:
        raise RenderFailed(f"a PDF that can't be read: {error}") from error
    return made.getvalue()
