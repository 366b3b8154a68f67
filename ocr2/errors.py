"""Every error a caller may want to catch. Each message says what was wrong, what was expected and what to do.

OcrError
├── BadInput        a file, stream or page range that can't be read as pages
├── BadOutput       a place or format the result can't be written to
├── BadPrompt       a question that contradicts itself, or that the chosen reader can't answer
├── TooLong         a prompt or sample longer than the model's context
├── BadCheckpoint   a model folder or weights file that isn't one
├── ModelMissing    a known model whose package isn't installed; the message names the command
├── MetricMissing   a measure whose package isn't installed; the message names the command
├── RendererMissing a tool that draws or shows, whose package isn't installed; the message names the command
├── RenderFailed    a source that a tool can't draw, in its words, or that takes it too long or too much memory
└── TrainingFailed  a loss or gradient that isn't finite, or a worker process that ended; the message names what was
                    learned from, or why such processes end
"""


class OcrError(Exception):
    """Any error of this package that its caller can mend."""


class BadInput(OcrError):
    """A file, stream or page range that can't be read as pages."""


class BadOutput(OcrError):
    """A place or format the result can't be written to."""


class BadPrompt(OcrError):
    """A question that contradicts itself, or that the chosen reader can't answer."""


class TooLong(OcrError):
    """A prompt or sample longer than the model's context."""


class BadCheckpoint(OcrError):
    """A model folder or weights file that isn't one."""


class ModelMissing(OcrError):
    """A known model whose package isn't installed."""


class MetricMissing(OcrError):
    """A measure whose package isn't installed."""


class RendererMissing(OcrError):
    """A tool that draws or shows, whose package isn't installed."""


class RenderFailed(OcrError):
    """A source that a tool can't draw, or not within its limits."""


class TrainingFailed(OcrError):
    """A loss or gradient that isn't a finite number, or a worker process that has ended before its time."""
