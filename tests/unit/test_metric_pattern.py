"""Filter patterns for JSON events, against the examples and rules of the CloudWatch Logs user guide."""

from __future__ import annotations

from typing import Any

import pytest

from pci_config.metric_pattern import MAX_CHARACTERS, MAX_DEPTH, PatternError, matches, parse

EVENT: dict[str, Any] = {
    "eventName": "DeleteRoute",
    "eventSource": "ec2.amazonaws.com",
    "sourceIPAddress": "192.0.2.7",
    "names": ["first", "second"],
    "objects": [{"id": 1}, {"id": 2, "name": "b"}],
    "grid": [[0, 1, 2], [4, 5, 6]],
    "nothing": None,
    "yes": True,
    "no": False,
    "latency": 55.5,
    "count": 400,
    "negative": -3,
    "zero": 0,
    "text number": "400",
    "digits": "400",
    "empty": "",
    "star": "Ev*ent",
    "quote": 'say "hi"',
    "backslash": "a\\b",
    "dashed-name": {"under_score": "x"},
    "user": {"type": "Root", "id": 1},
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        # equality of text, quoted or not
        ("{ $.eventName = DeleteRoute }", True),
        ('{ $.eventName = "DeleteRoute" }', True),
        ("{$.eventName=DeleteRoute}", True),
        ('{\n  $.eventName   =\t"DeleteRoute"\n}', True),
        (" { $.eventName = DeleteRoute } ", True),
        ("{ $.eventName = CreateRoute }", False),
        ("{ $.eventName = deleteroute }", False),
        ("{ $.eventname = DeleteRoute }", False),
        ("{ $.eventName = DeleteRout }", False),
        ("{ $.eventName = DeleteRouteTable }", False),
        ("{ $.eventName = eleteRoute }", False),
        ("{ $.eventSource = ec2.amazonaws.com }", True),
        ('{ $.empty = "" }', True),
        ('{ $.quote = "say \\"hi\\"" }', True),
        ('{ $.backslash = "a\\\\b" }', True),
        # inequality
        ("{ $.eventName != DeleteRoute }", False),
        ("{ $.eventName != CreateRoute }", True),
        ("{ $.missing != DeleteRoute }", False),
        ("{ $.nothing != DeleteRoute }", False),
        ("{ $.yes != DeleteRoute }", False),
        ("{ $.user != DeleteRoute }", False),
        ("{ $.names != first }", False),
        ("{ $.names = first }", False),
        ("{ $.missing = * }", False),
        # wildcards at the ends only
        ("{ $.eventName = Delete* }", True),
        ('{ $.eventName = "Delete*" }', True),
        ("{ $.eventName = *Route }", True),
        ("{ $.eventName = *eteRo* }", True),
        ("{ $.eventName = *eteRo }", False),
        ("{ $.eventName = eteRo* }", False),
        ("{ $.eventName = Del*Route }", False),
        ("{ $.star = Ev*ent }", True),
        ("{ $.eventName = * }", True),
        ("{ $.eventName = DeleteRoute* }", True),
        ("{ $.eventName != Create* }", True),
        ("{ $.eventName != Delete* }", False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress = 192.0.* }", True),
        ("{ $.count = * }", True),
        ("{ $.user = * }", False),
        # members, lists
        ("{ $.names[0] = first }", True),
        ("{ $.names[1] = first }", False),
        ("{ $.names[2] = first }", False),
        ("{ $.objects[1].id = 2 }", True),
        ("{ $.objects[0].name = b }", False),
        ("{ $.eventName[0] = D }", False),
        ("{ $.grid[1][0] = 4 }", True),
        ("{ $.dashed-name.under_score = x }", True),
        ('{ $.["text number"] = "400" }', True),
        ('{ $["user"]["type"] = Root }', True),
        ('{ $["user"].type = Root }', True),
        ("{ $.user.type.more = Root }", False),
        # numbers
        ("{ $.count = 400 }", True),
        ("{ $.count = 400.0 }", True),
        ("{ $.count = 4e2 }", True),
        ("{ $.count = +400 }", True),
        ("{ $.count = 401 }", False),
        ("{ $.count != 400 }", False),
        ("{ $.count != 500 }", True),
        ("{ $.count > 399 }", True),
        ("{ $.count > 400 }", False),
        ("{ $.count >= 400 }", True),
        ("{ $.count >= 401 }", False),
        ("{ $.count < 401 }", True),
        ("{ $.count < 400 }", False),
        ("{ $.count <= 400 }", True),
        ("{ $.count <= 399.9 }", False),
        ("{ $.latency <= 55.5 }", True),
        ("{ $.latency > .5 }", True),
        ("{ $.negative < 0 }", True),
        ("{ $.negative = -3 }", True),
        ("{ $.zero = 0 }", True),
        ("{ $.digits = 400 }", True),
        ("{ $.digits = 0400 }", False),
        ("{ $.digits != 400 }", False),
        ("{ $.digits > 1 }", False),
        ("{ $.eventName < 1 }", False),
        ("{ $.eventName != 1 }", True),
        ('{ $.count = "400" }', True),
        ("{ $.count = 40* }", True),
        ("{ $.no = 0 }", False),
        ("{ $.yes = 1 }", False),
        ("{ $.missing < 1 }", False),
        ("{ $.missing != 1 }", False),
        # constants
        ("{ $.nothing IS NULL }", True),
        ("{ $.missing IS NULL }", False),
        ("{ $.no IS NULL }", False),
        ("{ $.yes IS TRUE }", True),
        ("{ $.no IS TRUE }", False),
        ("{ $.count IS TRUE }", False),
        ("{ $.no IS FALSE }", True),
        ("{ $.zero IS FALSE }", False),
        ("{ $.nothing IS FALSE }", False),
        # presence
        ("{ $.missing NOT EXISTS }", True),
        ("{ $.user.missing NOT EXISTS }", True),
        ("{ $.eventName NOT EXISTS }", False),
        ("{ $.nothing NOT EXISTS }", False),
        ("{ $.user NOT EXISTS }", False),
        ("{ $.user EXISTS }", True),
        ("{ $.nothing EXISTS }", True),
        ("{ $.missing EXISTS }", False),
        # regular expressions, found anywhere
        ("{ $.eventName = %Route% }", True),
        ("{ $.eventName = %^Route% }", False),
        ("{ $.eventName = %^Delete.*e$% }", True),
        ("{ $.eventName = %^Create|^Delete% }", True),
        ("{ $.eventName != %Route% }", False),
        ("{ $.eventName != %Vpc% }", True),
        ("{ $.missing != %Vpc% }", False),
        ("{ $.sourceIPAddress = %^192\\.0\\.[0-9]{1,3}% }", True),
        ("{ $.sourceIPAddress = %\\d+% }", True),
        ("{ $.count = %^4% }", True),
        # && before ||, parentheses before both
        ("{ $.eventName = A && $.eventName = B || $.eventName = DeleteRoute }", True),
        ("{ $.eventName = DeleteRoute || $.eventName = B && $.eventName = A }", True),
        ("{ ($.eventName = DeleteRoute || $.eventName = B) && $.eventName = A }", False),
        ("{ $.eventName = A && ($.eventName = B || $.eventName = DeleteRoute) }", False),
        ("{ ((($.eventName = DeleteRoute))) }", True),
        ("{($.eventName=A)||($.eventName=DeleteRoute)||($.eventName=B)}", True),
        ("{ $.eventName = DeleteRoute && $.eventSource = ec2.amazonaws.com && $.yes IS TRUE }", True),
        ("{ $.eventName = DeleteRoute && $.eventSource = s3.amazonaws.com && $.yes IS TRUE }", False),
        ('{ $.user.type = "Root" && $.user.invokedBy NOT EXISTS && $.eventType != "AwsServiceEvent" }', False),
        ('{ $.user.type = "Root" && $.user.invokedBy NOT EXISTS && $.eventName != "AwsServiceEvent" }', True),
        ('{ $.eventName = "A && B" || $.eventName = "DeleteRoute" }', True),
        ('{ $.eventName = "}" || $.eventName = DeleteRoute }', True),
    ],
)
def test_what_a_pattern_matches(pattern: str, expected: bool) -> None:
    assert matches(pattern, EVENT) is expected


