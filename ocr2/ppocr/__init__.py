"""The OCR-1.0 pipeline of PP-OCRv2 (arXiv 2109.03144): detect, rectify, turn, recognise, order."""
