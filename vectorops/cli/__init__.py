"""The commands: the only room that knows the terminal."""