@pytest.mark.parametrize(
    ("pattern", "message", "position"),
    [
        ("", "enclosed in { }", 0),
        ("ERROR", "enclosed in { }", 0),
        ("[ip, user]", "enclosed in { }", 0),
        ("{", "enclosed in { }", 0),
        ("{ $.a = b", "enclosed in { }", 0),
        ("$.a = b }", "enclosed in { }", 0),
        ("{}", "expected selector, found 'end of the pattern'", 1),
        ("{ }", "expected selector", 2),
        ("{ eventName = b }", "expected selector, found 'eventName'", 2),
        ("{ $.a }", "expected = or !=", 6),
        ("{ $.a = }", "expected a string, number or %regex%", 8),
        ("{ $.a == b }", "expected a string, number or %regex%, found '='", 7),
        ("{ $.a = b c }", "unexpected 'c'", 10),
        ("{ $.a = b $.c = d }", "unexpected '$.c'", 10),
        ("{ $.a = b && }", "expected selector", 13),
        ("{ $.a = b || || $.a = c }", "expected (, found '||'", 13),
        ("{ && $.a = b }", "expected (, found '&&'", 2),
        ("{ ($.a = b }", "expected ), found 'end of the pattern'", 11),
        ("{ $.a = b) }", "unexpected ')'", 9),
        ("{ () }", "expected (, found ')'", 3),
        ("{ $.a = (b) }", "found '('", 8),
        ("{ !($.a = b) }", "cannot read '!($.a = b) '", 2),
        ("{ $.a & $.b }", "cannot read '& $.b '", 6),
        ("{ $.a = 'b' }", "cannot read", 8),
        ('{ $.a = "b }', "cannot read", 8),
        ('{ $.a = "b\\n" }', "cannot read", 8),
        ("{ $.a = %b }", "cannot read", 8),
        ("{ $.a = %% }", "cannot read", 8),
        ("{ $.a = %(b)% }", "a character that CloudWatch Logs does not take", 9),
        ("{ $.a = %b!% }", "a character that CloudWatch Logs does not take", 9),
        ("{ $.a = %[b% }", "regex", 9),
        ("{ $.a = %*b% }", "regex", 9),
        ("{ $.a = %[[a]% }", "regex", 9),
        ("{ $.a < b }", "< needs a number, found 'b'", 8),
        ('{ $.a >= "1" }', ">= needs a number", 10),
        ("{ $.a > %1% }", "> needs a number", 9),
        ("{ $.a = 1e99999999999999999999 }", "out of range", 8),
        ("{ $.a IS }", "expected NULL or TRUE or FALSE", 9),
        ("{ $.a IS true }", "expected NULL or TRUE or FALSE, found 'true'", 9),
        ("{ $.a IS NOT NULL }", "expected NULL or TRUE or FALSE, found 'NOT'", 9),
        ("{ $.a NOT }", "expected EXISTS", 10),
        ("{ $.a exists }", "expected IS or NOT or EXISTS, found 'exists'", 6),
        ("{ $. = b }", "cannot read", 2),
        ("{ $.a[x] = b }", "cannot read", 5),
        ("{ $.a.* = b }", "expected IS or NOT or EXISTS, found '.*'", 5),
        ("{ $ = b }", "cannot read", 2),
    ],
)
def test_what_is_no_pattern_is_refused_with_its_place(pattern: str, message: str, position: int) -> None:
    with pytest.raises(PatternError) as refused:
        parse(pattern)
    assert message in str(refused.value)
    assert str(refused.value).endswith(f" at position {refused.value.position}")
    assert refused.value.position == position


