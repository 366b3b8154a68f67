"""From a question to token ids and back: the only file that knows the model's special tokens. Needs no torch.

<|im_start|>system
You should follow the instructions carefully and explain your answers in detail.<|im_end|><|im_start|>user
<img><imgpad><imgpad>…</img>
[102, 80, 640, 121] OCR: <|im_end|><|im_start|>assistant
"""

from __future__ import annotations

import re
from base64 import b64decode
from itertools import count
from typing import TYPE_CHECKING, Any

from ocr2.errors import BadCheckpoint
from ocr2.queries import query

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import tokenizers

    from ocr2.types import Prompt

SYSTEM = "You should follow the instructions carefully and explain your answers in detail."
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
OPEN, CLOSE, IMAGE = "<img>", "</img>", "<imgpad>"
NEEDED = (PAD, START, END, OPEN, CLOSE, IMAGE)
"""The special tokens of prompts and answers: PAD fills up a batch, END ends an answer."""
_WORDS = "system\nuser\n[205, 1000, 346, 789] OCR with format: "
"""What a prompt may be made of, in part: a tokenizer must not lose any of it."""

QWEN_RANKS = 151643
"""How many ordinary tokens Qwen has; the special ones follow them, in this order."""
QWEN_SPECIAL = (
    *(PAD, START, END),
    *(f"<|extra_{n}|>" for n in range(205)),
    *("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", OPEN, CLOSE, IMAGE),
)
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The runs within which Qwen merges bytes: a word with the space before it, a single digit, signs, spaces."""

_visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
_others = count(256)
LETTERS = [chr(byte if byte in _visible else next(_others)) for byte in range(256)]
"""The letter that stands for each byte in a byte-level vocabulary (GPT-2): itself where it is visible in Latin-1."""
BYTES = {letter: byte for byte, letter in enumerate(LETTERS)}


class Tokenizer:
    """Text to token ids and back. A special token's name in a text is plain text: no page can end its own answer."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        """Raises BadCheckpoint where a special token of the prompt is missing, or its words don't come back."""
        found = {name: token for name in NEEDED if (token := inner.token_to_id(name)) is not None}
        if missing := [name for name in NEEDED if name not in found]:
            raise BadCheckpoint(f"the tokenizer lacks {' '.join(missing)}: take the one that came with the model")
        inner.no_padding()
        inner.no_truncation()
        inner.add_special_tokens(list(NEEDED))  # if they were there as ordinary tokens
        inner.encode_special_tokens = True  # the library's word for: read their names in a text as plain text
        self.inner = inner
        self.pad, self.start, self.end, self.open, self.close, self.image = found.values()
        self.size: int = inner.get_vocab_size()
        """How many tokens there are, special ones included."""
        self._signs: dict[str, int] = {}
        self._added = inner.get_added_tokens_decoder()
        self._spelled_out = inner.token_to_id("<0x0A>") is not None  # bytes have names, other tokens are plain text
        if _WORDS not in (told := self.decode(self.encode(_WORDS))):
            raise BadCheckpoint(
                f"the tokenizer reads {_WORDS!r} as {told!r:.80}: take the one that came with the model"
            )

    def __reduce__(self) -> Any:
        """Made anew of what was pickled: the library forgets then that names of special tokens are plain text."""
        return type(self), (self.inner,)

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """The tokenizer in a model's folder: `tokenizer.json`, else Qwen's ranks. Raises BadCheckpoint."""
        import tokenizers

        path = folder / "tokenizer.json"
        if not path.exists():
            path = folder / "qwen.tiktoken"
        if not path.exists():
            raise BadCheckpoint(f"{folder} has no tokenizer: expected tokenizer.json or qwen.tiktoken in it")
        try:
            text = path.read_text(encoding="utf-8")
            return cls(tokenizers.Tokenizer.from_str(text) if path.suffix == ".json" else qwen(text))
        except BadCheckpoint as error:
            raise BadCheckpoint(f"{path}: {error}") from error
        except Exception as error:
            raise BadCheckpoint(f"{path} can't be read as a tokenizer ({error!s:.100}): copy it again") from error

    def save(self, folder: Path) -> None:
        """Writes `tokenizer.json` into the folder."""
        self.inner.save(str(folder / "tokenizer.json"))

    def encode(self, text: str) -> list[int]:
        """The ids of a text, with nothing put before or after it."""
        return self.encoding(text).ids

    def encoding(self, text: str) -> tokenizers.Encoding:
        """The same, with `offsets`: the part of the text that each id stands for."""
        return self.inner.encode(text, add_special_tokens=False)

    def sign(self, part: str) -> int:
        """The token that a part of a text is known by: its only one, or of several characters the last; else −1."""
        if part not in self._signs:
            ids = self.encode(part)
            self._signs[part] = ids[-1] if len(ids) == 1 or len(part) > 1 else -1
        return self._signs[part]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens; "\\ufffd" where a character is cut short."""
        return b"".join(self.pieces(ids)).decode(errors="replace")

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """The bytes of each token, which may begin or end within a character; none for a special token."""
        return [self._piece(token) for token in ids]

    def _piece(self, token: int) -> bytes:
        if token in self._added:
            return b"" if self._added[token].special else self._added[token].content.encode()
        name = self.inner.id_to_token(token) or ""
        if not self._spelled_out:
            return bytes(BYTES[letter] for letter in name)
        if byte := re.fullmatch("<0x([0-9A-F]{2})>", name):
            return bytes.fromhex(byte[1])
        return name.replace("▁", " ").encode()


