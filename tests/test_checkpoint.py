"""Models on disk: what is written is read back bit for bit, in every published layout; whatever is wrong has a name."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="GOT runs on torch: pip install 'ocr2[got]'")

import torch
from got_helpers import tiny_tokenizer
from got_reference import IMAGE, TINY, as_released, ours, question, scattered, theirs, write
from safetensors.torch import load_file, save_file
from test_model import NANO, STAGE1, logits

from ocr2.errors import BadCheckpoint, BadOutput, ModelMissing
from ocr2.got import checkpoint
from ocr2.got.config import DecoderConfig
from ocr2.got.model import GOT
from ocr2.got.prompt import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def equal(one: GOT, other: GOT) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and x.dtype == y.dtype and torch.equal(x, y) for (a, x), (b, y) in pairs)


class TestOurs:
    @pytest.mark.parametrize("config", [TINY, NANO, STAGE1], ids=["580m", "nano", "stage 1"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_round_trip(self, tmp_path: Path, config: Any, dtype: torch.dtype) -> None:
        model = ours(config).to(dtype)
        checkpoint.save(model, tmp_path / "model", tiny_tokenizer())
        loaded = checkpoint.load(tmp_path / "model")
        assert loaded.config == config
        assert equal(loaded, model)
        assert not loaded.training
        assert loaded.decoder.head.weight is loaded.decoder.embed.weight
        assert Tokenizer.load(tmp_path / "model").size == tiny_tokenizer().size
        assert sorted(os.listdir(tmp_path)) == ["model"]

    def test_another_type(self, tmp_path: Path) -> None:
        checkpoint.save(ours(), tmp_path / "model")
        loaded = checkpoint.load(tmp_path / "model", dtype=torch.bfloat16)
        assert equal(loaded, ours().to(torch.bfloat16)) is True

    def test_it_sees_as_before(self, tmp_path: Path) -> None:
        checkpoint.save(ours(), tmp_path / "model")
        assert torch.equal(logits(checkpoint.load(tmp_path / "model"), *question()), logits(ours(), *question()))

    def test_shards(self, tmp_path: Path) -> None:
        checkpoint.save(ours(), tmp_path / "model", shard=100_000)
        files = sorted(path.name for path in (tmp_path / "model").glob("*.safetensors"))
        assert len(files) > 2
        assert files[0] == f"model-00001-of-{len(files):05}.safetensors"
        assert all((tmp_path / "model" / name).stat().st_size < 110_000 for name in files)
        assert equal(checkpoint.load(tmp_path / "model"), ours())

    def test_the_head_is_stored_once(self, tmp_path: Path) -> None:
        checkpoint.save(ours(), tmp_path / "model")
        names = load_file(tmp_path / "model" / "model.safetensors")
        assert "decoder.embed.weight" in names
        assert "decoder.head.weight" not in names

    def test_others_may_read_it(self, tmp_path: Path) -> None:
        checkpoint.save(ours(), tmp_path / "model")
        modes = {path.stat().st_mode for path in (tmp_path / "model").iterdir()}
        (tmp_path / "any").touch()
        assert modes == {(tmp_path / "any").stat().st_mode}

    def test_an_older_model_is_replaced(self, tmp_path: Path) -> None:
        checkpoint.save(ours(), tmp_path / "model", shard=50_000)
        checkpoint.save(ours(seed=1), tmp_path / "model")
        assert sorted(os.listdir(tmp_path / "model")) == ["config.json", "model.safetensors"]
        assert equal(checkpoint.load(tmp_path / "model"), ours(seed=1))

    @pytest.mark.parametrize("name", ["thesis.tex", "data.json"])
    def test_other_folders_are_left_alone(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("years of work")
        with pytest.raises(BadOutput, match=rf"holds {name}: expected a new or empty folder"):
            checkpoint.save(ours(), tmp_path)
        assert (tmp_path / name).read_text() == "years of work"

    @pytest.mark.parametrize(
        "files",
        [
            {"config.json": '{"dataset": "x"}'},
            {"config.json": '{"format": "ocr2"}', "labels.json": "{}"},
            {"config.json": '{"format": "ocr2"}', "other.safetensors": ""},
        ],
    )
    def test_folders_that_only_look_like_a_model_are_left_alone(self, tmp_path: Path, files: dict[str, str]) -> None:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        with pytest.raises(BadOutput, match="expected a new or empty folder"):
            checkpoint.save(ours(), tmp_path)
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files

    def test_changed_models_are_not_saved(self, tmp_path: Path) -> None:
        model = ours()
        model.connector = torch.nn.Identity()
        with pytest.raises(BadOutput, match="int8"):
            checkpoint.save(model, tmp_path / "model")
        assert not os.listdir(tmp_path)

    def test_a_full_disk(self, tmp_path: Path) -> None:
        checkpoint.save(ours(), tmp_path / "model")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        try:
            with pytest.raises(BadOutput, match=r"can't be written .* space left"):
                checkpoint.save(ours(seed=1), tmp_path / "model")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert os.listdir(tmp_path) == ["model"]
        assert equal(checkpoint.load(tmp_path / "model"), ours())

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "model").write_text("")
        for writing in (lambda folder: checkpoint.save(ours(), folder), checkpoint.check_replaceable):
            with pytest.raises(BadOutput, match="can't be written"):
                writing(tmp_path / "model")
        assert os.listdir(tmp_path) == ["model"]

    def test_killed(self, tmp_path: Path) -> None:
        """While it writes, before all is on disk, or between the last two renames: the older model is read."""
        for moment in ("safetensors.torch.save_file", "os.fsync", "os.rename"):
            checkpoint.save(ours(), tmp_path / moment)
        script = f"""
            import os, signal, sys
            import safetensors.torch
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from got_reference import ours
            from ocr2.got import checkpoint
            def killed(*args):
                if moment == "os.rename":
                    real(*args)
                os.kill(os.getpid(), signal.SIGKILL)
            for moment in sys.argv[1:]:
                if os.fork():
                    assert os.WTERMSIG(os.wait()[1]) == signal.SIGKILL
                    continue
                owner, function = (safetensors.torch, "save_file") if "torch" in moment else (os, moment[3:])
                real = getattr(owner, function)
                setattr(owner, function, killed)
                checkpoint.save(ours(seed=1), moment)
        """
        moments = os.listdir(tmp_path)
        subprocess.run([sys.executable, "-c", textwrap.dedent(script), *moments], cwd=tmp_path, check=True)
        assert len(os.listdir(tmp_path)) == 6  # three parts, two older ones in their place and one put aside
        for moment in moments:
            assert equal(checkpoint.load(tmp_path / moment), ours())
            checkpoint.save(ours(seed=1), tmp_path / moment)
            assert equal(checkpoint.load(tmp_path / moment), ours(seed=1))
        assert sorted(os.listdir(tmp_path)) == sorted(moments)


class TestCarry:
    """What one stage has learned goes into the next."""

    def test_all_of_it(self) -> None:
        source, target = ours(NANO), GOT(NANO)
        assert checkpoint.carry(source, target) == []
        assert equal(source, target)
        assert target.decoder.head.weight is target.decoder.embed.weight

    def test_another_type(self) -> None:
        target = GOT(TINY)
        assert checkpoint.carry(ours().bfloat16(), target) == []
        assert equal(target, ours().bfloat16().float())

    def test_from_stage_1_the_encoder_alone(self) -> None:
        config = replace(
            STAGE1, decoder=replace(STAGE1.decoder, width=32, mlp=48)
        )  # sizes that would fit are no reason
        source, target = ours(config), GOT(TINY)
        before = [values.clone() for values in (*target.connector.parameters(), *target.decoder.parameters())]
        left = checkpoint.carry(source, target)
        assert left == [name for name, _ in target.named_parameters() if not name.startswith("encoder.")]
        assert equal(source.encoder, target.encoder)
        for values, old in zip((*target.connector.parameters(), *target.decoder.parameters()), before, strict=True):
            assert torch.equal(values, old)

    def test_heads_come_and_go(self) -> None:
        one, more = (replace(NANO, decoder=replace(NANO.decoder, ahead=ahead)) for ahead in (1, 2))
        left = checkpoint.carry(ours(one), target := GOT(more))
        assert left == [f"ahead.1.{name}.weight" for name in ("norm", "up", "down")]
        assert torch.equal(target.ahead[0].up.weight, ours(one).ahead[0].up.weight)
        assert checkpoint.carry(ours(more), GOT(one)) == []

    def test_another_vocabulary(self) -> None:
        config = replace(TINY, decoder=replace(TINY.decoder, vocabulary=400))
        assert checkpoint.carry(ours(), GOT(config)) == ["decoder.embed.weight"]

    def test_nothing(self) -> None:
        encoder = replace(NANO.encoder, width=64, heads=4, mlp=96, neck=24, out=(48, 64))
        decoder = replace(NANO.decoder, width=64, ahead=0, mlp=80, vocabulary=64)
        source = GOT(replace(NANO, encoder=encoder, decoder=decoder))
        target = GOT(STAGE1)
        before = {name: values.clone() for name, values in target.state_dict().items()}
        with pytest.raises(BadCheckpoint, match="no parameter of the one model fits into the other: expected the same"):
            checkpoint.carry(source, target)
        assert all(torch.equal(values, before[name]) for name, values in target.state_dict().items())

    def test_changed_models(self) -> None:
        model = ours()
        model.connector = torch.nn.Identity()
        with pytest.raises(BadCheckpoint, match="changed after it was made"):
            checkpoint.carry(model, ours())


OLD = {"model.language_model.": "language_model.model.", "model.": "", "lm_head": "language_model.lm_head"}


class TestTheirs:
    @pytest.fixture(scope="class")
    @staticmethod
    def reference() -> Any:
        return theirs()

    @pytest.mark.parametrize("leading", ["model.", "", "old"])
    @pytest.mark.parametrize("kind", ["got_ocr2", "pp_chart2table"])
    def test_every_version(self, tmp_path: Path, reference: Any, leading: str, kind: str) -> None:
        state = {name: values.clone() for name, values in reference.state_dict().items()}
        if leading == "":
            state = {name.removeprefix("model."): values for name, values in state.items()}
        elif leading == "old":
            for old, new in OLD.items():
                state = {_replaced(name, old, new): values for name, values in state.items()}
            assert "language_model.model.norm.weight" in state
        record = reference.config.to_dict() | {"model_type": kind}
        loaded = checkpoint.load(write(tmp_path, record, state))
        assert loaded.config == replace(TINY, asked="Chart to table" if kind == "pp_chart2table" else "")
        assert equal(loaded, released(tmp_path / "release", reference))

    def test_older_configs(self, tmp_path: Path, reference: Any) -> None:
        record = reference.config.to_dict()
        text, vision = record["text_config"], record["vision_config"]
        text["rope_theta"] = text.pop("rope_parameters")["rope_theta"]
        del record["image_token_index"], record["tie_word_embeddings"], text["rms_norm_eps"]
        vision |= {"image_size": [128, 128], "patch_size": [16, 16]}
        text["vocab_size"] = 151860  # or else there is no such image token
        state = reference.state_dict() | {"lm_head.weight": torch.zeros(151860, 32)}
        state["model.language_model.embed_tokens.weight"] = torch.zeros(151860, 32)
        loaded = checkpoint.load(write(tmp_path, record, state))
        assert loaded.config == replace(TINY, decoder=replace(TINY.decoder, vocabulary=151860), image_token=151859)

    def test_paddles_config_class(self, tmp_path: Path, reference: Any) -> None:
        from transformers import PPChart2TableConfig

        sizes = {part: getattr(reference.config, part).to_dict() for part in ("text_config", "vision_config")}
        sizes["vision_config"]["model_type"] = "pp_chart2table_vision"
        PPChart2TableConfig(**sizes, image_token_index=IMAGE).save_pretrained(tmp_path)
        save_file({n: v.clone() for n, v in reference.state_dict().items()}, tmp_path / "model.safetensors")
        model = checkpoint.load(tmp_path)
        assert model.config == replace(TINY, asked="Chart to table")
        checkpoint.save(model, tmp_path / "ours", tiny_tokenizer())
        assert checkpoint.load(tmp_path / "ours").config == model.config
        with pytest.raises(BadOutput, match="knows 'Chart to table' alone: save it as ours"):
            checkpoint.export(model, tmp_path / "theirs")

    def test_no_sizes_are_the_published_ones(self) -> None:
        from ocr2.got import layouts
        from ocr2.got.config import PRESETS

        assert layouts.described("transformers", {"model_type": "got_ocr2"}, {}) == PRESETS["580m"]

    def test_export_can_be_read_here_too(self, tmp_path: Path) -> None:
        checkpoint.export(ours(), tmp_path / "model", shard=50_000)
        assert len(list((tmp_path / "model").glob("*.safetensors"))) > 2
        assert equal(checkpoint.load(tmp_path / "model"), ours())

    def test_auto_classes(self, tmp_path: Path) -> None:
        from PIL import Image
        from transformers import AutoModelForImageTextToText, AutoProcessor

        tokenizer = tiny_tokenizer()
        config = replace(TINY, image_token=tokenizer.image)
        checkpoint.export(ours(config).to(torch.bfloat16), tmp_path / "model", tokenizer)
        model = AutoModelForImageTextToText.from_pretrained(tmp_path / "model")
        assert model.dtype == torch.bfloat16
        assert model.generation_config.eos_token_id == tokenizer.end
        processor = AutoProcessor.from_pretrained(tmp_path / "model")
        inputs = processor(Image.new("RGB", (300, 200), "white"), return_tensors="pt", num_image_tokens=4)
        assert (inputs["input_ids"] == tokenizer.image).sum() == 4
        assert inputs["pixel_values"].shape == (1, 3, 128, 128)
        words = processor.tokenizer("the OCR <|im_end|>")["input_ids"]
        assert words == [*tokenizer.encode("the OCR "), tokenizer.end]
        said = model.generate(**inputs.to(torch.bfloat16), max_new_tokens=2)
        assert said.shape[1] > inputs["input_ids"].shape[1]

    @pytest.mark.parametrize(
        ("config", "named"),
        [
            (replace(NANO, decoder=replace(NANO.decoder, ahead=0)), "stem='conv'"),
            (replace(TINY, decoder=replace(TINY.decoder, ahead=2)), "ahead=2.* carry its weights into a GOT with"),
            (STAGE1, "OPT"),
            (replace(TINY, encoder=replace(TINY.encoder, out=(16, 32))), "out="),
            (replace(TINY, encoder=replace(TINY.encoder, eps=1e-5)), "eps=1e-05"),
        ],
    )
    def test_what_they_cannot_express(self, tmp_path: Path, config: Any, named: str) -> None:
        with pytest.raises(BadOutput, match=named):
            checkpoint.export(ours(config), tmp_path / "model")
        assert not os.listdir(tmp_path)


def released(folder: Path, reference: Any) -> GOT:
    return checkpoint.load(write(folder, *as_released(reference)))


def _replaced(name: str, old: str, new: str) -> str:
    return new + name.removeprefix(old) if name.startswith(old) and "language_model.model" not in name else name


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("good") / "model")


def written(folder: Path) -> Path:
    checkpoint.save(ours(), folder)
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    """A copy of a good model, to damage."""
    return Path(shutil.copytree(good, tmp_path / "model"))


def config(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def tensors(**changes: Tensor | None) -> Callable[[Path], None]:
    """Other tensors in the place of some; None: without it. Dots are written as two underscores."""

    def damage(folder: Path) -> None:
        path = folder / "model.safetensors"
        state = load_file(path) | {name.replace("__", "."): values for name, values in changes.items()}
        save_file({name: values for name, values in state.items() if values is not None}, path)

    return damage


def files(**contents: bytes | None) -> Callable[[Path], None]:
    """Other files; None: without it. The dot before the suffix is written as an underscore."""

    def damage(folder: Path) -> None:
        for name, content in contents.items():
            path = folder / ".".join(name.rsplit("_", 1))
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)

    return damage


def truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def index(*names: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        places = {f"tensor.{n}": name for n, name in enumerate(names)}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))

    return damage


NAN = torch.full((32,), 1.0)
NAN[7] = float("nan")
DAMAGES = {
    "no config": (files(config_json=None), r"model has no config\.json: expected a folder with config\.json and"),
    "empty config": (files(config_json=b""), r"config\.json can't be read as JSON .*: copy"),
    "not JSON": (files(config_json=b"weights: 7"), r"config\.json can't be read as JSON"),
    "not text": (files(config_json=b"\xff\xfe\x00"), r"config\.json can't be read as JSON"),
    "deep": (files(config_json=b"[" * 100_000), r"config\.json can't be read as JSON"),
    "no object": (files(config_json=b"[1]"), r"config\.json is \[1\]: expected an object"),
    "no kind": (files(config_json=b"{}"), "is of model_type None: expected GOT, got_ocr2, pp_chart2table or format"),
    "other kind": (config(format="", model_type="llama"), "model_type 'llama': expected GOT"),
    "odd kind": (config(format="", model_type=["GOT"]), "model_type"),
    "newer": (config(version=2), r"config\.json: version 2: expected 1, or a newer ocr2"),
    "unknown field": (config(depth=7), r"config\.json: GOTConfig has no field 'depth'"),
    "no table": (config(encoder=7), r"config\.json: encoder is 7"),
    "other sizes": (
        config(decoder={"kind": "qwen2", "vocabulary": 300, "width": 48, "heads": 4, "kv_heads": 2, "layers": 2}),
        r"tensor \S+ is \(.*\): expected \(.*\), as config.json says",
    ),
    "endless": (config(decoder={"layers": 1000}), r"config\.json has 3 \+ 1000 layers, and the weights \d+ tensors"),
    "huge": (
        config(decoder={"vocabulary": 10**7, "width": 32, "layers": 2, "heads": 4, "kv_heads": 2, "mlp": 48}),
        r"tensor decoder\.embed\.weight is \(300, 32\): expected \(10+, 32\), as config\.json says",
    ),
    "endless heads": (
        config(decoder={"layers": 2, "ahead": 250}),
        r"config\.json has 3 \+ 252 layers, and the weights \d+ tensors",
    ),
    "heads": (
        config(decoder={"vocabulary": 300, "width": 32, "layers": 2, "heads": 4, "kv_heads": 2, "mlp": 48, "ahead": 1}),
        r"model lacks tensor ahead\.0\.norm\.weight, which config\.json calls for",
    ),
    "boundless": (config(decoder={"vocabulary": 10**30, "layers": 2}), r"json: decoder vocabulary=10{30}: expected"),
    "missing tensor": (
        tensors(connector__bias=None),
        r"model lacks tensor connector\.bias, which config\.json calls for",
    ),
    "foreign tensor": (tensors(discriminator=NAN), r"tensor discriminator is none of GOT's \(1 such\)"),
    "wrong shape": (
        tensors(connector__weight=torch.zeros(2, 2)),
        r"model\.safetensors: tensor connector\.weight is \(2, 2\): expected \(32, 32\)",
    ),
    "NaN": (tensors(connector__bias=NAN), r"tensor connector\.bias has infinite or undefined numbers"),
    "infinite": (tensors(decoder__norm__weight=NAN.nan_to_num(9) / 0), "has infinite or undefined numbers"),
    "whole numbers": (tensors(connector__bias=torch.ones(32).int()), "holds I32: expected F64, F32, F16, BF16"),
    "truncated": (truncated, r"model\.safetensors can't be read \(.*\): expected safetensors, undamaged"),
    "empty weights": (files(model_safetensors=b""), r"model\.safetensors can't be read"),
    "no weights": (files(model_safetensors=None), r"model has no model\.safetensors and no model\.safetensors\.index"),
    "pickle": (
        files(model_safetensors=None, pytorch_model_bin=b"cos\nsystem\n(S'true'\ntR."),
        r"pytorch_model\.bin is a pickle, which may run any code .* weights_only=True",
    ),
    "outside": (
        index("../../weights.safetensors"),
        r"index\.json names '\.\./\.\./weights\.safetensors': expected .* no path",
    ),
    "absolute": (index("/etc/passwd.safetensors"), "no path"),
    "pickled shard": (index("model.bin"), r"names 'model\.bin': expected safetensors"),
    "odd shard": (index(7), "names '7'"),
    "lost shard": (index("model-00001-of-00001.safetensors"), r"model lacks model-00001-of-00001\.safetensors, which"),
    "no shards": (index(), "has no weight_map"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged(folder: Path, damage: str) -> None:
    act, message = DAMAGES[damage]
    act(folder)
    with pytest.raises(BadCheckpoint, match=message) as caught:
        checkpoint.load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["weights.ckpt", "model.pt"])
def test_pickled_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04.")
    for place in (tmp_path, tmp_path / name):
        with pytest.raises(BadCheckpoint, match="is a pickle"):
            checkpoint.load(place)


THEIR_DAMAGES = {
    "untied": ({}, {"lm_head.weight": torch.ones(300, 32)}, "tensor lm_head.weight isn't the embedding: .* tied"),
    "missing": ({}, {"model.mm_projector_vary.bias": None}, "lacks tensor mm_projector_vary.bias"),
    "no encoder": (
        {},
        {"model.vision_tower_high.pos_embed": None},
        "tensor model.vision_tower_high.pos_embed is missing",
    ),
    "odd positions": ({}, {"model.vision_tower_high.pos_embed": torch.ones(8, 32)}, "expected 4 dimensions"),
    "keys": (
        {},
        {"model.layers.0.self_attn.k_proj.weight": torch.ones(32, 32)},
        r"tensor model.layers.0.self_attn.k_proj.weight is \(32, 32\): expected \(16, 32\)",
    ),
    "activation": ({"hidden_act": "gelu"}, {}, "hidden_act is 'gelu': expected 'silu', as in GOT"),
    "windows": ({"use_sliding_window": True}, {}, "use_sliding_window is True"),
    "scaled": ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, {}, "rotary positions are .*yarn"),
    "text": ({"hidden_size": "wide"}, {}, "DecoderConfig width='wide'"),
    "context": ({"max_position_embeddings": None}, {}, "GOTConfig context=None"),
}


@pytest.mark.parametrize("damage", THEIR_DAMAGES)
def test_damaged_releases(tmp_path: Path, release: tuple[dict[str, Any], dict[str, Tensor]], damage: str) -> None:
    record, state, message = THEIR_DAMAGES[damage]
    both = release[1] | state
    write(tmp_path, release[0] | record, {name: values for name, values in both.items() if values is not None})
    with pytest.raises(BadCheckpoint, match=message):
        checkpoint.load(tmp_path)


@pytest.fixture(scope="module")
def release() -> tuple[dict[str, Any], dict[str, Tensor]]:
    return as_released(theirs())


def test_their_odd_parts(tmp_path: Path) -> None:
    for record, message in (
        ({"text_config": 7}, "text_config is 7: expected an object"),
        ({"vision_config": {"patch_size": 14}}, "patch_size is 14: expected 16"),
        ({"vision_config": {"window_size": 0}}, "EncoderConfig window=0"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "got_ocr2"} | record))
        save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
        with pytest.raises(BadCheckpoint, match=message):
            checkpoint.load(tmp_path)


class TestHub:
    def test_offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import huggingface_hub

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ModelMissing) as caught:
            checkpoint.load("ocr2-tests/nowhere")
        assert str(caught.value).startswith("ocr2-tests/nowhere is no folder here, and can't be downloaded")
        assert "hf download ocr2-tests/nowhere --local-dir FOLDER" in str(caught.value)

    def test_a_server_that_never_answers(self, tmp_path: Path, good: Path) -> None:
        """What is in the cache is found without it; for all else there is an end to the waiting."""
        cached = tmp_path / "hub" / "models--ours--good"
        shutil.copytree(good, cached / "snapshots" / ("0" * 40))
        (cached / "refs").mkdir()
        (cached / "refs" / "main").write_text("0" * 40)
        script = """
            from ocr2.got import checkpoint
            checkpoint._PATIENCE = 0.5
            print(checkpoint.find("ours/good"))
            try:
                checkpoint.find("a/b")
            except checkpoint.ModelMissing as error:
                print(error)
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            where = f"http://127.0.0.1:{server.getsockname()[1]}"
            environment = os.environ | {"HF_ENDPOINT": where, "HF_HUB_CACHE": str(tmp_path / "hub")}
            run = [sys.executable, "-c", textwrap.dedent(script)]
            done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=60, check=True)
        found, missing = done.stdout.splitlines()
        assert found == str(cached / "snapshots" / ("0" * 40))
        assert missing.startswith("a/b is no folder here, and can't be downloaded from the hub (timed out)")

    def test_without_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
        with pytest.raises(ModelMissing, match=r"a/b is no folder here.*pip install 'ocr2\[got\]'"):
            checkpoint.load("a/b")

    @pytest.mark.parametrize("name", ["nowhere", "a/b/c", "/no/such", "~/model", "", "-", "a b/c"])
    def test_neither(self, name: str) -> None:
        with pytest.raises(
            BadCheckpoint, match=r"expected a folder with config\.json and model\.safetensors, or a hub"
        ):
            checkpoint.load(name)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory(tmp_path: Path) -> None:
    """Loading takes the model and one of its tensors, not the model twice."""
    big = replace(TINY, decoder=DecoderConfig(vocabulary=300, width=256, layers=12, heads=4, kv_heads=4, mlp=2048))
    model = GOT(big)
    size = sum(parameter.nbytes for parameter in model.parameters())
    checkpoint.save(scattered(model), tmp_path / "model")
    checkpoint.save(ours(), tmp_path / "tiny")
    script = f"""
        import re, pathlib
        from ocr2.got import checkpoint
        status = pathlib.Path("/proc/self/status")
        peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) * 1024
        checkpoint.load({str(tmp_path / "tiny")!r})  # all modules are there
        before = peak()
        model = checkpoint.load({str(tmp_path / "model")!r})
        print(peak() - before)
    """
    run = [sys.executable, "-c", textwrap.dedent(script)]
    took = int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert 0.8 * size < took < 1.3 * size
