"""From a question to token ids and back, against tiktoken with Qwen's own ranks, as dashscope ships them."""

import base64
import copy
import importlib.util
import json
import pickle
import random
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import tiktoken
from got_helpers import tiny_tokenizer
from test_queries import QUERIES
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Inner

from ocr2.errors import BadCheckpoint
from ocr2.got.prompt import END, IMAGE, NEEDED, PAD, QWEN_SPECIAL, Tokenizer, encode, wording
from ocr2.types import Box, Prompt


@pytest.fixture(scope="module")
def ranks() -> Path:
    """Qwen's rank file, without running the package that ships it."""
    spec = importlib.util.find_spec("dashscope")
    assert spec and spec.origin, "pip install --no-deps dashscope"
    return Path(spec.origin).parent / "resources" / "qwen.tiktoken"


@pytest.fixture(scope="module")
def tokenizer(ranks: Path) -> Tokenizer:
    return Tokenizer.load(ranks.parent)


@pytest.fixture(scope="module")
def oracle(ranks: Path) -> tiktoken.Encoding:
    """Qwen's tokenizer as its authors wrote it down."""
    words = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    mergeable = {base64.b64decode(t): int(r) for t, r in (line.split() for line in ranks.read_text().splitlines())}
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{n}|>" for n in range(205))]
    special += ["<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<img>", "</img>", "<imgpad>"]
    numbered = {name: 151643 + n for n, name in enumerate(special)}
    return tiktoken.Encoding("qwen", pat_str=words, mergeable_ranks=mergeable, special_tokens=numbered)


TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "It's what they'd said: we'LL see, I'VE no DON'T; o'clock 'tis rock'n'roll",
    "通用光学字符识别理论：迈向OCR-2.0的统一端到端模型。",
    "한국어 텍스트, 日本語のテキスト、العربية، हिन्दी, עברית, ไทย",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 😀 🇨🇳",
    "3.14159 1,234,567 2024-09-03 ①②③ Ⅷ ½ ٣٤٥",
    r"\begin{tabular}{|c|c|} \hline $\frac{\partial f}{\partial x}$ & \multirow{2}{*}{$\alpha^{2}$} \\ \end{tabular}",
    "**kern\n*clefG2\n4c\\ 8d/L 8e/J\n==|!\t*-",
    "def f(x):\n\treturn [\n        x ** 2,\r\n    ]\n\n\n",
    "  two   three    four \t tab\t\n \n  \r\n\r\n   end   ",
    " ",
    "",
    "e\u0301 o\u0308 \u1e9b\u0323 \ufb01 \u212b \uac00 \u1112\u1161\u11ab a\u0328\u0301",
    "\u00a0\u3000\u2028\u200b\u200d\ufeff\x00\x1f\x7f",
    "CC(=O)Oc1ccccc1C(=O)O [C@@H]",
    "a" * 1000 + " " * 300 + "\n" * 90 + "=" * 70,
    "<|im_end|><|im_start|>system <imgpad></img> <|endoftext|> <|extra_7|> <ref>",
]


def random_texts(count: int) -> list[str]:
    """Assigned characters from everywhere, many of them together with ordinary ones.

    Without the newest combining marks, such as U+08D0 of Unicode 14: `tokenizers` doesn't know yet how to order them.
    """
    rng = random.Random(0)
    known = unicodedata.ucd_3_2_0.combining
    assigned = [c for c in map(chr, range(0x30000)) if unicodedata.category(c) not in ("Cn", "Cs")]
    assigned = [c for c in assigned if not unicodedata.combining(c) or known(c)]
    pools = [assigned, assigned[:0x500], "abc '\n\t 19,，中文e\u0301"]
    return ["".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 60))) for _ in range(count)]


def test_ids_and_texts_are_qwens(tokenizer: Tokenizer, oracle: tiktoken.Encoding) -> None:
    for text in [*TEXTS, *random_texts(1500)]:
        composed = unicodedata.normalize("NFC", text)
        ids = oracle.encode(composed, disallowed_special=())
        assert tokenizer.encode(text) == ids, text
        assert tokenizer.decode(ids) == composed
        assert tokenizer.pieces(ids) == [oracle.decode_single_token_bytes(n) for n in ids]


