"""What is measured about voice, timing and language, each against the speaker's own usual."""
