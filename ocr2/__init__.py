"""Open OCR-2.0: pages and prompts in, transcripts out.

import ocr2

print(ocr2.read("page.png").text)
"""

from ocr2.reader import load, read
from ocr2.types import Box, Page, Prompt, Transcript

__all__ = ["Box", "Page", "Prompt", "Transcript", "load", "read"]
