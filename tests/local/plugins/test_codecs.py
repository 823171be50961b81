"""Values of the wire and of the API, and templates."""

import json

from hypothesis import given
from hypothesis import strategies as st

from local.plugins.aws.blocks import Attributes, Block, Blocks, pascal, same_names, wire_path
from local.plugins.aws.codec import JSON, SET, Choice, JsonItems, Pairs, VersionPrefix, like
from local.plugins.aws.template import fill, mentioned
from local.plugins.aws.types.balancing import Conditions
from local.plugins.aws.types.firewall import Permissions

NAMES = st.text("abc", min_size=1, max_size=3)
SETS = st.lists(NAMES, unique=True, max_size=5)
PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(SETS, st.randoms())
def test_a_set_in_another_order_is_the_same_and_keeps_the_given_one(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert SET.same(values, shuffled)
    assert SET.keep(values, shuffled) == values


@given(SETS, SETS)
def test_a_set_that_differs_keeps_all_that_is_live(given_, live):
    kept = SET.keep(given_, live)
    assert sorted(kept) == sorted(live)
    assert SET.same(given_, live) == (set(given_) == set(live))


@given(PLAIN_JSON)
def test_json_means_the_same_in_any_layout(value):
    one, other = json.dumps(value), json.dumps(value, indent=3, sort_keys=True)
    assert JSON.same(one, other)
    assert JSON.keep(one, other) == one


@given(PLAIN_JSON)
def test_a_value_is_like_itself(value):
    assert like(value, value) == value


def test_only_what_was_given_counts_in_items_to_which_aws_adds():
    given_ = json.dumps([{"name": "a", "environment": [{"name": "B", "value": "1"}, {"name": "A", "value": "2"}]}])
    live = [{"environment": [{"name": "A", "value": "2"}, {"name": "B", "value": "1"}], "name": "a", "cpu": 0}]
    codec = JsonItems()
    assert codec.keep(given_, codec.decode(live)) == given_
    live[0]["environment"][0]["value"] = "3"
    assert codec.keep(given_, codec.decode(live)) != given_


FORWARD = Blocks(pascal("weight", arn="TargetGroupArn"), ordered=False)
HEALTH = Block(pascal("", path="HealthCheckPath", matcher="Matcher.HttpCode"))


def test_structures_are_written_by_their_names_and_read_back():
    wire = {"path": "/", "matcher": "200"}
    api = {"HealthCheckPath": "/", "Matcher": {"HttpCode": "200"}}
    assert HEALTH.encode(wire) == api
    assert HEALTH.decode({**api, "TargetGroupArn": "x"}) == wire


def test_what_aws_adds_to_a_structure_is_no_change_and_what_it_leaves_out_when_off_is_none_either():
    block = Block(same_names("enable rollback other"))
    assert block.keep({"enable": True, "rollback": False}, {"enable": True, "other": 1}) == {
        "enable": True,
        "rollback": False,
    }
    assert block.keep({"enable": True}, {}) == {}


def test_a_list_of_structures_without_order():
    given_ = [{"arn": "b", "weight": 1}, {"arn": "a"}]
    live = [{"arn": "a", "weight": 1}, {"arn": "b", "weight": 1}]
    assert FORWARD.keep(given_, live) == given_
    drifted = [{"arn": "a", "weight": 1}, {"arn": "b", "weight": 9}]
    assert FORWARD.keep(given_, drifted) == [{"arn": "a"}, {"arn": "b", "weight": 9}]


def test_a_listed_structure():
    codec = Block(pascal("secretArn"), listed=True)
    assert codec.decode({"SecretArn": "x"}) == [{"secretArn": "x"}]
    assert codec.encode([{"secretArn": "x"}]) == {"SecretArn": "x"}


def test_unknown_fields_are_named_with_their_place():
    problems = dict(FORWARD.problems([{"arn": "a"}, {"arm": "b"}], "groups"))
    assert problems.keys() == {"groups[1].arm"}


def test_attributes_are_texts():
    codec = Attributes({"enabled": ("stickiness.enabled", bool), "cookieDuration": ("lb_cookie.seconds", int)})
    text = {"stickiness.enabled": "true", "lb_cookie.seconds": "60"}
    assert codec.encode({"enabled": True, "cookieDuration": 60}) == text
    assert codec.decode(text) == {"enabled": True, "cookieDuration": 60}
    assert Attributes({"": ("idle", int)}).encode(60) == {"idle": "60"}


def test_vocabularies_pairs_and_versions():
    choice = Choice({True: "ENABLED", False: "DISABLED"})
    assert choice.decode(choice.encode(True)) is True
    pairs = Pairs("Name", "Value")
    assert pairs.decode(pairs.encode({"a": "b"})) == {"a": "b"}
    assert VersionPrefix().same("16", "16.4")
    assert not VersionPrefix().same("16", "161")


def test_conditions_name_their_kind_for_the_api():
    header = {"httpHeader": {"httpHeaderName": "color", "values": ["blue"]}}
    assert Conditions().encode([header]) == [
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "color", "Values": ["blue"]}}
    ]
    assert Conditions().decode(Conditions().encode([header])) == [header]


def rule(port, *cidrs, **more):
    return {"protocol": "tcp", "fromPort": port, "toPort": port, "cidrBlocks": list(cidrs), **more}


def test_permissions_are_a_set_of_single_ones():
    codec = Permissions()
    assert codec.same([rule(1, "a", "b"), rule(2, "a")], [rule(2, "a"), rule(1, "b"), rule(1, "a")])
    assert not codec.same([rule(1, "a")], [rule(1, "a"), rule(2, "a")])
    assert codec.decode(codec.encode([rule(1, "a", description="d")])) == [rule(1, "a", description="d")]


def test_paths_of_the_api_in_wire_names():
    assert wire_path(HEALTH, "Matcher.HttpCode") == "matcher"
    assert wire_path(FORWARD, "[2].TargetGroupArn") == "[2].arn"


VALUES = {"id": "i", "list": ["a"], "no": None, "empty": ""}


def test_templates():
    scope = VALUES.get
    assert fill("{id}", scope) == "i"
    assert fill("arn:{id}:x", scope) == "arn:i:x"
    assert fill("arn:{no}", scope) is None
    assert fill("{no|id}", scope) == "i"
    assert fill({"Ids": ["{id}"], "Gone": "{no}", "Inner": {"Gone": "{no}"}}, scope) == {"Ids": ["i"]}
    assert fill({"?": "{no}", "A": "x"}, scope) is None
    assert fill({"A": "{list}"}, scope) == {"A": ["a"]}
    assert set(mentioned({"A": ["{+list}", "x{old.id|no}"]})) == {"list", "id", "no"}