def test_the_limits() -> None:
    longest = "{ $.eventName = " + "x" * (MAX_CHARACTERS - 18) + " }"
    assert len(longest) == MAX_CHARACTERS
    assert not matches(longest, EVENT)
    with pytest.raises(PatternError, match="more than 1024 characters"):
        parse(longest[:-1] + " }")
    deepest = "{" + "(" * MAX_DEPTH + "$.count=400" + ")" * MAX_DEPTH + "}"
    assert matches(deepest, EVENT)
    with pytest.raises(PatternError, match="too many nested parentheses"):
        parse("{(" + deepest[1:-1] + ")}")
    side_by_side = "{" + "||".join(["($.count=1)"] * 70 + ["($.count=400)"]) + "}"
    assert matches(side_by_side, EVENT)


def test_numbers_that_are_none_match_nothing() -> None:
    for value in (float("nan"), float("inf")):
        assert not matches("{ $.a != 1 }", {"a": value})
        assert not matches("{ $.a = * }", {"a": value})


@pytest.mark.parametrize(
    "pattern",
    [
        "{ ($.eventName = CreateRoute) || ($.eventName = DeleteRoute) }",
        '{($.eventName="DeleteRoute")||($.eventName="CreateRoute")}',
        "{ $.eventName = CreateRoute || $.eventName = DeleteRoute }",
        '{ ($.eventSource = ec2.amazonaws.com) && (($.eventName = "DeleteRoute") || ($.eventName = "CreateRoute")) }',
        "{ $.eventName = %^CreateRoute$|^DeleteRoute$% }",
    ],
)
def test_patterns_that_differ_only_in_their_text_match_the_same_events(pattern: str) -> None:
    seen = [
        name
        for name in ("CreateRoute", "DeleteRoute", "ReplaceRoute", "CreateRouteTable")
        if matches(pattern, EVENT | {"eventName": name})
    ]
    assert seen == ["CreateRoute", "DeleteRoute"]
