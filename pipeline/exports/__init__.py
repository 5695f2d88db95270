"""One file per export format, and a visible table of them."""
