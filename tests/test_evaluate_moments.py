"""Scores on coded scripts: counted rightly, never with heads that have seen the script's author."""

import json

import numpy as np
import pytest

from pipeline.alliance import heads, train
from pipeline.alliance.scripts import build_script, load_scripts
from pipeline.evaluate import background, moments
from pipeline.evaluate import scripts as held
from pipeline.records import AttuneError, Findings, Moment, Repair
from tests.talk import CALM_SESSION, ORDINARY, QUIET_SESSION, SESSION, WORK
from tests.test_heads import letters

START = len(ORDINARY) + len(WORK)
ROLES = {"t": "therapist", "c": "client"}


def raw(name, lines, kind="", first=START + 1, last=START + 5, prefix=""):
    turns = [
        {"speaker": ROLES[w], "text": prefix + text, "gap": gap[0] if gap else 0.4, "rate": 1.0}
        for w, text, *gap in lines
    ]
    events = []
    if kind:
        rupture = {"id": "r1", "kind": "rupture", "type": kind, "markers": ["minimal response"]}
        repair = {"id": "p1", "kind": "repair", "of": "r1", "strategies": ["acknowledges own contribution"]}
        events = [
            rupture | {"first_turn": first, "last_turn": last},
            repair | {"first_turn": last + 1, "last_turn": last + 3},
        ]
    return {"id": name, "turns": turns, "events": events}


SCRIPT = build_script(raw("p01", SESSION, "confrontation"))
SPAN = (SCRIPT.turns[START + 1].start, SCRIPT.turns[START + 5].end)


def flag(peak, kind="confrontation", repairs=(), start=None):
    return Moment(
        peak - 1.0 if start is None else start, peak + 1.0, peak, kind, "", 0.0, "", (), (), "", tuple(repairs)
    )


def counted(*flags, repairs=(), lures=(), script=SCRIPT):
    return moments.count(script, Findings(tuple(flags), tuple(repairs), ()), lures)


@pytest.mark.parametrize(
    ("peak", "hits", "close"), [(SPAN[0], 1, 1), (SPAN[1] + 9.9, 1, 1), (SPAN[1] + 29.9, 1, 0), (SPAN[1] + 31.0, 0, 0)]
)
def test_a_flag_hits_within_thirty_seconds(peak, hits, close):
    found = counted(flag(peak))
    assert (found.flags, found.hits, found.close, found.ruptures) == (1, hits, close, 1)


def test_one_rupture_is_hit_once_and_by_its_own_family_first():
    found = counted(flag(SPAN[0], "withdrawal"), flag(SPAN[0] + 1))
    assert (found.flags, found.hits, found.family) == (2, 1, 0)
    assert found.rates["precision_at_5"] == 0.5
    assert counted(flag(SPAN[0])).family == 1


def test_only_five_flags_count_and_no_audit_clip():
    from dataclasses import replace

    assert counted(*[flag(10.0 * k) for k in range(9)]).flags == 5
    assert counted(replace(flag(SPAN[0]), audit=True)).flags == 0


def test_flags_in_a_calm_session_are_counted_apart():
    calm = build_script(raw("p02", CALM_SESSION))
    found = counted(flag(20.0), flag(60.0), script=calm) + counted(script=calm)
    assert found.rates["flags_without_rupture"] == 1.0
    assert found.rates["most_flags_without_rupture"] == 2


def test_the_onset_is_measured_from_the_therapists_turn_before():
    lead = SCRIPT.turns[START].start
    assert counted(flag(SPAN[0], start=lead + 4.0)).rates["onset_error_s"] == 4.0


def repair_at(first, last, kind="exploratory"):
    return Repair(SCRIPT.turns[first].start, SCRIPT.turns[last].end, ("rs_x",), kind, "cannot tell", "")


def test_repairs_are_found_typed_and_linked():
    answer = repair_at(START + 6, START + 6)
    linked = counted(flag(SPAN[0], repairs=[answer]), repairs=[answer])
    assert (linked.repairs, linked.found, linked.linkable, linked.linked, linked.typed) == (1, 1, 1, 1, 1)
    loose = counted(flag(SPAN[0]), repairs=[repair_at(START + 6, START + 6, "immediate")])
    assert (loose.found, loose.linked, loose.typed) == (1, 0, 0)
    elsewhere = counted(flag(SPAN[0]), repairs=[repair_at(0, 0)])
    assert (elsewhere.found, elsewhere.attempts, elsewhere.attempts_right) == (0, 1, 0)


def test_near_misses_count_only_where_the_flag_is_no_hit():
    assert counted(flag(SCRIPT.turns[3].start + 0.5), lures=[3]).lured == 1
    assert counted(flag(SPAN[0]), lures=[START + 1]).lured == 0


