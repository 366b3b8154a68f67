"""OCR-2.0: one model from the image to the text, as in GOT (arXiv 2409.01704)."""
