"""What makes the models: one file, one command and the number it should reach."""
