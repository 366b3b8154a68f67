"""Chromium prints what is given to it, alone, in time."""

from __future__ import annotations

import http.server
import re
import threading
import time
from pathlib import Path

import pytest

from ocr2.errors import RendererMissing, RenderFailed
from ocr2.renderers import chromium, tools
from ocr2.renderers.chromium import pdf
from ocr2.renderers.drawing import Drawing
from ocr2.renderers.tools import tool

pypdfium2 = pytest.importorskip("pypdfium2", reason="engines: pip install 'ocr2[engines]'")
needs = pytest.mark.skipif(not tool("chromium").version, reason="chromium isn't installed")


def words(content: bytes) -> str:
    return " ".join(pypdfium2.PdfDocument(content)[0].get_textpage().get_text_range().split())


@needs
def test_a_page_ends_below_its_ink() -> None:
    content = pdf("<html><head><title>x</title></head><body><p>Hello 中文</p></body></html>")
    assert words(content) == "Hello 中文"
    image = Drawing(content, "pdf", "chromium", 1.0).pixels()
    assert image.shape[1] == chromium.WIDTH and 20 < image.shape[0] < 80
    tall = pdf("<p>Hello" * 40)
    assert Drawing(tall, "pdf", "chromium", 1.0).pixels().shape[0] > 600


@needs
def test_scripts_dont_run_and_nothing_is_loaded(tmp_path: Path) -> None:
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    (tmp_path / "secret.txt").write_text("SECRET")
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"
    content = pdf(
        f"<p id=a>quiet</p><script>document.body.innerHTML = 'loud'</script><img src='{here}/image.png'>"
        f"<img src=x onerror=\"document.getElementById('a').innerHTML = 'loud'\">"
        f"<link rel=stylesheet href='{here}/style.css'><iframe src='{here}/frame'></iframe>"
        f"<iframe src='file://{tmp_path}/secret.txt'></iframe><object data='file://{tmp_path}/secret.txt'></object>"
        f"<style>@import url({here}/more.css); p {{background: url({here}/back.png)}}</style>"
        f"<meta http-equiv=refresh content='0; url={here}/next'>"
    )
    server.shutdown()
    server.server_close()
    assert "quiet" in words(content) and not re.search("loud|SECRET", words(content))
    assert asked == []


@needs
def test_what_is_too_long_or_empty_is_refused() -> None:
    with pytest.raises(RenderFailed, match=r"as high as \d+ of 4200 points: expected one"):
        pdf("<p>line</p>" * 400)
    with pytest.raises(RenderFailed, match="empty page"):
        pdf("<p> </p>")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux tells which processes there are")
def test_one_that_takes_too_long_is_ended_with_all_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Chromium 1.2' && exit\nsleep 333 & sleep 333\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    tools._version.cache_clear()
    start = time.monotonic()
    with pytest.raises(RenderFailed, match=r"longer than 0\.5 seconds"):
        pdf("<p>a</p>", seconds=0.5)
    assert time.monotonic() - start < 10
    tools._version.cache_clear()
    time.sleep(0.2)
    lines = [_line(path) for path in Path("/proc").iterdir() if path.name.isdigit()]
    assert "sleep 333 " not in lines


def _line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def test_one_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    tools._version.cache_clear()
    with pytest.raises(RendererMissing, match=r"apt-get install .* chromium"):
        pdf("<p>a</p>")
    tools._version.cache_clear()
