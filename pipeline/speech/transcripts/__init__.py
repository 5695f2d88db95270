"""Readers of transcripts and speaker files, one module a family of formats. Each turns text into `Given` lines."""
