"""Invented talk for tests of the alliance: turns from short lines, at an ordinary speed."""

from pipeline.records import Turn, Voice, Word

VOICES = [Voice(0.0, 600.0, "t", "therapist", 0.95, ""), Voice(0.0, 600.0, "c", "client", 0.95, "")]
RATE = 2.7  # words a second


def talk(*lines, shift=0.0):
    """Turns from ("t" | "c", text[, gap in seconds]); 0.4 s between turns where no gap is given."""
    turns, at = [], shift
    for who, text, *gap in lines:
        start = at + (gap[0] if gap else 0.4)
        words = tuple(Word(start + k / RATE, start + (k + 1) / RATE, w) for k, w in enumerate(text.split()))
        at = words[-1].end
        turns.append(Turn(start, at, who, "therapist" if who == "t" else "client", words))
    return turns


ORDINARY = [
    ("t", "How has the week been since we met?"),
    ("c", "Pretty full, my sister came down and we took the kids to the lake and it was good to get out."),
    ("t", "It sounds like that was a welcome break."),
    ("c", "It was, I slept properly for once and I noticed I wasn't checking the phone every minute."),
    ("t", "What was different about those nights?"),
    ("c", "I think I was just tired out in a good way, you know, from being outside with them all day."),
    ("t", "And the mornings?"),
    ("c", "The mornings are still slow. I made coffee and sat on the step and waited until I felt like moving."),
    ("t", "You told me before that the step is where you think about your dad."),
    ("c", "Yeah, he used to sit out there with his paper, so it's his place more than mine, I suppose."),
    ("t", "What do you notice when you sit there now?"),
    ("c", "It's quiet, mostly. I miss him, but it's a soft kind of missing, it doesn't flatten me the way it did."),
]
WORK = [
    ("t", "Last time we talked about asking your manager for the late shift. How did that go?"),
    ("c", "I asked her on Tuesday, and she said she would look at it, which is more than I expected from her."),
    ("t", "You were worried that she would laugh."),
    ("c", "I was, and she didn't, she just wrote it down. I told my friend and he said well done, so that was nice."),
    ("t", "What would it change for you, the late shift?"),
    ("c", "I could take the little one to school, and I'd not be rushing. That hour in the morning is the worst one."),
]
COMPLAINT = [
    ("t", "I think part of you might be avoiding the forms because of what they bring up."),
    ("c", "You keep saying that, but you're not listening to me. These forms are pointless and this isn't helping."),
    ("t", "Perhaps the forms are hard because you were never allowed to complain."),
    ("c", "No. You're doing it again. You just tell me what I think and you never ask me."),
    ("t", "I'm sorry, I pushed that too hard and I wasn't listening. What is it like to hear me say that?"),
    (
        "c",
        "Annoying, honestly, because I did try them and it made the evening worse, and you didn't ask, so I stopped.",
    ),
    ("t", "That makes sense, and thank you for telling me. I got ahead of you there. Let's put the forms away."),
    ("c", "Okay. I just wanted you to know that I did try, I'm not being lazy about it."),
]
SHUTTING_DOWN = [
    ("t", "What was it like for you when I was away for those two weeks?"),
    ("c", "Fine.", 3.5),
    ("t", "I wonder whether some part of you minded."),
    ("c", "Not really.", 3.0),
    ("t", "Can you say more about that?"),
    ("c", "I don't know.", 4.0),
    ("t", "And what comes up as I ask you about it now?"),
    ("c", "Nothing.", 3.8),
    ("t", "I notice you have gone quiet. I wonder if I pushed you just then, and how that is between us?"),
    ("c", "Sort of, yeah. You were away and then you come back and ask me as if it was nothing.", 2.0),
]
SESSION = [*ORDINARY, *WORK, *COMPLAINT, *WORK, *ORDINARY]
QUIET_SESSION = [*ORDINARY, *WORK, *SHUTTING_DOWN, *WORK, *ORDINARY]
CALM_SESSION = [*ORDINARY, *WORK, *ORDINARY]
