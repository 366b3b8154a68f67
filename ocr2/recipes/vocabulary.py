"""GOT-nano's vocabulary: 16,384 entries made for what pages show, in two languages and six notations.

    python -m ocr2.recipes.vocabulary CORPORA ocr2/weights/nano

Chinese characters are entries of their own (those of GB 2312, and others that the corpora use), and never part of a
longer one: to read is to copy, and a decoder that has words for entries learns to guess them. English pieces, LaTeX,
TikZ, kern and SMILES share the rest. Any other character is spelled in bytes, so every text comes back as it was. The
most frequent entries come first: those are what the model guesses ahead among (`DecoderConfig.guessed`).
Expect 3.5 characters an entry in English prose, 1.0 in Chinese, 2.4 in formulas, 1.4 in SMILES and kern.
"""

from __future__ import annotations

import json
import lzma
import re
import tarfile
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocr2.errors import BadInput
from ocr2.got.prompt import CLOSE, END, IMAGE, OPEN, PAD, START, Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SIZE = 16384
SPECIAL = (PAD, START, IMAGE, END, OPEN, CLOSE)
"""The first entries; the image token is the 2 that the preset "nano" says."""
WORDS = (
    r"\p{Han}|[ \t]?\\?[\p{L}\p{M}&&\P{Han}]+|\p{N}|[ \t]?[^\s\p{L}\p{M}\p{N}]+"
    r"|[^\S\r\n]*[\r\n]+|[^\S\r\n]+(?!\S)|[^\S\r\n]+"
)
"""The runs that entries are parts of: a Chinese character, a word or command with the space before it, a digit, signs,
line ends, spaces."""
EACH = 4_000_000
"""The most characters of each corpus that count, so that none outweighs the others."""
LEAST = 4
"""A character that is in no standard set becomes an entry if the corpora have it so many times."""
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")


def texts(path: Path) -> Iterator[str]:
    """The texts of one corpus file: lines of .txt, strings of .jsonl, members of .tar; each may end in .xz."""
    name = path.name.removesuffix(".xz")
    try:
        if name.endswith(".tar"):
            with tarfile.open(path) as archive:
                for member in archive:
                    if member.isfile() and (stream := archive.extractfile(member)):
                        yield stream.read().decode("utf-8", "replace")
            return
        with lzma.open(path, "rt", encoding="utf8") if path.suffix == ".xz" else path.open(encoding="utf8") as file:
            for line in file:
                yield "\n".join(strings(json.loads(line))) if name.endswith(".jsonl") else line
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError, ValueError, RecursionError) as error:
        raise BadInput(
            f"{path} can't be read ({error}): expected UTF-8 text, undamaged; copy it again, or take it away"
        ) from error


def strings(record: Any) -> Iterator[str]:
    """Every string in a JSON value, but for where it was taken from."""
    if isinstance(record, str):
        yield record
    elif isinstance(record, dict):
        yield from chain.from_iterable(strings(value) for key, value in record.items() if key not in ("source", "path"))
    elif isinstance(record, list):
        yield from chain.from_iterable(map(strings, record))


def samples(folder: Path) -> Iterator[list[str]]:
    """The texts of each file below a folder, EACH characters at most. Raises BadInput where there are none."""
    suffixes = tuple(name + end for name in (".txt", ".jsonl", ".tar") for end in ("", ".xz"))
    paths = sorted(path for path in folder.rglob("*") if path.name.endswith(suffixes))
    if not paths:
        raise BadInput(f"{folder} has no corpora: expected files that end in {', '.join(suffixes)}")
    for path in paths:
        found, left = [], EACH
        for text in texts(path):
            found.append(text[:left])
            left -= len(text)
            if left <= 0:
                break
        yield found


def alphabet(corpora: Iterable[str]) -> list[str]:
    """The characters that are entries: ASCII, Latin-1, Greek, GB 2312, and what the corpora use."""
    standard = set(map(chr, chain(range(0x20, 0x7F), range(0xA1, 0x100), range(0x391, 0x3CA), [0x0A, 0x09])))
    for row in range(0xA1, 0xF8):
        standard |= set(bytes([row, cell]).decode("gb2312", "ignore") for cell in range(0xA1, 0xFF))
    counts = Counter[str]()
    for text in corpora:
        counts.update(text)
    # "▁" stands for a space in vocabularies that spell bytes: its own bytes have to
    standard |= {char for char, count in counts.items() if count >= LEAST and char.isprintable()}
    return sorted(standard - {"", "▁", "\ufffd"})


def vocabulary(folder: Path) -> Tokenizer:
    """The tokenizer for the corpora below a folder."""
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Inner

    files = list(samples(folder))
    corpora = list(chain.from_iterable(files))
    chars = alphabet(corpora)
    first = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *chars]
    inner = Inner(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), "isolated")
    # every merge makes an entry: train as many as there is room for, on nothing but known characters
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - len(first) + len(chars),
        initial_alphabet=chars,
        limit_alphabet=len(chars),
        min_frequency=2,
        show_progress=False,
    )
    inner.train_from_iterator((_HAN.sub(" ", text) for text in corpora), trainer)
    learned = json.loads(inner.to_str())["model"]
    merged = sorted(set(learned["vocab"]) - set(chars), key=learned["vocab"].__getitem__)
    merges = [tuple(pair) for pair in learned["merges"]]

    def spelling(names: Iterable[str]) -> models.BPE:
        return models.BPE({name: number for number, name in enumerate(names)}, merges, byte_fallback=True)

    inner.model = spelling([*first, *merged])
    shares = Counter[str]()
    for found in files:
        counts = Counter(token for text in found for token in inner.encode(text).tokens)
        shares.update({name: count / counts.total() for name, count in counts.items()})
    rest = sorted([*first[len(SPECIAL) :], *merged], key=lambda name: -shares[name])
    inner.model = spelling([*SPECIAL, *rest])
    inner.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    inner.add_special_tokens(list(SPECIAL))
    return Tokenizer(inner)


@click.command()
@click.argument("corpora", type=Path)
@click.argument("out", type=Path)
def main(corpora: Path, out: Path) -> None:
    """Write OUT/tokenizer.json, made from the files below CORPORA."""
    try:
        tokenizer = vocabulary(corpora)
    except BadInput as error:
        raise click.ClickException(str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(out)


if __name__ == "__main__":
    main()