def test_every_token_is_qwens(tokenizer: Tokenizer, oracle: tiktoken.Encoding) -> None:
    ids = range(151643)
    assert tokenizer.pieces(ids) == [oracle.decode_single_token_bytes(n) for n in ids]
    assert tokenizer.size == oracle.n_vocab == 151860
    for name in oracle.special_tokens_set:
        assert tokenizer.inner.token_to_id(name) == oracle.encode_single_token(name)
    assert set(QWEN_SPECIAL) == oracle.special_tokens_set
    assert (tokenizer.pad, tokenizer.start, tokenizer.end) == (151643, 151644, 151645)
    assert (tokenizer.open, tokenizer.close, tokenizer.image) == (151857, 151858, 151859)


def test_special_tokens_are_not_read_from_a_text_nor_written_into_one(tokenizer: Tokenizer) -> None:
    for made in (tokenizer, tiny_tokenizer()):
        special = [made.pad, made.start, made.end, made.open, made.close, made.image]
        text = "".join(NEEDED)
        assert not set(made.encode(text)) & set(special)
        assert made.decode(made.encode(text)) == text
        assert made.decode([*special, *made.encode("a"), *special]) == "a"
        assert made.pieces(special) == [b""] * len(special)


def test_a_copy_reads_special_tokens_as_text_too(tokenizer: Tokenizer) -> None:
    """As a worker gets one."""
    for made in (tokenizer, tiny_tokenizer()):
        for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
            assert again.encode(TEXTS[-1]) == made.encode(TEXTS[-1])
            assert again.pieces(range(again.size)) == made.pieces(range(made.size))
            assert encode(Prompt(), again, 5, 9, 9) == encode(Prompt(), made, 5, 9, 9)


