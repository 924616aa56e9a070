"""Tests of `eventlet.dagpool`."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from greenlet import GreenletExit
from hypothesis import given
from hypothesis import strategies as st

from eventlet.dagpool import Collision, DAGPool, PropagateError
from eventlet.event import Event
from eventlet.greenthread import sleep, spawn
from eventlet.timeout import Timeout

from tests.depth import games
from tests.unit.actors import Actor, Interrupt, dismiss, settle
from tests.unit.core.os_threads import start_os_thread

Results = Iterator[tuple[Any, Any]]


def collect(_key: str, results: Results) -> list[tuple[Any, Any]]:
    return list(results)


def fail(key: str, results: Results) -> None:
    for _ in results:
        pass
    raise ValueError(f"no {key}")


# --- spawn ------------------------------------------------------------------------------


def test_what_a_function_returns_is_the_value_of_its_key() -> None:
    pool = DAGPool({"a": 1})

    pool.spawn("b", ["a"], lambda key, results, *args, **kwds: (key, dict(results), args, kwds), 5)

    assert pool["b"] == ("b", {"a": 1}, (5,), {})


def test_keyword_arguments_are_passed_on() -> None:
    pool = DAGPool()

    pool.spawn("a", (), lambda key, results, *, extra: extra, extra="more")

    assert pool["a"] == "more"


def test_nothing_runs_before_the_spawner_yields() -> None:
    pool = DAGPool()
    ran: list[str] = []

    pool.spawn("a", (), lambda key, results: ran.append(key))

    assert ran == []
    assert pool.running_keys() == ("a",)
    sleep(0)
    assert ran == ["a"]
    assert pool.running() == 0


def test_the_preload_is_a_mapping_or_pairs_and_is_copied() -> None:
    preload = {"a": 1}
    pool = DAGPool(preload)
    preload["b"] = 2

    assert pool.items() == (("a", 1),)
    assert DAGPool([("x", 1), ("y", 2)]).items() == (("x", 1), ("y", 2))
    assert DAGPool().items() == ()


def test_results_come_as_they_are_ready() -> None:
    pool = DAGPool({"there": 0})
    pool.spawn("x", ("late", "soon", "there"), collect)
    sleep(0)

    pool.post("soon", 1)
    pool.post("late", 2)

    assert pool["x"] == [("there", 0), ("soon", 1), ("late", 2)]


def test_results_that_are_there_come_in_the_order_asked_for_and_once() -> None:
    pool = DAGPool({"a": 1, "b": 2, "c": 3})

    pool.spawn("x", iter("cabca"), collect)

    assert pool["x"] == [("c", 3), ("a", 1), ("b", 2)]


def test_results_posted_while_the_function_is_busy_come_in_the_order_of_posting() -> None:
    pool = DAGPool({"a": 1})

    def slow(_key: str, results: Results) -> list[Any]:
        got = []
        for key, _ in results:
            got.append(key)
            sleep(0)
        return got

    pool.spawn("x", "abcd", slow)
    sleep(0)
    for key in "dbc":
        pool.post(key, None)

    assert pool["x"] == ["a", "d", "b", "c"]


def test_a_function_need_not_take_all_results() -> None:
    pool = DAGPool({"a": 1})

    pool.spawn("x", ("a", "never"), lambda key, results: next(results))

    assert pool["x"] == ("a", 1)


def test_a_chain_spawned_backwards_runs_through() -> None:
    pool = DAGPool({0: 0})

    for number in range(200, 0, -1):
        pool.spawn(number, [number - 1], lambda key, results: next(results)[1] + 1)

    assert pool[200] == 200


def test_spawn_many_spawns_a_graph() -> None:
    pool = DAGPool()

    pool.spawn_many(
        {"a": (), "b": "a", "c": "ab"},
        lambda key, results, sign: sign + key + str(len([*results])),
        "+",
    )

    assert pool.waitall() == {"a": "+a0", "b": "+b1", "c": "+c2"}


@pytest.mark.parametrize("known", ["has a value", "is running", "has a value, and is running"])
def test_a_known_key_cannot_be_spawned(known: str) -> None:
    pool = DAGPool({"has a value": 1})
    go_on = Event()

    def post_and_wait(key: str, _results: Results) -> None:
        pool.post(key, 1)
        go_on.wait()

    pool.spawn("is running", (), lambda key, results: go_on.wait())
    pool.spawn("has a value, and is running", (), post_and_wait)
    sleep(0)

    with pytest.raises(Collision, match=known):
        pool.spawn(known, (), collect)

    go_on.send()
    sleep(0)


def test_spawn_many_with_one_known_key_starts_none() -> None:
    pool = DAGPool({"a": 1})

    with pytest.raises(Collision, match="a"):
        pool.spawn_many({"z": (), "a": ()}, collect)

    assert pool.running() == 0


def test_dependencies_that_cannot_be_read_leave_nothing_behind() -> None:
    pool = DAGPool()
    wrong: Any = 5

    with pytest.raises(TypeError):
        pool.spawn("x", wrong, collect)
    with pytest.raises(TypeError):
        pool.spawn("x", [[]], collect)  # type: ignore[list-item]  # a list is no key

    assert (pool.running(), pool.keys()) == (0, ())


# --- failures ---------------------------------------------------------------------------


def test_what_a_function_raises_is_raised_to_who_wants_its_value() -> None:
    pool = DAGPool()
    pool.spawn("x", (), fail)

    with pytest.raises(PropagateError) as caught:
        pool["x"]

    error = caught.value
    assert (error.key, str(error.exc), type(error.exc)) == ("x", "no x", ValueError)
    assert error.__cause__ is error.exc
    assert str(error) == error.msg == "PropagateError(x): ValueError: no x"


def test_a_failure_goes_through_those_that_depend_on_it() -> None:
    pool = DAGPool()
    pool.spawn("a", (), fail)
    pool.spawn("b", "a", collect)

    with pytest.raises(PropagateError) as caught:
        pool["b"]

    assert str(caught.value) == (
        "PropagateError(b): PropagateError: PropagateError(a): ValueError: no a"
    )


def test_a_function_may_go_on_after_a_failed_result() -> None:
    pool = DAGPool({"c": 3})
    pool.spawn("a", (), fail)
    pool["c"]
    sleep(0)

    def tolerant(_key: str, results: Results) -> Any:
        try:
            next(results)
        except PropagateError as exc:
            return exc.key, list(results)

    pool.spawn("x", "ac", tolerant)

    assert pool["x"] == ("a", [("c", 3)])


def test_a_timeout_in_a_function_is_a_failure() -> None:
    pool = DAGPool()

    def too_slow(_key: str, _results: Results) -> None:
        with Timeout(0):
            sleep(3600)

    pool.spawn("x", (), too_slow)

    with pytest.raises(PropagateError, match=r"PropagateError\(x\): Timeout: 0 seconds"):
        pool["x"]


def test_a_function_that_exits_leaves_its_key_free() -> None:
    pool = DAGPool()

    def leave(_key: str, _results: Results) -> None:
        raise GreenletExit

    pool.spawn("x", (), leave)
    sleep(0)
    assert (pool.running_keys(), pool.keys()) == ((), ())

    pool.spawn("x", (), collect)
    assert pool["x"] == []


def test_raising_a_failure_again_does_not_grow_its_traceback() -> None:
    pool = DAGPool()
    pool.spawn("x", (), fail)

    def depth() -> int:
        with pytest.raises(PropagateError) as caught:
            pool["x"]
        return len(caught.traceback)

    assert len({depth() for _ in range(3)}) == 1


def test_a_propagate_error_can_be_pickled() -> None:
    error = PropagateError(("k", 1), PropagateError("inner", KeyError("missing")))

    copy = pickle.loads(pickle.dumps(error))

    assert (copy.key, str(copy), repr(copy)) == (error.key, str(error), repr(error))
    assert isinstance(copy.exc, PropagateError)
    assert isinstance(copy.exc.exc, KeyError)
    assert copy.__cause__ is copy.exc


# --- post -------------------------------------------------------------------------------


def test_a_value_posted_by_the_function_itself_wins() -> None:
    pool = DAGPool()

    def post_and_return(key: str, _results: Results) -> str:
        pool.post(key, "posted")
        with pytest.raises(Collision, match="x"):
            pool.post(key, "again")
        pool.post(key, "replaced", replace=True)
        return "returned"

    pool.spawn("x", (), post_and_return)

    assert pool["x"] == "replaced"
    assert pool.running() == 0
    assert pool["x"] == "replaced"


def test_a_failure_after_a_value_was_posted_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pool = DAGPool()

    def post_and_fail(key: str, _results: Results) -> None:
        pool.post(key, "posted")
        raise ValueError("after the post")

    pool.spawn("x", (), post_and_fail)

    assert pool["x"] == "posted"
    printed = capsys.readouterr().err
    assert "ValueError: after the post" in printed
    assert f"spawned at {__file__}" in printed


def test_a_function_may_post_other_keys() -> None:
    pool = DAGPool()

    def post_others(_key: str, _results: Results) -> int:
        pool.post("a", 1)
        pool.post("b", 2)
        return 3

    pool.spawn("x", (), post_others)

    assert pool.wait("abx") == {"a": 1, "b": 2, "x": 3}


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("passes", [0, 1])
def test_nobody_posts_the_key_of_another_thread(passes: int, replace: bool) -> None:
    pool = DAGPool()
    go_on = Event()
    pool.spawn("x", (), lambda key, results: go_on.wait())
    for _ in range(passes):
        sleep(0)

    with pytest.raises(Collision, match="x"):
        pool.post("x", 1, replace)

    go_on.send("own")
    assert pool["x"] == "own"


def test_nobody_posts_the_key_of_another_thread_that_has_posted_it() -> None:
    pool = DAGPool()
    go_on = Event()

    def post_and_wait(key: str, _results: Results) -> None:
        pool.post(key, "own")
        go_on.wait()

    pool.spawn("x", (), post_and_wait)
    assert pool["x"] == "own"

    with pytest.raises(Collision, match="x"):
        pool.post("x", 1, replace=True)

    go_on.send()
    settle()
    pool.post("x", 1, replace=True)
    assert pool["x"] == 1


def test_a_value_is_replaced_only_when_told() -> None:
    pool = DAGPool({"a": 1})

    with pytest.raises(Collision, match="a"):
        pool.post("a", 2)
    assert pool["a"] == 1

    pool.post("a", 2, replace=True)
    assert pool["a"] == 2


def test_who_took_a_value_keeps_it_and_who_did_not_gets_the_new_one() -> None:
    pool = DAGPool({"a": 1})
    pool.spawn("x", "ab", collect)
    sleep(0)

    pool.post("a", 2, replace=True)
    pool.post("b", 1)
    pool.post("b", 2, replace=True)

    assert pool["x"] == [("a", 1), ("b", 2)]


def test_a_posted_failure_is_raised_and_can_be_replaced() -> None:
    pool = DAGPool({"a": PropagateError("elsewhere", ValueError("x"))})

    with pytest.raises(PropagateError, match=r"PropagateError\(elsewhere\)"):
        pool["a"]

    pool.post("a", ValueError("a value like any other"), replace=True)
    assert isinstance(pool["a"], ValueError)


# --- kill -------------------------------------------------------------------------------


@pytest.mark.parametrize("passes", [0, 1])
def test_a_killed_key_is_free_for_another(passes: int) -> None:
    pool = DAGPool()
    ran: list[str] = []

    def run_and_wait(_key: str, results: Results) -> None:
        ran.append("started")
        try:
            next(results)
        finally:
            ran.append("ended")

    pool.spawn("x", ["never"], run_and_wait)
    waiter = Actor("waiter", [], lambda: pool["x"])
    for _ in range(passes):
        sleep(0)
    ran.clear()

    pool.kill("x")

    assert ran in ([], ["ended"])
    assert (pool.running_keys(), pool.keys(), pool.waiting_for()) == ((), (), {})
    assert waiter.is_waiting
    pool.spawn("x", (), lambda key, results: "again")
    settle()
    assert waiter.value == "again"


def test_a_thread_killed_before_it_started_never_runs() -> None:
    pool = DAGPool()
    ran: list[str] = []
    pool.spawn("x", (), lambda key, results: ran.append(key))

    pool.kill("x")
    settle()

    assert ran == []


@pytest.mark.parametrize("key", ["unknown", "done"])
def test_what_does_not_run_cannot_be_killed(key: str) -> None:
    pool = DAGPool({"done": 1})

    with pytest.raises(KeyError, match=key):
        pool.kill(key)


def test_what_a_killed_thread_still_returns_has_no_place() -> None:
    pool = DAGPool()

    def stubborn(_key: str, results: Results) -> str:
        try:
            next(results)
        except GreenletExit:
            sleep(0)
        return "stubborn"

    pool.spawn("x", ["never"], stubborn)
    sleep(0)
    pool.kill("x")
    pool.spawn("x", (), lambda key, results: "next")

    assert pool["x"] == "next"
    settle()
    assert pool["x"] == "next"


def test_what_a_killed_thread_still_raises_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    pool = DAGPool()

    def clumsy(_key: str, results: Results) -> None:
        try:
            next(results)
        finally:
            raise ValueError("while cleaning up")

    pool.spawn("x", ["never"], clumsy)
    sleep(0)

    pool.kill("x")

    assert "ValueError: while cleaning up" in capsys.readouterr().err
    assert pool.keys() == ()


def test_a_value_posted_before_the_kill_stays() -> None:
    pool = DAGPool()

    def post_and_wait(key: str, _results: Results) -> None:
        pool.post(key, "posted")
        sleep(3600)

    pool.spawn("x", (), post_and_wait)
    assert pool["x"] == "posted"

    pool.kill("x")

    assert (pool.get("x"), pool.running()) == ("posted", 0)


def test_a_function_can_kill_its_own_key() -> None:
    pool = DAGPool()
    pool.spawn("x", (), lambda key, results: pool.kill(key))

    settle()

    assert (pool.running(), pool.keys()) == (0, ())


# --- waiting ----------------------------------------------------------------------------


def test_a_key_nobody_knows_yet_is_waited_for() -> None:
    pool = DAGPool()
    waiters = [Actor(str(number), [], lambda: pool["x"]) for number in range(3)]

    pool.post("x", 5)
    settle()

    assert [waiter.value for waiter in waiters] == [5, 5, 5]


def test_wait_gives_a_dictionary() -> None:
    pool = DAGPool({"a": 1, "b": 2, "c": 3})

    assert pool.wait("ab") == {"a": 1, "b": 2}
    assert pool.wait(["a", "a"]) == {"a": 1}
    assert pool.wait(()) == {}


@pytest.mark.parametrize("name", ["wait", "waitall"])
def test_waiting_without_keys_waits_for_all_that_are_known_at_the_call(name: str) -> None:
    pool = DAGPool({"a": 1})
    pool.spawn("b", "n", collect)
    waiter = Actor("waiter", [], getattr(pool, name))

    pool.spawn("later", ["never"], collect)
    pool.post("n", 1)
    settle()

    assert waiter.value == {"a": 1, "b": [("n", 1)]}
    pool.kill("later")


def test_waiting_raises_the_first_failure() -> None:
    pool = DAGPool({"a": 1})
    pool.spawn("x", (), fail)

    for wait in (pool.wait, pool.waitall, lambda: list(pool.wait_each())):
        with pytest.raises(PropagateError, match="no x"):
            wait()


def test_wait_each_gives_each_pair_as_it_comes() -> None:
    pool = DAGPool({"a": 1})
    pairs = pool.wait_each("ab")

    assert next(pairs) == ("a", 1)
    waiter = Actor("waiter", [], lambda: next(pairs))
    assert waiter.is_waiting
    pool.post("b", 2)
    settle()
    assert waiter.value == ("b", 2)
    assert list(pairs) == []


def test_wait_each_without_keys_means_those_known_at_the_call() -> None:
    pool = DAGPool({"a": 1})
    pairs = pool.wait_each()

    pool.post("later", 2)

    assert list(pairs) == [("a", 1)]


def test_wait_each_goes_on_after_a_failure() -> None:
    pool = DAGPool({"a": PropagateError("a", ValueError()), "b": 2})
    pairs = pool.wait_each("ab")

    with pytest.raises(PropagateError):
        next(pairs)
    assert list(pairs) == [("b", 2)]


def test_successes_and_failures_can_be_had_apart() -> None:
    pool = DAGPool({"a": 1})
    pool.spawn("x", (), fail)
    pool.spawn("b", "a", collect)

    assert dict(pool.wait_each_success()) == {"a": 1, "b": [("a", 1)]}
    ((key, error),) = pool.wait_each_exception()
    assert (key, error.key) == ("x", "x")
    assert isinstance(error, PropagateError)
    assert list(pool.wait_each_success(["x"])) == []
    assert list(pool.wait_each_exception("ab")) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_wait_interrupted_beside_a_post_loses_no_result(when: str) -> None:
    pool = DAGPool()
    pairs = pool.wait_each("ab")
    waiter = Actor("waiter", [], lambda: next(pairs))

    if when == "before":
        waiter.interrupt()
    pool.post("b", 2)
    if when == "after":
        waiter.interrupt()
    settle()
    pool.post("a", 1)

    assert isinstance(waiter.exc, Interrupt)
    assert list(pairs) == [("b", 2), ("a", 1)]


def test_a_timeout_in_the_middle_of_the_results_loses_none() -> None:
    pool = DAGPool({"a": 1})

    def patient(_key: str, results: Results) -> list[Any]:
        got = [next(results)]
        with Timeout(0, False):
            got.append(next(results))
        return [*got, *results]

    pool.spawn("x", "ab", patient)
    settle()
    pool.post("b", 2)

    assert pool["x"] == [("a", 1), ("b", 2)]


def test_several_may_take_from_one_iterator() -> None:
    pool = DAGPool()
    pairs = pool.wait_each("ab")
    takers = [Actor(str(number), [], lambda: next(pairs)) for number in range(3)]

    takers[0].interrupt()
    pool.post("a", 1)
    pool.post("b", 2)
    settle()

    assert isinstance(takers[0].exc, Interrupt)
    assert [taker.value for taker in takers[1:]] == [("a", 1), ("b", 2)]


def test_who_finds_nothing_left_in_a_shared_iterator_is_told() -> None:
    pool = DAGPool()
    pairs = pool.wait_each("a")
    takers = [Actor(str(number), [], lambda: next(pairs, "end")) for number in range(2)]

    pool.post("a", 1)
    settle()

    assert [taker.value for taker in takers] == [("a", 1), "end"]


def test_a_wait_that_is_given_up_leaves_nothing_in_the_pool() -> None:
    pool = DAGPool()
    for number in range(10):
        with pytest.raises(Timeout), Timeout(0):
            pool[number]
    pool.wait_each("ab")

    waiter = Actor("the next to wait tidies up", [], lambda: pool["x"])

    assert list(pool._awaited) == ["x"]
    dismiss([waiter])


# --- looking ----------------------------------------------------------------------------


def test_get_never_waits() -> None:
    pool = DAGPool({"a": 1, "bad": PropagateError("bad", ValueError("x"))})

    assert (pool.get("a"), pool.get("b"), pool.get("b", 9)) == (1, None, 9)
    with pytest.raises(PropagateError, match="bad"):
        pool.get("bad")


def test_keys_and_items_are_snapshots() -> None:
    pool = DAGPool({"b": 1})
    pool.post("a", 2)
    keys, items = pool.keys(), pool.items()

    pool.post("c", 3)

    assert keys == ("b", "a")
    assert items == (("b", 1), ("a", 2))


def test_keys_lists_failures_and_items_raises_them() -> None:
    pool = DAGPool({"bad": PropagateError("bad", ValueError("x"))})

    assert pool.keys() == ("bad",)
    with pytest.raises(PropagateError, match="bad"):
        pool.items()


def test_the_pool_tells_who_waits_for_what() -> None:
    pool = DAGPool({"a": 1})
    pool.spawn("x", "abc", collect)
    pool.spawn("y", "a", collect)
    assert (pool.running(), pool.waiting()) == (2, 1)

    assert pool.waiting_for("x") == {"b", "c"}
    assert pool.waiting_for("y") == set()
    assert pool.waiting_for("a") == set()
    assert pool.waiting_for() == {"x": {"b", "c"}}
    with pytest.raises(KeyError, match="unknown"):
        pool.waiting_for("unknown")

    pool.post("b", 2)
    assert pool.waiting_for("x") == {"c"}
    pool.post("c", 3)
    assert (pool.running_keys(), pool.waiting_for()) == (("x", "y"), {})
    pool.waitall()
    assert (pool.running_keys(), pool.waiting_for("x")) == ((), set())


def test_the_text_of_a_pool_tells_its_state() -> None:
    pool = DAGPool({"a": 1})
    pool.spawn("x", ["b"], collect)

    assert repr(pool).endswith(": 1 values, 1 running, 1 waiting>")
    pool.kill("x")


# --- games ------------------------------------------------------------------------------


@pytest.mark.slow
@given(
    depends=st.lists(st.sets(st.integers(0, 11)), min_size=12, max_size=12),
    order=st.permutations(range(12)),
    failing=st.sets(st.integers(0, 11), max_size=2),
    killed=st.sets(st.integers(0, 11), max_size=3),
    passes=st.integers(0, 3),
)
@games(60)
def test_any_graph_gives_what_a_plain_walk_gives(
    depends: list[set[int]],
    order: list[int],
    failing: set[int],
    killed: set[int],
    passes: int,
) -> None:
    graph = {key: {other for other in depends[key] if other < key} for key in range(12)}

    def add_up(key: int, results: Iterator[tuple[int, int]]) -> int:
        sleep(0)
        total = key + sum(value for _, value in results)
        if key in failing:
            raise ValueError(key)
        return total

    pool = DAGPool()
    for key in order:
        pool.spawn(key, graph[key], add_up)
    for _ in range(passes):
        sleep(0)
    for key in killed:
        if key in pool.running_keys():
            pool.kill(key)
            pool.spawn(key, graph[key], add_up)

    expected: dict[int, int] = {}
    for key in range(12):  # each depends on lower ones only
        if key not in failing and graph[key] <= expected.keys():
            expected[key] = key + sum(expected[other] for other in graph[key])
    assert dict(pool.wait_each_success()) == expected
    assert {key for key, _ in pool.wait_each_exception()} == set(range(12)) - expected.keys()
    assert (pool.running(), pool.waiting(), pool._awaited) == (0, 0, {})


@pytest.mark.slow
def test_a_graph_spawned_from_several_os_threads_runs_through() -> None:
    pool = DAGPool({-1: 0})

    def spawn_and_wait(start: int) -> None:
        numbers = range(start, 400, 4)
        for number in numbers:
            pool.spawn(number, [number - 1], lambda key, results: next(results)[1] + 1)
        pool.wait(numbers)

    for thread in [start_os_thread(partial(spawn_and_wait, start)) for start in range(4)]:
        thread.result()

    assert pool.wait(range(400)) == {number: number + 1 for number in range(400)}
    assert pool.running() == 0


def test_waiting_in_another_green_thread_than_the_spawner() -> None:
    pool = DAGPool()
    waiter = spawn(pool.__getitem__, "x")
    sleep(0)

    pool.spawn("x", (), lambda key, results: key)

    assert waiter.wait() == "x"
