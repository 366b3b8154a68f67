"""What draws: each file is one tool, from a source to what it looks like."""
