"""`hub_blocking_detection`: who keeps the others from running gets an exception.

In fresh interpreters: signals and timers belong to the process.
"""

import pytest

from tests.conftest import RunIsolated

START = """
    import os, signal, sys, threading, time
    import eventlet
    from eventlet import debug, hubs

    def spin(seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sum(range(50))

    def caught(func, *args):
        try:
            func(*args)
        except RuntimeError as exc:
            return str(exc)
        return "nothing"

    def watch_closely():
        debug.hub_blocking_detection(True, 0.05)

    def watch():
        "On a busy machine anybody may take long: the detection is strict only around the hog."
        debug.hub_blocking_detection(True, 600)

    def hog(spin=spin):
        try:
            watch_closely()
            eventlet.sleep(0)
            spin(60)
        finally:
            watch()
"""


@pytest.mark.parametrize("how", ["spin", "time.sleep"])
def test_a_hog_gets_the_error_in_its_own_frame(how: str, run_isolated: RunIsolated) -> None:
    done = run_isolated(
        START
        + f"""
    watch()
    began = time.monotonic()
    print(eventlet.spawn(caught, hog, {how}).wait())
    assert time.monotonic() - began < 20
    debug.hub_blocking_detection(False)
    """
    )
    assert done.stdout.startswith("Blocking detector ALARMED at ")
    assert "0.05 seconds" in done.stdout


def test_the_error_ends_a_hog_that_does_not_catch_it(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        START
        + """
    watch()
    thread = eventlet.spawn(hog)
    print(caught(thread.wait))
    """
    )
    assert done.stdout.startswith("Blocking detector ALARMED at ")
    assert "in spin: it ran" in done.stdout
    assert "Exception in <GreenThread-1" in done.stderr


