"""Scripts in V8: what they return, and how they are stopped."""

import pytest

from ocr2.errors import RenderFailed
from ocr2.renderers import v8
from ocr2.renderers.apart import apart

pytest.importorskip("py_mini_racer", reason="engines: pip install 'ocr2[engines]'")


def called(expression: str, *args: object) -> object:
    return apart("ocr2.renderers.v8:called", "echarts", expression, *args)


def test_arguments_and_answers_pass_as_json() -> None:
    assert called("(a, b) => [a.x + b, 'é中\\u2028']", {"x": 1.5}, 2) == [3.5, "é中\u2028"]
    assert called("() => undefined") is None
    assert called("() => typeof echarts.init") == "function"


def test_an_error_has_the_script_s_words() -> None:
    with pytest.raises(RenderFailed, match="no such thing"):
        called("() => { throw Error('no such thing') }")
    assert called("() => 1") == 1


@pytest.mark.parametrize(
    "hog",
    [
        "() => { let a = []; while (true) a.push(new Array(1000).fill(1.5)) }",
        "() => { function f() { return f() + 1 } f() }",
    ],
)
def test_what_takes_too_much_is_stopped_and_the_next_call_works(hog: str) -> None:
    with pytest.raises(RenderFailed, match=r"memory|stack"):
        called(hog)
    assert called("() => 2") == 2


def slow() -> str:
    """Called apart, with less patience than usual; an endless loop leaves nothing behind."""
    v8.SECONDS = 0.3
    try:
        v8.called("echarts", "() => { globalThis.left = 1; while (true); }")
    except RenderFailed as error:
        return f"{error} {v8.called('echarts', '() => typeof left')}"
    finally:
        v8.SECONDS = 15.0
    return ""


def test_a_script_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(__file__.rpartition("/")[0])
    monkeypatch.setenv("PYTHONPATH", __file__.rpartition("/")[0])
    from ocr2.renderers import apart as module

    monkeypatch.setattr(module, "_child", None)  # a child that finds this file
    assert apart("test_v8:slow") == "echarts took longer than 0.3 seconds: give a simpler source undefined"


def test_there_is_nothing_of_the_system_to_reach() -> None:
    names = ["require", "fetch", "XMLHttpRequest", "Deno", "WebSocket", "document"]
    assert called("(names) => names.filter(name => typeof globalThis[name] !== 'undefined')", names) == []
