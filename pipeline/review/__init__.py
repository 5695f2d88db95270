"""The supervisor's page: on this machine only, jump to a moment, see why it is there, decide.

`app.py` names every address the page asks for; `view.py` and `lanes.py` say what it shows; `verdicts.py` is what a
person decided. The page itself is plain HTML, CSS and JavaScript in `static/` and asks nobody else for anything.
"""