def test_the_main_green_thread_and_callbacks_of_the_hub_can_be_hogs(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated(
        START
        + """
    def callback():
        try:
            spin(60)
        finally:
            watch()

    watch()
    print(caught(hog))
    hubs.get_hub().call_soon(callback)
    watch_closely()
    eventlet.sleep(0.01)
    print("alive")
    """
    )
    assert done.stdout.startswith("Blocking detector ALARMED")
    assert done.stdout.endswith("alive\n")
    assert "Exception in the hub" in done.stderr
    assert "in spin: it ran" in done.stderr


def test_waiting_and_taking_turns_is_no_hog(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        START
        + """
    from eventlet._debug import hogs

    now = [1000.0]  # a clock moved by hand
    hogs.monotonic = lambda: now[0]

    def run_for(seconds):
        now[0] += seconds
        os.kill(os.getpid(), signal.SIGALRM)

    def turns():
        for _ in range(20):
            run_for(60)
            eventlet.sleep(0)

    def signal_while_all_wait():
        while not hub.asleep:
            time.sleep(0.001)
        run_for(1000)
        waited.append(True)

    debug.hub_blocking_detection(True, 100)
    hub, waited = hubs.get_hub(), []
    threads = [eventlet.spawn(turns) for _ in range(2)]
    for thread in threads:
        thread.wait()
    threading.Thread(target=signal_while_all_wait).start()
    while not waited:
        eventlet.sleep(0.5)
    print("no alarm")
    print(caught(run_for, 101))
    """
    )
    assert done.stdout.startswith("no alarm\nBlocking detector ALARMED")
    assert done.stderr == ""


def test_off_again_nothing_is_raised(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        START
        + """
    debug.hub_blocking_detection(False)
    debug.hub_blocking_detection(True, 0.05)
    eventlet.sleep(0)
    debug.hub_blocking_detection()
    eventlet.sleep(0)
    print(caught(spin, 0.2), signal.getsignal(signal.SIGALRM) is signal.SIG_DFL)
    print(signal.getitimer(signal.ITIMER_REAL))
    import greenlet
    print(greenlet.gettrace())
    """
    )
    assert done.stdout == "nothing True\n(0.0, 0.0)\nNone\n"


@pytest.mark.parametrize("hub", ["epolls", "poll", "selects"])
def test_every_poller_gets_its_poll_back(hub: str, run_isolated: RunIsolated) -> None:
    run_isolated(
        START
        + f"""
    hubs.use_hub({hub!r})
    poller = hubs.get_hub().poller
    before = poller.poll
    watch()
    eventlet.sleep(0)
    assert poller.poll != before
    assert "ALARMED" in caught(hog)
    debug.hub_blocking_detection(False)
    assert poller.poll == before
    """
    )


def test_the_resolution_can_be_changed(run_isolated: RunIsolated) -> None:
    run_isolated(
        START
        + """
    debug.hub_blocking_detection(True, 30)
    assert "0.05" in caught(hog)
    """
    )


def test_handler_and_alarm_of_the_program_work_on_and_come_back(
    run_isolated: RunIsolated,
) -> None:
    run_isolated(
        START
        + """
    heard = []
    def handler(signum, frame):
        heard.append(time.monotonic())

    signal.signal(signal.SIGALRM, handler)
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.05)
    debug.hub_blocking_detection(True, 60)
    for wait in eventlet.sleep, spin:
        before = len(heard)
        while len(heard) < before + 2:
            wait(0.01)
        assert len(heard) <= (time.monotonic() - began) / 0.05, heard
    assert heard[0] - began > 0.09
    debug.hub_blocking_detection(False)
    assert signal.getsignal(signal.SIGALRM) is handler
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < left <= 0.05 and interval == 0.05
    signal.setitimer(signal.ITIMER_REAL, 0)

    heard.clear()
    signal.alarm(60)
    watch()
    assert "ALARMED" in caught(hog)
    assert not heard
    debug.hub_blocking_detection(False)
    assert 20 < signal.alarm(0) <= 60
    """
    )


def test_an_alarm_without_a_handler_still_ends_the_program(run_isolated: RunIsolated) -> None:
    run_isolated(
        START
        + """
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    debug.hub_blocking_detection(True, 60)
    eventlet.sleep(60)
    """,
        expect_status=-14,
    )


def test_a_handler_set_meanwhile_stays(run_isolated: RunIsolated) -> None:
    run_isolated(
        START
        + """
    debug.hub_blocking_detection(True, 5)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    debug.hub_blocking_detection(False)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
    """
    )


def test_other_os_threads_are_told(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        START
        + """
    def other():
        print(caught(debug.hub_blocking_detection, True))
        debug.hub_blocking_detection(False)

    os_thread = threading.Thread(target=other)
    os_thread.start()
    os_thread.join()
    """
    )
    assert "only the main OS thread gets" in done.stdout


@pytest.mark.parametrize("resolution", [0, -1])
def test_a_resolution_is_positive(resolution: float) -> None:
    from eventlet import debug

    with pytest.raises(ValueError, match="positive"):
        debug.hub_blocking_detection(True, resolution)


def test_a_new_hub_a_rebuilt_one_and_a_forked_child_are_watched(
    run_isolated: RunIsolated,
) -> None:
    done = run_isolated(
        START
        + """
    watch()
    eventlet.sleep(0)

    hubs.use_hub("poll")
    assert "ALARMED" in caught(hog)

    hub = hubs.get_hub()
    ended = hub.greenlet
    hub.abort(wait=True)
    assert "ALARMED" in eventlet.spawn(caught, hog).wait()
    assert hub.greenlet is not ended

    pid = os.fork()
    if not pid:
        found = "ALARMED" in caught(hog)
        eventlet.sleep(0.2)
        os._exit(0 if found else 1)
    debug.hub_blocking_detection(False)
    print(os.waitpid(pid, 0)[1])
    """,
        flags=(),
    )
    assert done.stdout == "0\n"


def test_what_runs_between_passes_of_another_loop_is_not_ours(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        START
        + """
    import asyncio
    from eventlet.asyncio import attach, to_green

    async def main():
        attach()
        debug.hub_blocking_detection(True, 0.05)
        await to_green(eventlet.sleep, 0.01)
        spin(0.2)                       # the loop's own affair
        await asyncio.sleep(0.2)        # nor is its waiting
        print(await to_green(caught, spin, 60))
        debug.hub_blocking_detection(False)

    asyncio.run(main())
    """
    )
    assert done.stdout.startswith("Blocking detector ALARMED")
    assert done.stdout.count("\n") == 1


def test_a_tracer_that_greenlet_dropped_comes_back(run_isolated: RunIsolated) -> None:
    run_isolated(
        START
        + """
    import greenlet
    debug.hub_blocking_detection(True, 0.05)
    eventlet.sleep(0)
    greenlet.settrace(None)
    assert "ALARMED" in caught(spin, 60)
    assert greenlet.gettrace() is not None
    """
    )


def test_the_program_may_end_with_the_detection_on(run_isolated: RunIsolated) -> None:
    done = run_isolated(
        START
        + """
    import atexit
    atexit.register(time.sleep, 0.1)
    debug.hub_blocking_detection(True, 0.05)
    eventlet.sleep(0)
    """
    )
    assert done.stderr == ""
