"""The benchmark's references, scores and table, on a made interview."""

import json
from pathlib import Path

import pytest

from pipeline.evaluate.interviews import (
    COLUMNS,
    Reference,
    _in_child,
    _settings_for,
    evaluate_interviews,
    evaluate_text_roles,
    find_recordings,
    load_reference,
    parse_rttm,
    render_interviews,
    render_row,
    render_text_roles,
    score_role,
    score_session,
)
from pipeline.evaluate.peers import check_peers
from pipeline.records import AttuneError, Speech, Turn, Voice, Word

KEYS = (
    *("wer", "substitutions", "deletions", "insertions", "fillers_kept", "fillers_reference", "words_wrong", "der"),
    *("der_collar", "cpwer", "role_correct", "word_time_median_s", "word_time_p95_s", "talk_share_error", "core_rtf"),
    *("peak_mb", "short_wrong"),
)


def write_interview(folder: Path, name: str = "one") -> Path:
    said = [("D", "clinician", "how are you", 0.0), ("P", "patient", "um fine", 4.0)]
    words = [
        {"turn": t, "speaker": who, "word": token, "start": at + i, "end": at + i + 0.9}
        for t, (who, _, text, at) in enumerate(said)
        for i, token in enumerate(text.split())
    ]
    turns = [
        {"speaker": who, "role": role, "text": text, "turn": who, "start": at, "end": at + len(text.split()) - 0.1}
        for who, role, text, at in said
    ]
    path = folder / f"{name}.wav"
    path.write_bytes(b"RIFF")
    path.with_suffix(".words.json").write_text(json.dumps(words))
    path.with_suffix(".turns.json").write_text(json.dumps(turns))
    path.with_suffix(".rttm").write_text(
        f"SPEAKER {name} 1 0.0 2.9 <NA> <NA> D <NA> <NA>\nSPEAKER {name} 1 4.0 1.9 <NA> <NA> P <NA> <NA>\n"
    )
    return path


def artefacts(reference: Reference):
    """What a run without any error would give."""
    names = {"D": "speaker_1", "P": "speaker_2"}
    words = [Word(w.start, w.end, w.text) for w in reference.words]
    speech = [Speech(s.start, s.end, names[s.speaker]) for s in reference.speech]
    voices = [
        Voice(0.0, 2.9, "speaker_1", "therapist", 0.8, ""),
        Voice(4.0, 5.9, "speaker_2", "client", 0.8, ""),
    ]
    turns = [
        Turn(
            own[0].start, own[-1].end, names[own[0].speaker], "other", tuple(Word(w.start, w.end, w.text) for w in own)
        )
        for own in reference.turns
    ]
    return words, speech, voices, turns


def test_references_are_read(tmp_path):
    reference = load_reference(write_interview(tmp_path))
    assert [[word.text for word in turn] for turn in reference.turns] == [["how", "are", "you"], ["um", "fine"]]
    assert reference.text == "how are you\num fine"
    assert reference.roles == {"D": "clinician", "P": "patient"}
    assert parse_rttm("SPEAKER a 1 1.5 2.0 <NA> <NA> D <NA> <NA>\nSPKR-INFO a\n") == [Speech(1.5, 3.5, "D")]


def test_speakers_alone_are_scored_overlap_too(tmp_path):
    path = tmp_path / "meeting.wav"
    path.write_bytes(b"RIFF")
    path.with_suffix(".rttm").write_text(
        "SPEAKER meeting 1 0.0 4.0 <NA> <NA> A <NA> <NA>\nSPEAKER meeting 1 3.0 3.0 <NA> <NA> B <NA> <NA>\n"
    )
    assert find_recordings(tmp_path) == [path]
    reference = load_reference(path)
    assert (reference.people, reference.words) == (2, [])
    one_at_a_time = [Speech(0.0, 3.5, "speaker_1"), Speech(3.5, 6.0, "speaker_2")]
    row = render_row(score_session(reference, [Word(0.0, 1.0, "hello")], one_at_a_time, [], []))
    assert row["der"] == pytest.approx(1 / 7)  # one of seven seconds of speech, where two speak at once, lacks one
    unknown = ("wer", "words_wrong", "short_wrong", "cpwer", "role_correct", "role_confidence")
    assert [row[key] for key in unknown] == [None] * len(unknown)
    told = _settings_for(reference, {"speech": {"overlap": True}})
    assert told == {"speech": {"overlap": True, "speakers": 2}}