def qwen(ranks: str) -> tokenizers.Tokenizer:
    """Qwen's tokenizer from the text of its rank file, `base64 rank` a line; `load` raises what is wrong with it."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    lines = [line.split() for line in ranks.splitlines()]
    parsed = {b64decode(token, validate=True): int(rank) for token, rank in lines}
    if list(parsed.values()) != list(range(QWEN_RANKS)):
        raise BadCheckpoint(f"{len(parsed)} ranks, expected {QWEN_RANKS} in a row: copy it again")
    letters = {token: "".join(LETTERS[byte] for byte in token) for token in parsed}
    pairs = (halves(token, parsed) for token in parsed if len(token) > 1)
    merges = [(letters[left], letters[right]) for left, right in pairs]
    inner = Tokenizer(models.BPE({letters[token]: rank for token, rank in parsed.items()}, merges))
    inner.normalizer = normalizers.NFC()
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(QWEN_SPECIAL))
    return inner


def halves(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens that a token of several bytes was made of: what is left when its bytes are merged by rank."""
    cuts = list(range(len(token) + 1))
    pairs = [ranks.get(token[cut : cut + 2], len(ranks)) for cut in cuts[:-2]]  # of neighbours
    while len(pairs) > 1:
        first = pairs.index(min(pairs))
        del cuts[first + 1], pairs[first]
        for n in range(max(first - 1, 0), min(first + 1, len(pairs))):
            pairs[n] = ranks.get(token[cuts[n] : cuts[n + 2]], len(ranks))
    return token[: cuts[1]], token[cuts[1] :]


def wording(prompt: Prompt, image_tokens: int, width: int, height: int) -> str:
    """The whole prompt, as the model is given it, up to where its answer begins."""
    image = f"{OPEN}{IMAGE * image_tokens}{CLOSE}"
    asked = f"{START}user\n{image}\n{query(prompt, width, height)}{END}"
    return f"{START}system\n{SYSTEM}{END}{asked}{START}assistant\n"


def encode(
    prompt: Prompt, tokenizer: Tokenizer, image_tokens: int, width: int, height: int, asked: str = ""
) -> list[int]:
    """The ids of `wording`, with `image_tokens` ids in a row whose embeddings the image's take the place of.

    `asked` is a question in other words than the prompt's.
    """
    it, text = tokenizer, tokenizer.encode
    system = [it.start, *text(f"system\n{SYSTEM}"), it.end]
    image = [it.open, *[it.image] * image_tokens, it.close]
    words = asked or query(prompt, width, height)
    return [*system, it.start, *text("user\n"), *image, *text(f"\n{words}"), it.end, it.start, *text("assistant\n")]
