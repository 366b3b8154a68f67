"""`ocr2 train`, from the command line: what it leaves behind, how it goes on, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ocr2 import cli, curves
from ocr2.cli import train as cli_train
from ocr2.cli.train import told
from ocr2.got import checkpoint
from ocr2.got.config import DecoderConfig, EncoderConfig, GOTConfig
from ocr2.got.model import GOT
from ocr2.got.prompt import Tokenizer
from ocr2.recipes import tiny
from ocr2.stage import Step

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "ocr2", "train", "tiny", "--device", "cpu", "--workers", "0"]


def train(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, args)], capture_output=True, text=True)


def test_a_run_leaves_a_model_a_log_and_a_picture_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "tiny"
    stopped = train("--out", out, "--steps", 6, "--minutes", 1e-6)
    assert stopped.returncode == 0, stopped.stderr
    assert [step.number for step in curves.read(out / "steps.jsonl")] == [1]
    done = train("--out", out, "--steps", 6, "--tensorboard")
    assert done.returncode == 0, done.stderr
    steps = curves.read(out / "steps.jsonl")
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6]
    assert "6/6" in done.stderr
    assert "loss" in done.stderr
    assert not done.stdout
    with Image.open(out / "loss.png") as picture:
        assert picture.size[0] > 500
    assert list((out / "tensorboard").glob("events.*"))
    assert json.loads((out / "model" / "config.json").read_text())["format"] == "ocr2"
    again = train("--out", out, "--steps", 6)
    assert again.returncode == 0, again.stderr
    assert curves.read(out / "steps.jsonl") == steps
    other = train("--out", out, "--steps", 6, "--seed", 5)
    assert other.returncode == 2
    assert "seed" in other.stderr


@pytest.mark.parametrize("args", [["tiny"], ["ppocr", "--stage", "rec"]])
def test_another_seed_is_that_of_the_stage(args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(cli_train, "_follow", lambda run, *_: seeds.append(run.recipe.stage.seed))
    for seed in ([], ["--seed", "7"]):
        cli.commands(["train", *args, "--out", str(tmp_path), *seed], standalone_mode=False)
    assert seeds == [0, 7]


def test_what_it_made_is_what_read_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = train("--out", tmp_path, "--steps", 1)
    assert done.returncode == 0, done.stderr
    with pytest.raises(SystemExit) as ended:
        cli.main(["read", "--model", str(tmp_path / "model"), "examples/page.png", "--to", "json"])
    assert ended.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["tiny", "--stage", "9"], "stage 9: this recipe has stages 1 to 3"),
        (["paper", "--stage", "1"], "no data for photo, photo-slice, pdf"),
        (["tiny", "--init", "nowhere"], "nowhere doesn't exist"),
        (["tiny", "--device", "abacus"], "abacus"),
        (["tiny", "--lora"], "--lora is for ocr2 train finetune"),
        (["paper", "--characters", "x"], "--characters is for ocr2 train finetune"),
        (["finetune"], "begins with one model, and none is given"),
        (["finetune", "--init", "nowhere"], "nowhere doesn't exist"),
        (["finetune", "--init", "nano"], "this build of ocr2 has no weights for it"),
        (["finetune", "--lora", "--whole"], "--lora and --whole don't go together"),
        (["finetune", "--stage", "2"], "finetune has one stage"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_line(
    args: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", *args, "--workers", "0", "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("ocr2: ")
    assert words in last


def test_a_model_is_fine_tuned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"width": 16, "layers": 1, "heads": 1, "mlp": 16}
    encoder = EncoderConfig(
        side=128, square=False, stem="conv", global_layers=(0,), positions="rotary", neck=8, out=(8, 16), **sizes
    )
    decoder = DecoderConfig(vocabulary=tiny.WORDS, kv_heads=1, **sizes)
    model = GOT(GOTConfig(encoder, decoder, context=512, image_token=tiny.tokenizer().image))
    checkpoint.save(model, tmp_path / "base", tiny.tokenizer())
    tiny.drawn("5 Ω").save(tmp_path / "0.png")
    (tmp_path / "0.txt").write_text("0.png\t5 Ω\n" * 6, encoding="utf-8")
    asked = ["--init", tmp_path / "base", "--data", tmp_path / "0.txt", "--lora", "--steps", 2, "--rows", 6]
    args = ["train", "finetune", *map(str, asked), "--workers", "0", "--device", "cpu", "--out", str(tmp_path / "out")]
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            cli.main(args)
        assert ended.value.code in (0, None), capsys.readouterr().err
    assert "finetune is done" in capsys.readouterr().err
    assert [step.number for step in curves.read(tmp_path / "out" / "steps.jsonl")] == [1, 2]
    assert len(Tokenizer.load(tmp_path / "out" / "model").encode("Ω")) == 1
    assert (tmp_path / "out" / "onnx" / "decoder.onnx").exists()
    with pytest.raises(SystemExit):
        cli.main([*args, "--seed", "3"])
    assert "seed" in capsys.readouterr().err


def test_a_place_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "tiny", "--workers", "0", "--out", str(tmp_path / "file")])
    assert ended.value.code == 2
    assert "expected a folder" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_end_saves_and_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    running = subprocess.Popen([*COMMAND, "--out", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    log = tmp_path / "steps.jsonl"
    while not (log.exists() and log.stat().st_size) and running.poll() is None:
        time.sleep(0.05)
    os.kill(running.pid, number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert f"stopped, and saved in {tmp_path}; the same command goes on" in err
    assert "Traceback" not in err
    done = curves.read(log)[-1].number
    again = train("--out", tmp_path, "--minutes", 1e-6)
    assert again.returncode == 0, again.stderr
    assert [step.number for step in curves.read(log)] == list(range(1, done + 2))


def test_it_runs_under_torchrun(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *COMMAND[1:]]
    done = subprocess.run([*torchrun, "--out", str(tmp_path), "--steps", "2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [step.number for step in curves.read(tmp_path / "steps.jsonl")] == [1, 2]
    assert (tmp_path / "model" / "model.safetensors").exists()
    alone = train("--out", tmp_path, "--steps", "2")
    assert alone.returncode == 2
    assert "process" in alone.stderr.splitlines()[-1]


def test_a_step_in_words() -> None:
    step = Step(1, {"next": 1.5}, 1.5, 1e-3, 1.0, 12345, 6789.4, 0.051, 3 << 30, 0.5, {"too long": 2, "BadInput": 1})
    assert told(step) == "loss 1.500, 6,789 tokens/s, waited 5%, 3.0 GiB, 3 left out"
