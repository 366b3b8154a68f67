"""Where samples come from: engines that draw them, and how they are mixed."""
