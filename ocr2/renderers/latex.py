r"""TeX: a page cropped to what is on it, by pdflatex or xelatex.

    content = page(r"\begin{tabular}{|l|r|} \hline a & 1 \\ \hline \end{tabular}", r"\usepackage{booktabs}")

A source may not run programs, nor read or write files but TeX's own; it runs in an empty folder, with limits on time,
memory and what it writes, as a program that is ended with all that it started.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from ocr2.errors import BadInput, RenderFailed
from ocr2.renderers.tools import need

Engine = Literal["pdflatex", "xelatex"]
SECONDS = 20.0
"""That a page may take, on the wall clock: most take a third of one."""
MARGIN = 6
"""Points (of TeX, 1/72.27 inch) around what is drawn."""
MEMORY = 2 << 30
"""Bytes that TeX may take, where the system can tell it (Linux)."""
_MOST_BYTES = 32 << 20
"""Of each file that it writes."""
LONGEST = 200_000
"""Characters of a source."""

_REFUSED = re.compile(
    r"\\(?:begin\s*\{\s*)?(input|include|includegraphics|includepdf|InputIfFileExists|IfFileExists|openin|openout|read"
    r"|write|immediate|special|pdfximage|pdfobj|pdfcatalog|pdfextension|pdffiledump|pdfmdfivesum|pdffilesize|XeTeXpicfile"
    r"|XeTeXpdffile|csname|catcode|scantokens|verbatiminput|lstinputlisting|usepackage|RequirePackage|documentclass"
    r"|pgfimage|pgfdeclareimage|pgfplotstableread|makeatletter|output|shipout|everyjob|font|batchmode|scrollmode"
    r"|errorstopmode|nonstopmode|enddocument|dump|UseName|ExpandArgs|ExplSyntaxOn|\w*fontspec|\w*fontfeatures?"
    r"|(?:new|renew|provide|set)[A-Za-z]*font[A-Za-z]*)(?![A-Za-z])|\^\^"
    r"|\\begin(?![A-Za-z])(?!\s*\{\s*[A-Za-z]+\*?\s*\})"
)
r"""What no drawing needs, and reaches out of it or around these checks; `\begin{x}` calls `\x`, whatever x then is."""
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
# margins, nothing that differs from run to run, and page sizes that can be read
_BEFORE = {
    "pdflatex": r"\pdfhorigin=6pt \pdfvorigin=6pt \pdftrailerid{}\pdfsuppressptexinfo=-1 \pdfobjcompresslevel=0 ",
    "xelatex": r"\hoffset=-1in \advance\hoffset by 6pt \voffset=-1in \advance\voffset by 6pt ",
}


def page(body: str, preamble: str = "", engine: Engine = "pdflatex", seconds: float = SECONDS) -> bytes:
    """A PDF of one page, as large as the body, set in one line, and margins of 6 points.

    The preamble is ours, the body may be anybody's. Raises BadInput for a body that is too long, has unbalanced braces
    or reaches out; RenderFailed with TeX's first error, or where it takes too long; RendererMissing.
    """
    check(body)
    program = need(engine).program
    assert program
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "page.tex").write_text(_document(body, preamble, engine), encoding="utf-8")
        told = _run([program, *_OPTIONS[engine], "page.tex"], folder, seconds)
        made = Path(folder) / "page.pdf"
        if error := re.search(r"^! (.*)$", told, re.MULTILINE):
            place = re.search(r"^l\.\d+ (.*)$", told[error.end() :], re.MULTILINE)
            raise RenderFailed(f"{engine}: {error[1]:.200}" + (f", after {place[1][-60:]!r}" if place else ""))
        if left_out := re.search(r"^Package pgf Warning: (.*)$", told, re.MULTILINE):
            raise RenderFailed(f"{engine}: {left_out[1]:.200}")
        if not made.is_file():
            raise RenderFailed(f"{engine}: no page came out: {told.strip()[-200:]!r}")
        return made.read_bytes()


def check(body: str) -> None:
    """Raises BadInput for a body that is too long, has unbalanced braces or reaches out of the page."""
    if len(body) > LONGEST:
        raise BadInput(f"LaTeX of {len(body):,} characters: expected up to {LONGEST:,}")
    if found := _REFUSED.search(body):
        raise BadInput(
            f"LaTeX with {found[0]!r}: a drawing reads and writes no files, and changes nothing of TeX's own"
        )
    if body.count("\0"):
        raise BadInput("LaTeX with a NUL character: expected text")
    if problem := unbalanced(body):
        raise BadInput(f"LaTeX with unbalanced braces: {problem}")


def unbalanced(body: str) -> str:
    r"""What is wrong with the braces, where they aren't balanced, else "". Comments and \{ \} don't count."""
    opened: list[int] = []
    for match in re.finditer(r"\\.|[{}]", _COMMENT.sub(r"\1", body), re.DOTALL):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}":
            if not opened:
                return f"a }} too many after {body[: match.start()][-30:]!r}"
            opened.pop()
    return f"no }} for the {{ before {body[opened[-1] + 1 :][:30]!r}" if opened else ""


_OPTIONS = {
    "pdflatex": ("-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error"),
    "xelatex": (
        "-no-shell-escape",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-output-driver=xdvipdfmx -q -E -V 4",  # PDF 1.4, in which page sizes can be read
    ),
}


def _document(body: str, preamble: str, engine: str) -> str:
    size = ("pdfpagewidth", "pdfpageheight")
    return (
        "\\documentclass{article}\n"
        f"{preamble}\n\\pagestyle{{empty}}\\newsavebox\\drawing\\tracinglostchars=3\n\\begin{{document}}\n"
        f"\\begin{{lrbox}}{{\\drawing}}\n{body}\n\\unskip\\end{{lrbox}}\n"
        f"\\ifdim\\wd\\drawing>0pt\\else\\errmessage{{Nothing is drawn}}\\fi\n"
        f"\\{size[0]}=\\dimexpr\\wd\\drawing+{2 * MARGIN}pt\\relax\n"
        f"\\{size[1]}=\\dimexpr\\ht\\drawing+\\dp\\drawing+{2 * MARGIN}pt\\relax\n"
        f"{_BEFORE[engine]}\\shipout\\vbox{{\\box\\drawing}}\n"
        "\\end{document}\n"
    )


def _run(command: list[str], folder: str, seconds: float) -> str:
    """What TeX says. Raises RenderFailed where it takes too long."""
    surroundings = {"openin_any": "p", "openout_any": "p", "shell_escape": "f", "max_print_line": "1000"}
    surroundings |= {"SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "TEXMFOUTPUT": folder, "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        env={**os.environ, **surroundings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _confine(process.pid, seconds)
    try:
        return process.communicate(timeout=seconds)[0].decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        raise RenderFailed(
            f"{Path(command[0]).name} took longer than {seconds:g} seconds: give a simpler source"
        ) from error
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends TeX and what it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (ProcessLookupError, PermissionError):  # it has ended
        pass
    process.wait()
    if process.stdout:
        process.stdout.close()


def _confine(number: int, seconds: float) -> None:
    """No more memory, no larger files, and not much more time, should nobody end it, where the system can tell it."""
    if sys.platform != "linux":
        return
    import resource

    try:
        resource.prlimit(number, resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.prlimit(number, resource.RLIMIT_CPU, (int(seconds) + 2, int(seconds) + 2))
        resource.prlimit(number, resource.RLIMIT_FSIZE, (_MOST_BYTES, _MOST_BYTES))
    except ProcessLookupError:  # it has ended
        pass
