"""One file per command of `attune`: its arguments, and a thin `run` that calls the library and prints."""