def test_area_under_the_curve():
    assert moments.area([(0, 0.1), (0, 0.2), (1, 0.3)]) == 1.0
    assert moments.area([(0, 0.5), (1, 0.5)]) == 0.5
    assert moments.area([(1, 0.1), (0, 0.2), (1, 0.3), (0, 0.0)]) == 0.75
    assert moments.area([(0, 0.1)]) is None


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A small training set in place of the shipped one: two hands, three sessions each."""
    folder = tmp_path / "known"
    folder.mkdir()
    for author, prefix in (("p", ""), ("q", "so ")):
        rows = [
            raw(f"{author}01", SESSION, "confrontation", prefix=prefix),
            raw(f"{author}02", QUIET_SESSION, "withdrawal", last=START + 7, prefix=prefix),
            raw(f"{author}03", CALM_SESSION, prefix=prefix),
        ]
        for row in rows:
            (folder / f"{row['id']}.json").write_text(json.dumps(row))
    monkeypatch.setattr(held, "SHIPPED", folder)
    return folder


def test_a_script_trained_on_is_known_under_any_name_and_its_author_left_out(known, tmp_path):
    renamed = raw("zz9", SESSION, "confrontation")
    new = raw("new1", [(w, f"quite another {k} line of {w} talk") for k, (w, *_) in enumerate(SESSION)])
    trained_on = load_scripts(known)
    assert held.find_authors([build_script(renamed), build_script(new)], trained_on) == ["p", ""]
    judges = held.Judges([build_script(renamed), build_script(new)], letters)
    fitted = judges.judge(build_script(renamed), "words")
    _, fitted_on = train.prepare_all(trained_on, letters, train.TrainOptions())
    alone = train.Fitting(fitted_on, "words", train.TrainOptions()).heads(without="p")
    with_p = train.fit_heads(fitted_on, "words", train.TrainOptions())
    assert np.allclose(fitted.heads["words"].line["repair"].weight, alone.line["repair"].weight)
    assert not np.allclose(fitted.heads["words"].line["repair"].weight, with_p.line["repair"].weight)
    assert judges.judge(build_script(new), "words") is heads.load_model()
    assert {item.script.author for item in judges.prepared("p")} == {"q"}


def test_without_gates_no_head_reads_a_gated_column():
    variant = "timing+words"
    sets = moments.without_gates(heads.load_model(), variant).heads[variant]
    for family, head in sets.line.items():
        names = train.variant_names(heads.ROLE[family], variant)
        gated = [k for k, name in enumerate(names) if moments.GATED.search(name)]
        assert gated
        assert not head.weight[gated].any()
        assert family not in sets.kinds or not sets.kinds[family].weight[:, gated].any()
        assert head.weight.any()


def test_the_whole_evaluation_runs_beside_simpler_rules_and_prints(known, tmp_path):
    folder = tmp_path / "scored"
    folder.mkdir()
    for name in ("p01", "p03"):
        (folder / f"{name}.json").write_bytes((known / f"{name}.json").read_bytes())
    result = moments.evaluate_moments(folder, ablate=True, embed=letters)
    assert "without the author" in result["judged_by"]
    assert set(result["baselines"]) == set(moments.BASELINES)
    assert set(result["ablations"]) == set(moments.ABLATIONS)
    json.dumps(result)
    text = moments.render_moments(result)
    assert all(name in text for name in moments.BASELINES)
    assert "target" in text


ANNOMI = "transcript_id,mi_quality,interlocutor,timestamp,utterance_text,client_talk_type\n"


def table(tmp_path, *rows):
    path = tmp_path / "talk.csv"
    path.write_text(ANNOMI + "".join(",".join(row) + "\n" for row in rows))
    return path


def test_listening_sounds_inside_a_sentence_do_not_break_it(tmp_path):
    path = table(
        tmp_path,
        ("0", "high", "therapist", "00:00:01", "You said you walked-", "n/a"),
        ("0", "high", "client", "00:00:03", "Mm-hmm.", "neutral"),
        ("0", "high", "therapist", "00:00:04", "-every day.", "n/a"),
        ("0", "high", "client", "00:00:06", "Yeah.", "sustain"),
    )
    (session,) = background.load_background(path)
    assert [(t.role, t.backchannel) for t in session.turns] == [
        ("therapist", False),
        ("client", True),
        ("client", False),
    ]
    assert session.turns[0].text == "You said you walked- every day."
    assert session.sustain == (False, False, True)


@pytest.mark.parametrize(
    ("asked", "said", "listening"),
    [
        ("I walk every day.", "Mm-hmm.", True),
        ("Do you walk every day?", "Mm-hmm.", False),
        ("I walk every day.", "Okay.", False),
        ("I walk every-", "Okay.", True),
    ],
)
def test_mm_hmm_is_listening_unless_it_answers_and_a_word_only_inside_a_sentence(tmp_path, asked, said, listening):
    path = table(
        tmp_path,
        ("0", "high", "client", "00:00:01", asked, "neutral"),
        ("0", "high", "therapist", "00:00:03", said, "n/a"),
        ("0", "high", "client", "00:00:04", "It helps.", "neutral"),
    )
    (session,) = background.load_background(path)
    assert any(turn.backchannel for turn in session.turns) == listening


def test_a_table_of_another_kind_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(AttuneError, match="transcript_id"):
        background.load_background(tmp_path / "x.csv")


def test_a_table_of_one_quality_cannot_tell_low_from_high(tmp_path):
    path = table(tmp_path, ("0", "high", "client", "00:00:01", "I walk.", "change"))
    with pytest.raises(AttuneError, match="low quality"):
        background.evaluate_background(path, embed=letters)
