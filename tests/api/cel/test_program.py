"""Expressions and their values, as the CEL specification and Kubernetes' documentation of its libraries state them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kubelite.api.cel.cost import estimate
from kubelite.api.cel.errors import CompileError
from kubelite.api.cel.program import Outcome, compile_expression
from kubelite.api.cel.types import DYN, INT, STRING, list_of, map_of, object_type
from kubelite.api.cel.values import Duration, Timestamp

#: What the expressions below may refer to.
VALUES: dict[str, Any] = {
    "self": {"name": "web", "replicas": 3, "tags": ["a", "b"], "labels": {"app": "x"}, "nothing": None},
    "numbers": [3, 1, 2],
    "text": "kubernetes",
}
TYPES = dict.fromkeys(VALUES, DYN)


def evaluate(source: str, **values: Any) -> Outcome:
    given = {**VALUES, **values}
    return compile_expression(source, {**TYPES, **dict.fromkeys(values, DYN)}).evaluate(given)


TRUE = """
1 + 2 * 3 - 4 / 2 == 5
7 % 3 == 1 && -7 % 3 == -1 && -7 / 2 == -3
1 == 1 && dyn(1) == 1.0 && dyn(1u) == 1 && dyn("1") != 1
1 < 2 && dyn(1) < 1.5 && 2u > 1u && "a" < "b" && false < true
0x10 == 16 && 1e3 == 1000.0 && -9223372036854775808 < 0
'a' + "b" == '''ab''' && r'\\d' == '\\\\d' && b'\\x41' == b'A' && '\\u00e9' == 'é'
self.name == 'web' && self['name'] == 'web' && self.labels.app == 'x'
has(self.name) && !has(self.missing) && has(self.nothing)
'a' in self.tags && 'app' in self.labels && !('b' in self.labels)
size('héllo') == 5 && 'abc'.size() == 3 && size(b'é') == 2 && [1, 2].size() == 2 && {'a': 1}.size() == 1
true || 1 / 0 > 0
1 / 0 > 0 || true
!(false && 1 / 0 > 0) && !(1 / 0 > 0 && false)
(self.replicas > 2 ? 'many' : 'few') == 'many'
numbers.all(n, n > 0) && numbers.exists(n, n == 2) && numbers.exists_one(n, n == 3) && !numbers.exists_one(n, n > 1)
numbers.exists(n, 1 / (n - 3) < 0 || n == 2)
numbers.map(n, n * 2) == [6, 2, 4] && numbers.map(n, n > 1, n) == [3, 2] && numbers.filter(n, n > 1) == [3, 2]
self.labels.all(k, k == 'app') && {'a': 1, 'b': 2}.map(k, k) == ['a', 'b']
numbers.all(i, n, i < 3 && n > 0) && numbers.transformList(i, n, i + n) == [3, 2, 4]
{'a': 1}.transformMap(k, v, k + string(v)) == {'a': 'a1'} && [1].transformMapEntry(i, v, {v: i}) == {1: 0}
self.?name.orValue('x') == 'web' && self.?missing.orValue('x') == 'x' && self.?missing.?deeper == optional.none()
self[?'name'].hasValue() && numbers[?7].or(optional.of(9)).value() == 9 && !optional.ofNonZeroValue('').hasValue()
[1, ?optional.none(), 2] == [1, 2] && {?'a': self.?missing} == {} && self.?name.optMap(n, n + '!').value() == 'web!'
int('42') == 42 && int(3.9) == 3 && int(-3.9) == -3 && uint(3) == 3u && double('1.5') == 1.5
string(1) == '1' && string(1.5) == '1.5' && string(true) == 'true' && string(b'abc') == 'abc' && bytes('é') == b'é'
bool('true') && type(1) == int && type(1u) == uint && type('') == string && type([]) == list && type(null) == null_type
duration('1h30m').getMinutes() == 90 && duration('1.5s') == duration('1500ms') && string(duration('90s')) == '90s'
timestamp('2023-01-31T10:20:30.5Z').getMonth() == 0 && timestamp('2023-01-31T10:20:30Z').getDate() == 31
timestamp('2023-01-31T10:20:30Z').getDayOfWeek() == 2 && timestamp('2023-01-31T23:00:00Z').getHours('+02:00') == 1
timestamp('2023-01-31T10:20:30Z') - timestamp('2023-01-31T10:20:00Z') == duration('30s')
timestamp('2023-01-31T10:20:30Z') + duration('1h') > timestamp('2023-01-31T10:20:30Z')
'2024-02-29T00:00:00Z' == string(timestamp('2024-02-29T00:00:00Z')) && int(timestamp('1970-01-01T00:01:00Z')) == 60
text.startsWith('kube') && text.endsWith('netes') && text.contains('ern') && text.matches('^[a-z]+$')
!'a\\nb'.matches('^b') && 'a\\nb'.matches('(?m)^b') && matches('abc', 'b')
'tacocat'.charAt(3) == 'o' && 'hello mellow'.indexOf('ello', 2) == 7 && 'hello mellow'.lastIndexOf('ello') == 7
['hello', 'mellow'].join(' ') == 'hello mellow'
'TacoCÆt'.lowerAscii() == 'tacocÆt' && 'TacoCÆt'.upperAscii() == 'TACOCÆT'
'hello hello'.replace('he', 'we', 1) == 'wello hello'
'a b c'.split(' ') == ['a', 'b', 'c'] && 'a b c'.split(' ', 2) == ['a', 'b c']
'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco' && '  \\ttrim\\n '.trim() == 'trim'
'%s is %d, %.2f, %x, %b'.format([dyn('a'), dyn(5), dyn(1.125), dyn(255), dyn(5)]) == 'a is 5, 1.12, ff, 101'
[1, 2, 2, 3].isSorted() && !['b', 'a'].isSorted() && [1, 3].sum() == 4 && [0.5, 1.0].sum() == 1.5 && [].sum() == 0
[1, 3].min() == 1 && ['a', 'b'].max() == 'b'
[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1].indexOf(9) == -1
'abc 123'.find('[0-9]+') == '123'
'123 abc 456'.findAll('[0-9]+') == ['123', '456'] && '123 abc 456'.findAll('[0-9]+', 1) == ['123']
[dyn('1s')].map(d, duration(d)).filter(d, false).sum() == duration('0') && '%d %s'.format([1, 'a']) == '1 a'
'%.3e'.format([0.001052]) == '1.052×10⁻⁰³' && !optional.ofNonZeroValue(duration('0')).hasValue()
string(timestamp('2011-08-18T19:03:37.01+01:00')) == '2011-08-18T19:03:37.01+01:00'
timestamp('2011-08-18T19:03:37+01:00') == timestamp('2011-08-18T18:03:37Z')
sets.contains([1, 2], [2]) && sets.equivalent([1, 1, 2], [2, 1])
sets.intersects([1], [1, 2]) && !sets.intersects([], [1])
url('https://example.com:80/path?k=1&k=2').getHost() == 'example.com:80'
isURL('/absolute-path') && !isURL('../relative')
url('https://[::1]:80/').getHostname() == '::1'
url('https://example.com:80/').getPort() == '80' && url('/p?k=a').getQuery()['k'] == ['a']
url('https://example.com/with space/').getEscapedPath() == '/with%20space/'
url('https://e.com/').getScheme() == 'https'
isQuantity('1.3G') && !isQuantity('1.3GG') && quantity('50k').asInteger() == 50000 && !quantity('1.5').isInteger()
quantity('200M').compareTo(quantity('0.2G')) == 0
quantity('50M').isLessThan(quantity('50Mi')) && quantity('-5').sign() == -1
quantity('50k').add(quantity('20k')) == quantity('70k')
quantity('50k').sub(20000) == quantity('30k')
ip('192.168.0.1').family() == 4 && isIP('::1')
!isIP('1.2.3') && ip('127.0.0.1').isLoopback() && ip.isCanonical('::1')
!ip.isCanonical('0:0::1') && ip('224.0.0.1').isLinkLocalMulticast()
ip('fe80::1').isLinkLocalUnicast() && ip('10.0.0.1').isGlobalUnicast()
cidr('192.168.0.0/24').containsIP('192.168.0.9')
cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16')) && !isCIDR('10.0.0.0/33')
cidr('192.168.1.5/24').masked() == cidr('192.168.1.0/24')
cidr('::1/128').prefixLength() == 128 && string(cidr('10.0.0.1/8').ip()) == '10.0.0.1'
!format.dns1123Label().validate('my-label').hasValue() && format.named('dns1123Label').value().validate('A').hasValue()
semver('1.2.3').minor() == 2 && isSemver('1.0.0-alpha') && !isSemver('v1.0') && isSemver('v1.0', true)
semver('1.2.3').isGreaterThan(semver('1.2.3-rc.1')) && semver('1.0.0-alpha.2').isLessThan(semver('1.0.0-alpha.10'))
""".strip().splitlines()


@pytest.mark.parametrize("source", TRUE)
def test_is_true(source: str) -> None:
    assert evaluate(source) == Outcome(value=True, cost=evaluate(source).cost)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("self.missing", "no such key: missing"),
        ("self['missing']", "no such key: missing"),
        ("numbers[3]", "index out of bounds: 3"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("0u - 1u", "unsigned integer overflow"),
        ("int(1e99)", "integer overflow"),
        ("dyn(1) + 'a'", "no such overload"),
        ("self.name.replicas", "no such overload"),
        ("optional.none().value()", "optional.none() dereference"),
        ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
        ("[].max()", "max called on empty list"),
        ("text.matches(dyn('('))", "error parsing regexp: missing closing ): `(`"),
        ("{'a': 1, 'a': 2}", "Failed with repeated key: a"),
        ("numbers.all(n, n / 0 == 1)", "division by zero"),
    ],
)
def test_fails_when_evaluated(source: str, error: str) -> None:
    assert evaluate(source).error == error


SELF = object_type("self", {"size": ("size", INT), "a__dot__b": ("a.b", STRING), "tags": ("tags", list_of(STRING))})


@pytest.mark.parametrize(
    ("source", "where", "problem"),
    [
        ("self.size ==", 13, "Syntax error: mismatched input '<EOF>' expecting {'[', '{',"),
        ("self.size = 1", 11, "Syntax error: token recognition error at: '='"),
        ("self.true == 1", 6, "Syntax error: mismatched input 'true' expecting IDENTIFIER"),
        ("duration('1d') > duration('1h')", 10, "invalid duration argument"),
        ("timestamp('x') == timestamp(0)", 11, "invalid timestamp argument"),
        ("'x'.matches(')')", 13, "invalid matches argument"),
        ("['a'].sum() == 'a'", 10, "found no matching overload for 'sum' applied to 'list(string).()'"),
        ("self.size 1", 11, "Syntax error: extraneous input '1' expecting <EOF>"),
        ("if > 1", 1, "reserved identifier: if"),
        ("other > 1", 1, "undeclared reference to 'other' (in container '')"),
        ("self.sise > 1", 5, "undefined field 'sise'"),
        ("self.size.x > 1", 10, "type 'int' does not support field selection"),
        ("sise(self)", 5, "undeclared reference to 'sise' (in container '')"),
        ("self.size + 'a'", 11, "found no matching overload for '_+_' applied to '(int, string)'"),
        ("self.size == '1'", 11, "found no matching overload for '_==_' applied to '(int, string)'"),
        (
            "self.tags.startsWith('a')",
            21,
            "found no matching overload for 'startsWith' applied to 'list(string).(string)'",
        ),
        ("self.size.all(x, true)", 5, "expression of type 'int' cannot be range of a comprehension"),
        ("self.tags.all(x, x)", 18, "expected type 'bool' but found 'string'"),
        ("[1, 'a']", 5, "expected type 'int' but found 'string'"),
        ("has(self)", 5, "invalid argument to has() macro"),
        ("self.tags.map(1, 2)", 15, "argument is not an identifier"),
        ("Foo{a: 1}", 4, "undeclared reference to 'Foo' (in container '')"),
        ("(" * 100 + "1" + ")" * 100, 61, "expression recursion limit exceeded: 250"),
        ("1" + "+1" * 300, 1, "expression recursion limit exceeded: 250"),
    ],
)
def test_does_not_compile(source: str, where: int, problem: str) -> None:
    with pytest.raises(CompileError) as error:
        compile_expression(source, {"self": SELF})
    assert f"ERROR: <input>:1:{where}: {problem}" in str(error.value)


def test_a_problem_is_shown_where_it_is() -> None:
    with pytest.raises(CompileError) as error:
        compile_expression("true &&\nother", {})
    assert str(error.value) == ("ERROR: <input>:2:1: undeclared reference to 'other' (in container '')\n | other\n | ^")


def test_every_problem_is_told_in_order() -> None:
    with pytest.raises(CompileError) as error:
        compile_expression("one + two", {})
    assert [line for line in str(error.value).splitlines() if line.startswith("ERROR")] == [
        "ERROR: <input>:1:1: undeclared reference to 'one' (in container '')",
        "ERROR: <input>:1:7: undeclared reference to 'two' (in container '')",
    ]


def test_fields_are_found_under_their_own_names() -> None:
    program = compile_expression("self.a__dot__b == 'x' && !has(self.size)", {"self": SELF})
    assert program.evaluate({"self": {"a.b": "x"}}).value is True


def test_a_program_knows_its_type_and_names() -> None:
    program = compile_expression("self.tags.map(t, t + '!')", {"self": SELF})
    assert program.type == list_of(STRING)
    assert program.names == {"self", "t"}
    assert compile_expression("{'a': 1}", {}).type == map_of(STRING, INT)


def test_variables_of_macros_are_not_seen_outside() -> None:
    assert evaluate("[1].map(self, self) == [1] && self.name == 'web'").value is True


@pytest.mark.parametrize(
    ("source", "value"),
    [("duration('1m')", Duration(60_000_000_000)), ("timestamp('1970-01-01T00:00:01Z')", Timestamp(1_000_000_000))],
)
def test_times_are_nanoseconds(source: str, value: Any) -> None:
    assert evaluate(source).value == value


@pytest.mark.parametrize(
    "source",
    [
        "many.all(a, many.all(b, many.all(c, a + b + c >= 0)))",
        "many.map(a, many.map(b, many.map(c, many)))",
        "many.all(a, many == many)",
        "long.matches('(a+)+$') || many.exists(a, long.contains('b' + long))",
        "many.exists(a, long.replace('', 'xxxxxxxxxxxxxxxxxxxx').size() == 0)",
        "many.exists(a, many.map(b, string(b)).join(long).size() == 0)",
    ],
)
def test_costly_evaluations_are_given_up(source: str) -> None:
    outcome = evaluate(source, many=list(range(2000)), long="a" * 100_000 + "c")
    assert outcome.error == "operation cancelled: actual cost limit exceeded"
    assert outcome.is_exceeded


_TEXTS = st.sampled_from(
    [
        "self",
        "numbers",
        "text",
        "x",
        "1",
        "2u",
        "-1",
        "1.5",
        "'a'",
        "b'a'",
        "true",
        "null",
        "[1]",
        "{'a': 1}",
        "[]",
        "{}",
    ]
)
_BINARY = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"])
_MEMBERS = st.sampled_from(
    [
        *(
            ".name",
            ".?name",
            "[0]",
            "[?0]",
            ".size()",
            ".all(x, {})",
            ".exists(x, {})",
            ".map(x, {})",
            ".filter(x, {})",
        ),
        *(
            ".contains({})",
            ".replace('a', {})",
            ".split({})",
            ".format([{}])",
            ".indexOf({})",
            ".orValue({})",
            ".sum()",
        ),
        *(
            ".substring({})",
            ".getHours({})",
            ".matches({})",
            ".exists_one(x, {})",
            ".join({})",
            ".transformMap(x, y, {})",
        ),
    ]
)
_WRAPPERS = st.sampled_from(
    [
        *("({})", "!{}", "-{}", "dyn({})", "size({})", "string({})", "int({})", "double({})", "uint({})", "bytes({})"),
        *(
            "type({})",
            "duration({})",
            "timestamp({})",
            "optional.of({})",
            "quantity({})",
            "ip({})",
            "has({}.a)",
            "[{}]",
        ),
        *("{{'k': {}}}", "url({})", "{} ? 1 : 2", "semver({})", "sets.contains({}, [1])"),
    ]
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, _BINARY, inner).map(" ".join),
        st.tuples(_WRAPPERS, inner).map(lambda pair: pair[0].format(pair[1])),
        st.tuples(inner, _MEMBERS, inner).map(lambda three: three[0] + three[1].format(three[2])),
    )


@given(st.recursive(_TEXTS, _grown, max_leaves=12))
def test_no_expression_fails_otherwise_than_with_a_cel_error(source: str) -> None:
    try:
        program = compile_expression(f"dyn({source})", {**TYPES, "x": DYN})
    except CompileError:
        return
    assert estimate(program.root, program.checked, lambda path: 10) >= 0
    program.evaluate({**VALUES, "x": 1}, limit=20_000)


@given(st.text(alphabet="selfx.?[]{}()'\"\\+-*/%<>=!&|:, 019eurb\n#", max_size=40))
def test_no_text_fails_otherwise_than_with_a_cel_error(source: str) -> None:
    try:
        compile_expression(source, {**TYPES, "x": DYN}).evaluate({**VALUES, "x": 1}, limit=20_000)
    except CompileError:
        return
