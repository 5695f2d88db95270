"""De-identified copies: names, places, dates and numbers out of words and sound, the picture dropped or blurred.

`identify.py` finds the words, `redact.py` takes them out of the texts, `sound.py` out of the sound; `report.py` says
what was found, with what, and that it is no guarantee. Nothing is asked of any other machine.
"""
