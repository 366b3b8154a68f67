"""`python -m ocr2` is the command `ocr2`; so it runs under torchrun, too."""

from ocr2.cli import main

main()