def test_a_plain_text_beside_the_recording_wins(tmp_path):
    path = write_interview(tmp_path)
    path.with_suffix(".txt").write_text("how are you um fine thanks")
    assert load_reference(path).text.endswith("thanks")


def test_a_perfect_run_scores_perfectly(tmp_path):
    reference = load_reference(write_interview(tmp_path))
    row = render_row(score_session(reference, *artefacts(reference)))
    assert set(KEYS) <= set(row)
    zero = ["wer", "words_wrong", "short_wrong", "der", "der_collar", "cpwer", "word_time_median_s", "talk_share_error"]
    assert {key: row[key] for key in zero} == dict.fromkeys(zero, 0)
    assert (row["role_correct"], row["fillers_kept"], row["fillers_reference"]) == (1, 1, 1)


def test_roles_the_wrong_way_round_or_missing_are_wrong(tmp_path):
    reference = load_reference(write_interview(tmp_path))
    _, _, (therapist, client), turns = artefacts(reference)
    swapped = [
        Voice(0, 1, therapist.speaker, "client", 0.9, ""),
        Voice(4, 5, client.speaker, "therapist", 0.9, ""),
    ]
    assert score_role(reference, swapped, turns) == (False, 0.9)
    assert score_role(reference, [client], turns) == (False, 0.0)


def test_pooling_adds_counts_and_takes_the_peak(tmp_path):
    reference = load_reference(write_interview(tmp_path))
    words, speech, voices, turns = artefacts(reference)
    good = score_session(reference, words, speech, voices, turns)
    bad = score_session(reference, words[:-1], speech, voices, turns)
    row = render_row(good + bad)
    assert (row["deletions"], row["words_reference"]) == (1, 8)
    assert row["wer"] == pytest.approx(1 / 8)


def test_a_folder_without_references_says_what_is_missing(tmp_path):
    with pytest.raises(AttuneError, match="no recording"):
        find_recordings(tmp_path)
    path = write_interview(tmp_path)
    path.with_suffix(".rttm").unlink()
    with pytest.raises(AttuneError, match=r"one\.rttm"):
        load_reference(path)
    path.with_suffix(".words.json").write_text("[{}]")
    with pytest.raises(AttuneError, match="another form"):
        load_reference(path)


def test_a_child_process_gives_its_result_or_its_error_with_the_way_out():
    assert _in_child(divmod, 7, 2) == (3, 1)
    with pytest.raises(AttuneError) as error:
        _in_child(check_peers, ("nobody",))
    assert (error.value.code, "--against" in error.value.mend) == ("peer-unknown", True)


def test_an_unknown_peer_is_refused_before_anything_runs(tmp_path):
    write_interview(tmp_path)
    with pytest.raises(AttuneError, match="faster-whisper"):
        evaluate_interviews(tmp_path, ("slower-whisper",))


def test_the_table_has_every_column_and_the_pooled_row(tmp_path):
    reference = load_reference(write_interview(tmp_path))
    row = render_row(score_session(reference, *artefacts(reference)))
    peers = {"pyannote": {"der": 0.2, "cpu_ours_s": 10, "cpu_theirs_s": 40, "cpu_ratio": 0.25, "steps": ["speech"]}}
    text = render_interviews({"recordings": [{"name": "one", **row}], "pooled": row, "against": peers})
    assert all(heading in text for heading in COLUMNS)
    assert "pooled" in text
    assert "ours / theirs = 0.25" in text


def test_roles_from_a_csv_of_transcripts(tmp_path):
    path = tmp_path / "talk.csv"
    ask, tell = "What do you want, and how would you know you had it? ", "I think I want what I had. I do. "
    path.write_text(
        "transcript_id,interlocutor,utterance_text\n"
        + "".join(f'{i},therapist,"{ask * 3}"\n{i},client,"{tell * 3}"\n' for i in (0, 1))
        + '2,therapist,"I know, I do, I think I said so."\n2,client,"You did, and you know you did."\n'
    )
    counts = evaluate_text_roles(path)
    assert counts == {"sessions": 3, "role_correct": 2, "unsure": 1, "wrong_and_sure": 0}
    assert "2 of 3" in render_text_roles(counts)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(AttuneError, match="columns"):
        evaluate_text_roles(path)
