"""Small PDFs, written out here: pages of drawing commands in Helvetica."""

from __future__ import annotations


def pdf(*pages: str, box: str = "0 0 300 400", extra: str = "", names: dict[str, int] | None = None) -> bytes:
    """A PDF of those pages. /F1 is Helvetica; /F2 the same, whose letters are called as `names` has them (a letter and
    the code point that it stands for); /I an image, one unit wide and high. `extra` is more about each page.
    """
    image = "<< /Type /XObject /Subtype /Image /Width 2 /Height 2 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    rows = "\n".join(f"<{ord(letter):02x}> <{code:04x}>" for letter, code in (names or {}).items())
    table = f"begincmap 1 begincodespacerange <00> <ff> endcodespacerange {len(names or {})} beginbfchar\n{rows}\n"
    table += "endbfchar endcmap"
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding"
    things = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{7 + 2 * n} 0 R' for n in range(len(pages)))}] >>",
        f"{font} >>",
        f"{font} /ToUnicode 5 0 R >>",
        f"<< /Length {len(table)} >>\nstream\n{table}\nendstream",
        f"{image} /Length 4 >>\nstream\n\x80\x90\xa0\xb0\nendstream",
    ]
    for n, content in enumerate(pages):
        resources = "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> /XObject << /I 6 0 R >> >>"
        things.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] {extra} /Contents {8 + 2 * n} 0 R {resources} >>"
        )
        things.append(f"<< /Length {len(content.encode('latin-1'))} >>\nstream\n{content}\nendstream")
    return _file(things)


def locked() -> bytes:
    """A PDF that needs a password."""
    key = "<< /Filter /Standard /V 1 /R 2 /P -4 /O <" + "12" * 32 + "> /U <" + "34" * 32 + "> >>"
    things = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>"]
    things.append("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] >>")
    return _file(things, f"/Encrypt {key} /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]")


def text(x: float, y: float, words: str, size: float = 12, font: str = "F1", more: str = "") -> str:
    """The commands that print a line, its base line beginning at that point (y up)."""
    return f"q BT /{font} {size} Tf {more} {x} {y} Td ({words}) Tj ET Q\n"


def _file(things: list[str], trailer: str = "") -> bytes:
    done, starts = b"%PDF-1.4\n", []
    for number, thing in enumerate(things, 1):
        starts.append(len(done))
        done += f"{number} 0 obj\n{thing}\nendobj\n".encode("latin-1")
    table = "".join(f"{start:010d} 00000 n \n" for start in starts)
    end = f"trailer << /Size {len(things) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(done)}\n%%EOF\n"
    return done + f"xref\n0 {len(things) + 1}\n0000000000 65535 f \n{table}{end}".encode("latin-1")