def test_a_character_cut_short_is_marked(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("𓀀")
    assert len(ids) > 1
    assert b"".join(tokenizer.pieces(ids)) == "𓀀".encode()
    assert tokenizer.decode(ids[:-1]) == "\ufffd"
    assert tokenizer.decode([151900]) == ""  # a padded vocabulary's unused row


def test_byte_fallback_vocabularies() -> None:
    names = [*NEEDED, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "中", "▁a", "<0x>"]
    vocabulary = {name: n for n, name in enumerate(names)}
    inner = Inner(models.BPE(vocabulary, [("▁", "a")], byte_fallback=True))
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made = Tokenizer(inner)
    text = "a a 中文, é <|im_end|> 👍"
    ids = made.encode(text)
    assert made.decode(ids) == inner.decode(ids) == text
    assert made.pieces(made.encode("a 文")) == [b"a", b" ", b"\xe6", b"\x96", b"\x87"]
    assert made.pieces([vocabulary["▁a"], vocabulary["<0x>"], vocabulary[END]]) == [b" a", b"<0x>", b""]


def test_it_is_saved_and_loaded(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert again.inner.to_str() == tokenizer.inner.to_str()
    for text in TEXTS:
        assert again.encode(text) == tokenizer.encode(text)


def test_a_tokenizer_file_goes_before_ranks_and_pads_nothing(tmp_path: Path) -> None:
    (tmp_path / "qwen.tiktoken").write_text("broken")
    tiny = tiny_tokenizer()
    expected = tiny.encode("the OCR")
    tiny.inner.enable_padding(length=50)
    tiny.inner.enable_truncation(2)
    tiny.inner.add_tokens([AddedToken("Added words")])
    tiny.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.encode("the OCR") == expected
    assert loaded.pieces(loaded.encode("Added words")) == [b"Added words"]


def complaint(folder: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        Tokenizer.load(folder)
    return str(caught.value)


def test_broken_tokenizers_are_refused(ranks: Path, tmp_path: Path) -> None:
    assert complaint(tmp_path) == f"{tmp_path} has no tokenizer: expected tokenizer.json or qwen.tiktoken in it"
    ranked = tmp_path / "qwen.tiktoken"
    lines = ranks.read_text().splitlines(keepends=True)
    ranked.write_text("".join(lines[:1000]))
    assert complaint(tmp_path) == f"{ranked}: 1000 ranks, expected 151643 in a row: copy it again"
    ranked.write_text("".join(lines)[:5000])
    assert complaint(tmp_path).startswith(f"{ranked}")
    ranked.write_text("".join(lines[5:] + lines[:5]))
    assert "151643 ranks, expected 151643 in a row" in complaint(tmp_path)
    for broken in (b"version https://git-lfs.github.com/spec/v1\nsize 5", b"!!! 0\n", b"\xff\xfe\x00", b"IQ==\n"):
        ranked.write_bytes(broken)
        assert complaint(tmp_path).startswith(f"{ranked} can't be read as a tokenizer (")
        assert complaint(tmp_path).endswith("): copy it again")
    made = tmp_path / "tokenizer.json"
    made.write_text('{"model": ')
    assert complaint(tmp_path).startswith(f"{made} can't be read as a tokenizer (")
    tiny_tokenizer().save(tmp_path)
    record = json.loads(made.read_text())
    record["added_tokens"] = [token for token in record["added_tokens"] if token["content"] not in (IMAGE, PAD)]
    for name in (IMAGE, PAD):
        record["model"]["vocab"].pop(name, None)
    made.write_text(json.dumps(record))
    lacking = "the tokenizer lacks <|endoftext|> <imgpad>: take the one that came with the model"
    assert complaint(tmp_path) == f"{made}: {lacking}"


def test_tokenizers_that_lose_a_part_of_the_prompt_are_refused(tmp_path: Path) -> None:
    tiny_tokenizer().save(tmp_path)
    made = tmp_path / "tokenizer.json"
    record = json.loads(made.read_text())
    vocabulary = {name: token for name, token in record["model"]["vocab"].items() if name != "u"}
    for change, said in (
        ({"normalizer": {"type": "Lowercase"}}, r"tokenizer reads 'system.* as 'system.*ocr with format"),
        ({"model": record["model"] | {"vocab": vocabulary}}, r"tokenizer reads 'system.* as 'system\\nser"),
        ({"model": {"type": "WordLevel", "vocab": {"▁": 0}, "unk_token": "▁"}}, "can't be read as a tokenizer"),
    ):
        made.write_text(json.dumps(record | change))
        assert re.search(said, complaint(tmp_path))


@pytest.mark.parametrize(("expected", "prompt"), QUERIES.items(), ids=QUERIES)
def test_queries(expected: str, prompt: Prompt, tokenizer: Tokenizer, oracle: tiktoken.Encoding) -> None:
    whole = (
        "<|im_start|>system\nYou should follow the instructions carefully and explain your answers in detail.<|im_end|>"
        f"<|im_start|>user\n<img>{'<imgpad>' * 512}</img>\n{expected}<|im_end|><|im_start|>assistant\n"
    )
    assert wording(prompt, 512, 1000, 2000) == whole
    assert encode(prompt, tokenizer, 512, 1000, 2000) == oracle.encode(whole, allowed_special="all")


def test_the_ids_of_the_plainest_prompt(tokenizer: Tokenizer) -> None:
    system = [8948, 198, 2610, 1265, 1795, 279, 11221, 15516, 323, 10339, 697, 11253, 304, 7716, 13]
    image = [151857, 151859, 151859, 151858]
    expected = [151644, *system, 151645, 151644, 872, 198, *image, 198, 93495, 25, 220, 151645, 151644, 77091, 198]
    assert encode(Prompt(), tokenizer, 2, 10, 10) == expected


def test_prompts_of_a_tiny_tokenizer() -> None:
    tiny = tiny_tokenizer()
    ids = encode(Prompt(box=Box(0, 0, 5, 5)), tiny, 4, 10, 10)
    tiny.inner.encode_special_tokens = False
    assert ids == tiny.encode(wording(Prompt(box=Box(0, 0, 5, 5)), 4, 10, 10))
    assert tiny.size < 400


def test_it_needs_no_torch() -> None:
    code = "import sys, ocr2.got.prompt, ocr2.got.views; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
