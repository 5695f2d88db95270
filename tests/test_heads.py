"""The trained heads: they learn what is there, add up, and come back from disk as they were."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.alliance import heads, train
from pipeline.alliance.catalogue import load_catalogue
from pipeline.alliance.embed import WIDTH
from pipeline.alliance.features import feature_names
from pipeline.alliance.scripts import author_of, build_script, load_scripts
from pipeline.records import AttuneError
from tests.talk import CALM_SESSION, ORDINARY, QUIET_SESSION, SESSION, SHUTTING_DOWN, WORK, talk

START = len(ORDINARY) + len(WORK)


def letters(texts):
    """A stand-in for the sentence encoder: counts of letter pairs, so that like texts lie near each other."""
    rows = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for a, b in zip(text.lower(), text.lower()[1:], strict=False):
            row[(ord(a) * 31 + ord(b)) % WIDTH] += 1.0
        row /= max(1e-9, float(np.linalg.norm(row)))
    return rows


def script(name, lines, *events):
    roles = {"t": "therapist", "c": "client"}
    rows = [{"speaker": roles[w], "text": text, "gap": gap[0] if gap else 0.4, "rate": 1.0} for w, text, *gap in lines]
    coded = [
        {"id": f"e{k}", "kind": "rupture", "type": kind, "markers": [marker], "first_turn": a, "last_turn": b}
        for k, (kind, marker, a, b) in enumerate(events)
    ]
    repair = {"id": "p", "kind": "repair", "strategies": ["acknowledges own contribution"], "of": "e0"}
    coded += [repair | {"first_turn": START + 4, "last_turn": START + 6}] if events else []
    return build_script({"id": name, "turns": rows, "events": coded})


@pytest.fixture(scope="module")
def scripts():
    complaint = ("confrontation", "complaints about therapist", START + 1, START + 5)
    silence = ("withdrawal", "minimal response", START + 1, START + 7)
    made = []
    for author in "pq":
        made.append(script(f"{author}01", SESSION, complaint))
        made.append(script(f"{author}02", QUIET_SESSION, silence))
        made.append(script(f"{author}03", CALM_SESSION))
    return made


@pytest.fixture(scope="module")
def prepared(scripts):
    return train.prepare_all(scripts, letters, train.TrainOptions())


@pytest.fixture(scope="module")
def model(prepared):
    clean, rough = prepared
    fitted = {v: train.fit_heads(rough, v, train.TrainOptions()) for v in heads.VARIANTS}
    return heads.Model(fitted, train.fit_naming(clean, load_catalogue(), letters, train.TrainOptions()))


@pytest.mark.parametrize("variant", heads.VARIANTS)
def test_turns_inside_a_coded_event_score_above_the_others(prepared, model, variant):
    if variant == "timing":
        pytest.skip("a complaint is no different in length and speed")
    for item in prepared[0]:
        scores = train.score_prepared(item, model.heads[variant], variant)
        for family, found in scores.items():
            inside = item.labels[family] == 1
            if inside.any():
                assert found.course[inside].mean() > found.course[~inside].mean(), (item.script.id, family)


def test_bias_and_contributions_add_up_to_the_log_odds():
    head = heads.Head(-1.0, np.array([1.0, 2.0]), np.array([0.5, -0.25]))
    values = np.array([[3.0, 2.0], [1.0, 6.0]])
    assert head.bias + head.contributions(values).sum(1) == pytest.approx(head.log_odds(values))
    assert head.log_odds(values).tolist() == [0.0, -2.0]


def test_the_model_comes_back_from_disk_and_the_same_training_gives_the_same_bytes(prepared, model, tmp_path):
    heads.save_heads(tmp_path / "a.npz", model.heads, model.naming)
    again = train.fit_heads(prepared[1], "timing+words", train.TrainOptions())
    heads.save_heads(tmp_path / "b.npz", model.heads | {"timing+words": again}, model.naming)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = heads.load_model(tmp_path / "a.npz")
    item = prepared[0][0]
    for variant in heads.VARIANTS:
        before = train.score_prepared(item, model.heads[variant], variant)["withdrawal"].course
        after = train.score_prepared(item, loaded.heads[variant], variant)["withdrawal"].course
        assert after == pytest.approx(before, abs=1e-3)


def test_a_broken_file_of_heads_says_the_way_out(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"no")
    with pytest.raises(AttuneError, match="cannot be read") as caught:
        heads.load_model(tmp_path / "x.npz")
    assert "attune train" in caught.value.mend


def test_the_shipped_heads_fit_the_features_and_their_receipt():
    shipped = heads.load_model()
    for variant, sets in shipped.heads.items():
        for family, head in sets.line.items():
            assert len(head.weight) == len(train.variant_names(heads.ROLE[family], variant))
    receipt = json.loads(heads.SHIPPED.with_suffix(".json").read_text())
    known = load_scripts(train.SCRIPTS)
    assert receipt["data_sha256"] == train.data_hash(known)
    assert receipt["scripts"] == sorted(item.fingerprint for item in known)
    assert set(receipt["left_out_auc"]) == set(heads.FAMILIES)


@pytest.mark.parametrize(
    ("look", "variant"),
    [
        ((True, True, True), "timing+words+meaning"),
        ((True, False, True), "timing"),
        ((False, True, False), "words"),
        ((False, False, True), ""),
    ],
)
def test_what_may_be_looked_at_picks_the_heads(look, variant):
    assert heads.variant_of(*look) == variant


def test_feature_names_are_distinct_and_as_many_as_the_values(prepared):
    for role in ("client", "therapist"):
        names = feature_names(role, WIDTH)
        assert len(set(names)) == len(names) == prepared[0][0].features[role].values.shape[1]


def test_a_short_turn_after_a_statement_is_a_receipt_and_after_a_question_an_answer():
    turns = talk(
        ("t", "So the week is one thing and the weekend another."),
        ("c", "Yeah."),
        ("t", "And how was the weekend for you?"),
        ("c", "Fine."),
        ("t", "That took courage."),
        ("c", "It did, because I had never said no to him before."),
    )
    rows = heads.measure_both(turns, train.timing.measure_course(turns), None)["client"]
    column = feature_names("client", 0).index("words:receipt")
    assert rows.values[:, column].tolist() == [1.0, 0.0, 0.0]


def test_backchannels_have_no_row():
    turns = talk(*CALM_SESSION)
    turns[3] = replace(turns[3], backchannel=True)
    rows = heads.measure_both(turns, train.timing.measure_course(turns), None)
    assert 3 not in rows["client"].turns
    assert len(rows["client"].turns) == sum(t.role == "client" for t in turns) - 1


def test_a_rough_copy_keeps_turns_roles_and_events(scripts):
    options = train.TrainOptions()
    rough = train.roughen(scripts[0], options)
    assert [t.role for t in rough.turns] == [t.role for t in scripts[0].turns]
    assert rough.events == scripts[0].events
    assert rough == train.roughen(scripts[0], options)
    assert any(a.text != b.text for a, b in zip(rough.turns, scripts[0].turns, strict=True))


@pytest.mark.parametrize(
    ("name", "author"), [("a01", "a"), ("d01", "d0"), ("d21", "d2"), ("k07", "k"), ("mine", "mine")]
)
def test_authors_are_read_from_names(name, author):
    assert author_of(name) == author


def test_a_loose_copy_gains_listening_sounds_and_its_events_keep_their_lines(scripts):
    options = train.TrainOptions(fillers=0.0, listening=1.0)
    loose = train.loosen(scripts[0], options)
    assert len(loose.turns) > len(scripts[0].turns)
    for before, after in zip(scripts[0].events, loose.events, strict=True):
        role = scripts[0].turns[before.first].role
        said = [t.text for t in loose.turns[after.first : after.last + 1] if t.role == role]
        assert scripts[0].turns[before.first].text.startswith(said[0])
        assert scripts[0].turns[before.last].text.endswith(loose.turns[after.last].text)
    starts = [t.start for t in loose.turns]
    assert starts == sorted(starts)


def test_times_of_a_script_are_made_from_its_delivery():
    made = build_script(
        {
            "id": "z01",
            "turns": [
                {"speaker": "therapist", "text": "one two three", "gap": -3.0, "rate": 1.0},
                {"speaker": "client", "text": "one", "gap": 0.5, "rate": 2.0},
            ],
        }
    )
    first, second = made.turns
    assert (first.start, first.end) == (0.0, pytest.approx(3 / 2.7, abs=1e-3))
    assert second.start == pytest.approx(first.end + 0.5, abs=1e-3)
    assert second.end - second.start == pytest.approx(0.35, abs=1e-3)


@pytest.mark.parametrize(
    "rows", [{"id": "x"}, {"id": "x", "turns": [{"speaker": "nurse", "text": "a", "gap": 0, "rate": 1}]}]
)
def test_a_wrong_script_is_named_and_explained(rows, tmp_path):
    (tmp_path / "x.json").write_text(json.dumps(rows))
    with pytest.raises(AttuneError, match=r"x\.json"):
        load_scripts(tmp_path)


def test_a_folder_without_scripts_is_an_error(tmp_path):
    with pytest.raises(AttuneError, match="no coded scripts"):
        load_scripts(tmp_path)


def test_a_session_is_moved_half_way_to_the_usual_median():
    line = np.linspace(-3.0, -1.0, 21)
    assert np.median(heads.against_usual(line)) == pytest.approx(-3.0)
    few = np.array([1.0, 2.0])
    assert heads.against_usual(few) is few


def test_a_turn_resembles_the_marker_that_it_was_coded_with(prepared, model):
    kinds = model.heads["timing+words+meaning"].kinds
    quiet = next(item for item in prepared[0] if item.labels["withdrawal"].any())
    inside = quiet.labels["withdrawal"] == 1
    scores = kinds["withdrawal"].scores(quiet.features["client"].values)
    means = dict(zip(kinds["withdrawal"].ids, scores[inside].mean(0), strict=True))
    assert max(means, key=means.get) == "wd_minimal_response"
    assert means["wd_minimal_response"] > scores[~inside].mean(0).max() + 0.2
    assert means["wd_denial"] == pytest.approx(0.0, abs=1e-6), "no script here holds a denial"


def test_a_session_that_resembles_a_marker_all_along_is_lowered_to_the_usual_and_none_is_raised():
    kinds = heads.Kinds(("x",), np.zeros(1), np.zeros(1), np.ones((1, 1)), np.array([0.1]))
    high, low = np.linspace(0.4, 0.8, 11)[:, None], np.linspace(-0.4, 0.0, 11)[:, None]
    assert np.median(kinds.scores(high)) == pytest.approx(0.1)
    assert kinds.scores(high)[-1] - kinds.scores(high)[0] == pytest.approx(0.4)
    assert (kinds.scores(low) == low).all()
    assert (kinds.scores(high[:3]) == high[:3]).all(), "too few turns for a usual"


def test_the_course_reads_the_kinds_of_a_turn_and_the_stronger_beside_it():
    turns = talk(*QUIET_SESSION)
    client = np.array([i for i, t in enumerate(turns) if t.role == "client"])
    where = dict.fromkeys(heads.FAMILIES, client)
    line = {f: np.zeros(len(client)) for f in heads.FAMILIES}
    kinds = np.zeros((len(client), 2))
    kinds[3, 1] = 0.5
    plain = heads.course_rows(turns, where, line, {}, "withdrawal")
    rows = heads.course_rows(turns, where, line, {"withdrawal": kinds}, "withdrawal")
    added = rows[:, plain.shape[1] :]
    assert added[3].tolist() == [0.0, 5.0, 0.0, 0.0, 5.0, 5.0]
    assert added[2].tolist() == added[4].tolist() == [0.0, 0.0, 0.0, 5.0, 0.0, 5.0]
    assert not added[6].any()


def test_line_heads_are_a_ridge_regression_on_the_authors_kept(prepared):
    """The same as solved here from the rows themselves, standardised over all authors."""
    rough, options = prepared[1], train.TrainOptions()
    left = train.Fitting(rough, "timing", options).heads(without="p").line["withdrawal"]
    cut = [train._cut(item, "timing") for item in rough]
    values = np.concatenate([item.features["client"].values for item in cut]).astype(float)
    kept = [item for item in cut if item.script.author != "p"]
    rest = np.concatenate([item.features["client"].values for item in kept]).astype(float)
    y = np.concatenate([item.labels["withdrawal"] for item in kept])
    mean, scale = values.mean(0), np.maximum(values.std(0), 0.01)
    x = np.column_stack([(rest - mean) / scale, np.ones(len(rest))])
    penalty = np.diag([options.ridge_named * len(x)] * (x.shape[1] - 1) + [0.0])
    weight = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    alone = train.LINE_SPREAD * (x @ weight) + heads.USUAL
    assert left.log_odds(rest) == pytest.approx(alone, abs=1e-3)


def test_what_an_author_left_out_coded_is_never_read(prepared):
    def coded_anew(item):
        if item.script.author != "p":
            return item
        events = tuple(replace(event, kind="withdrawal", labels=()) for event in item.script.events)
        labels = {family: 1 - label for family, label in item.labels.items()}
        return replace(item, script=replace(item.script, events=events), labels=labels)

    rough, options = prepared[1], train.TrainOptions()
    left, same = (
        train.Fitting(items, "timing+words", options).heads(without="p")
        for items in (rough, [coded_anew(item) for item in rough])
    )
    for family in heads.FAMILIES:
        assert np.array_equal(left.line[family].weight, same.line[family].weight)
        assert np.array_equal(left.course[family].weight, same.course[family].weight)


def test_the_course_reads_the_neighbours_and_the_repair_that_follows():
    turns = talk(*QUIET_SESSION)
    client = np.array([i for i, t in enumerate(turns) if t.role == "client"])
    therapist = np.array([i for i, t in enumerate(turns) if t.role == "therapist"])
    where = {"withdrawal": client, "confrontation": client, "repair": therapist}
    line = {f: np.zeros(len(where[f])) for f in heads.FAMILIES}
    line["repair"][-1] = 5.0
    rows = heads.course_rows(turns, where, line, {}, "withdrawal")
    after = 3 * (2 * heads.REACH + 1)
    assert rows.shape == (len(client), after + 6)
    assert rows[0, after] == 0.0
    assert rows[-2, after] == 5.0
    assert rows[0, after + 1] == 0.0
    assert len(SHUTTING_DOWN) > 0
