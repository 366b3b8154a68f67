"""The steps of a run on disk: as lines, as a picture, in TensorBoard."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from ocr2.curves import StepLog, TensorBoard, draw, read, smooth
from ocr2.errors import BadInput, BadOutput, RendererMissing
from ocr2.stage import Step

if TYPE_CHECKING:
    from pathlib import Path


def step(number: int, loss: float = 1.0) -> Step:
    losses = {"next": loss, "ahead": 2 * loss}
    return Step(number, losses, loss, 1e-3, 0.5, 640, 1280.0, 0.1, 2**30, 0.5, {"zu lang": number})


class TestLines:
    def test_round_trip(self, tmp_path: Path) -> None:
        path, steps = tmp_path / "steps.jsonl", [step(n, 1 / (n * 3)) for n in range(1, 9)]
        with StepLog(path) as log:
            for each in steps[:5]:
                log.add(each)
                assert read(path)[-1] == each, "it is there at once"
        with StepLog(path) as log:
            for each in steps[5:]:
                log.add(each)
        assert read(path) == steps
        assert path.read_bytes().count(b"\n") == 8

    def test_steps_that_are_done_again(self, tmp_path: Path) -> None:
        path = tmp_path / "steps.jsonl"
        with StepLog(path) as log:
            for n in range(1, 9):
                log.add(step(n, 1.23456789))
        with StepLog(path) as log:
            assert len(read(path)) == 8, "nothing goes before there is something else"
            log.add(step(5, 2))
            log.add(step(6, 2))
        assert [(each.number, each.loss) for each in read(path)] == [
            (n, 1.23456789 if n < 5 else 2) for n in range(1, 7)
        ]
        with StepLog(path) as log:
            log.add(step(1, 3))
        assert read(path) == [step(1, 3)]

    def test_a_line_cut_short(self, tmp_path: Path) -> None:
        path = tmp_path / "steps.jsonl"
        with StepLog(path) as log:
            log.add(step(1))
            log.add(step(2))
        path.write_bytes(path.read_bytes()[:-20])
        assert read(path) == [step(1)]
        with StepLog(path) as log:
            log.add(step(2, 5))
        assert read(path) == [step(1), step(2, 5)]

    @pytest.mark.parametrize(
        "content", ["text\n", "{}\n", '{"number": 1}\n', "[1]\n", '{"a": 1}\n', "\xff\n", "[" * 9999 + "\n"]
    )
    def test_other_files(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "steps.jsonl"
        path.write_text(content, encoding="latin-1")
        for attempt in (read, StepLog):
            with pytest.raises(BadInput, match=r"steps\.jsonl, line 1 is no step of training"):
                attempt(path)
        assert path.read_text(encoding="latin-1") == content

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"number": "1"}, "a step's number is '1': expected int"),
            ({"number": 1.0}, "number is 1.0: expected int"),
            ({"number": True}, "number is True: expected int"),
            ({"loss": None}, "loss is None: expected float"),
            ({"losses": 1.0}, "losses is 1.0: expected dict"),
            ({"losses": {"next": "1"}}, "losses is {'next': '1'}: expected dict"),
            ({"dropped": {"too long": 0.5}}, "dropped is {'too long': 0.5}: expected dict"),
            ({"speed": 1}, "a step has no field 'speed'"),
        ],
    )
    def test_lines_of_other_types(self, tmp_path: Path, change: dict[str, Any], words: str) -> None:
        path = tmp_path / "steps.jsonl"
        path.write_text("".join(json.dumps(step(n).to_json() | (change if n == 2 else {})) + "\n" for n in (1, 2)))
        for attempt in (read, StepLog):
            with pytest.raises(BadInput, match=r"steps\.jsonl, line 2 is no step of training") as failed:
                attempt(path)
            assert words in str(failed.value)

    def test_numbers_that_are_none_are_still_numbers(self, tmp_path: Path) -> None:
        path = tmp_path / "steps.jsonl"
        with StepLog(path) as log:
            log.add(step(1, math.inf))
            log.add(step(2, 3))
        assert [each.loss for each in read(path)] == [math.inf, 3]

    def test_places_that_cannot_be(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="No such file"):
            read(tmp_path / "nothing")
        for place in (tmp_path, tmp_path / "no" / "steps.jsonl"):
            with pytest.raises(BadOutput, match="can't be written"):
                StepLog(place)


class TestPicture:
    def test_a_picture(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib", reason="draws curves: pip install 'ocr2[train]'")
        draw([step(n, 3 / n) for n in range(1, 50)], tmp_path / "loss.png", "text")
        draw([step(n, 1.0) for n in range(1, 50)], tmp_path / "flat.png", "text")
        with Image.open(tmp_path / "loss.png") as picture, Image.open(tmp_path / "flat.png") as flat:
            assert picture.size == flat.size
            assert picture.width > 800
            assert len(set(picture.convert("L").get_flattened_data())) > 20
            assert picture.tobytes() != flat.tobytes()
        draw([step(1)], tmp_path / "one.png")
        with pytest.raises(BadOutput, match="can't be written"):
            draw([step(1)], tmp_path / "no" / "loss.png")
        with pytest.raises(BadInput, match="no loss to draw"):
            draw([], tmp_path / "none.png")

    def test_without_matplotlib(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(RendererMissing, match=r"pip install 'ocr2\[train\]'"):
            draw([step(1)], tmp_path / "loss.png")

    def test_smooth(self) -> None:
        assert smooth([]) == []
        assert smooth([2.0] * 300) == pytest.approx([2.0] * 300)
        values = [1.0] * 500 + [0.0] * 500
        means = smooth(values)
        assert means[:500] == pytest.approx(values[:500])
        assert means[520] == pytest.approx(math.exp(-1), abs=0.03)
        assert means[-1] < 1e-9
        assert smooth([1.0, math.nan, 3.0], share=1.0)[1] == 1.0
        assert math.isnan(smooth([math.nan, 1.0])[0])


class TestTensorBoard:
    def test_without_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
        with pytest.raises(RendererMissing, match="pip install tensorboard"):
            TensorBoard(tmp_path)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_what_it_shows(self, tmp_path: Path) -> None:
        pytest.importorskip("tensorboard", reason="shows curves: pip install tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        board = TensorBoard(tmp_path / "board")
        for n in (1, 2, 3):
            board.add(step(n, 1 / n))
        board.close()
        events = EventAccumulator(str(tmp_path / "board"))
        events.Reload()
        assert [event.value for event in events.Scalars("loss")] == pytest.approx([1, 1 / 2, 1 / 3])
        assert [event.step for event in events.Scalars("losses/ahead")] == [1, 2, 3]
        (tmp_path / "file").write_text("")
        with pytest.raises(BadOutput, match="can't be written"):
            TensorBoard(tmp_path / "file" / "below")

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_steps_that_are_done_again(self, tmp_path: Path) -> None:
        pytest.importorskip("tensorboard", reason="shows curves: pip install tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        for numbers, loss in ((range(1, 8), 1.0), (range(5, 7), 2.0)):
            board = TensorBoard(tmp_path)
            for n in numbers:
                board.add(step(n, loss))
            board.close()
        TensorBoard(tmp_path).close()  # a stage that is done
        events = EventAccumulator(str(tmp_path))
        events.Reload()
        seen = [(event.step, event.value) for event in events.Scalars("loss")]
        assert seen == [(n, 1.0 if n < 5 else 2.0) for n in range(1, 7)]
