"""Public calls that have no entry in the table of parks, and why: each has its reason."""

from __future__ import annotations

__all__ = ["DERIVED", "NOT_PARKING"]

NOT_PARKING: dict[str, dict[str, str]] = {
    "looks at something, or changes a setting": {
        "eventlet._core.current": "get_hub",
        "eventlet._debug.running_tables": "format_asyncio_info format_threads_info",
        "eventlet._debug.spewing": "Spew.__call__ spew unspew",
        "eventlet._debug.waiting_tables": "format_hub_listeners format_hub_timers",
        "eventlet._names.proxy": (
            "HostsResolver.getaliases HostsResolver.query ResolverProxy.clear"
        ),
        "eventlet.support.greendns": "is_ip_addr is_ipv4_addr is_ipv6_addr reset",
        "eventlet._server.environ": "addr_to_host_port socket_repr",
        "eventlet._server.request_body": (
            "Input.get_socket Input.is_at_end Input.is_held_back"
            " Input.set_hundred_continue_response_headers"
        ),
        "eventlet._server.response_head": "format_date_time",
        "eventlet.corolocal": "forget_locals get_ident",
        "eventlet.dagpool": (
            "DAGPool.get DAGPool.items DAGPool.keys DAGPool.running DAGPool.running_keys"
            " DAGPool.waiting DAGPool.waiting_for"
        ),
        "eventlet.db_pool": "DatabaseConnector.credentials_for",
        "eventlet.debug": (
            "hub_blocking_detection hub_exceptions hub_listener_stacks"
            " hub_prevent_multiple_readers hub_timer_stacks tpool_exceptions"
        ),
        "eventlet.event": "Event.has_exception Event.has_result Event.ready Event.reset",
        "eventlet.green._select": "get_fileno epoll.fileno",
        "eventlet.green._signal_handlers": "getsignal signal",
        "eventlet.green._thread": (
            "_ThreadHandle.is_done _count _get_main_thread_ident _make_thread_handle _set_sentinel"
            " exit get_ident pthread_getcpuclockid pthread_kill stack_size"
        ),
        "_thread": "quiet_hook.<locals>.excepthook",
        "eventlet.green._threading": "current_thread_for.<locals>.current_thread",
        "eventlet.green.profile": "Profile.TallyTimings",
        "eventlet.greenio.pipes": (
            "GreenFileIO.fileno GreenFileIO.isatty GreenFileIO.readable GreenFileIO.seekable"
            " GreenFileIO.writable"
        ),
        "eventlet.greenio.waiting": (
            "WaitingSocket.getblocking WaitingSocket.gettimeout WaitingSocket.setblocking"
            " WaitingSocket.setsockopt WaitingSocket.settimeout limit_sending"
        ),
        "eventlet.greenio.records": "in_green_use",
        "eventlet.greenio": "set_nonblocking",
        "eventlet.greenpool": "GreenPool.free GreenPool.running GreenPool.waiting",
        "eventlet.hubs._listener": "FdListener.defang noop",
        "eventlet.hubs.asyncio": "Hub.is_available is_available",
        "eventlet.hubs.epolls": "Hub.is_available is_available",
        "eventlet.hubs.hub": (
            "BaseHub.default_sleep BaseHub.get_readers BaseHub.get_timers_count"
            " BaseHub.get_writers BaseHub.is_available BaseHub.make_poller"
            " BaseHub.set_debug_listeners BaseHub.set_timer_exceptions"
        ),
        "eventlet.hubs.kqueue": "Hub.is_available is_available",
        "eventlet.hubs.poll": "Hub.is_available is_available",
        "eventlet.hubs.selects": "Hub.is_available is_available",
        "eventlet.hubs": "get_default_hub keep_green_threads_on_fork use_hub",
        "eventlet.pools": "Pool.free Pool.waiting",
        "eventlet.queue": (
            "LightQueue.empty LightQueue.full LightQueue.getting LightQueue.putting"
            " LightQueue.qsize"
        ),
        "eventlet.semaphore": (
            "CappedSemaphore.bounded CappedSemaphore.locked Semaphore.bounded Semaphore.locked"
        ),
        "eventlet.support": "bytes_to_str get_errno wrap_deprecated",
        "eventlet.support.psycopg2_patcher": "make_psycopg_green",
        "eventlet.timeout": "is_timeout wrap_is_timeout",
        "eventlet.tpool": "Proxy.__iter__ set_num_threads setup",
        "eventlet._websocket.connection": (
            "RFC6455WebSocket.__enter__ RFC6455WebSocket.has_heard_since"
        ),
        "eventlet._server.http_protocol": (
            "HttpProtocol.formalize_key_naming HttpProtocol.get_client_address"
            " HttpProtocol.get_environ HttpProtocol.handle_expect_100"
        ),
        "eventlet.wsgi": (
            "Server.call_on_stop Server.find_activity Server.get_environ Server.get_head_limits"
            " Server.stop Server.took_over"
        ),
    },
    "starts, opens or makes something and returns at once": {
        "eventlet._core.thread": "GreenThread.as_future GreenThread.link GreenThread.unlink",
        "eventlet._patching.pristine": "original",
        "eventlet._server.access_log": "get_logger",
        "eventlet.asyncio": "attach loop_of",
        "eventlet.backdoor": "backdoor",
        "eventlet.completion": "AsCompleted.__enter__ AsCompleted.__iter__ as_completed",
        "eventlet.convenience": "listen",
        "eventlet.dagpool": "DAGPool.spawn DAGPool.spawn_many",
        "eventlet.green._os": "fdopen",
        "eventlet.green._select": (
            "epoll.__enter__ epoll.fromfd epoll.modify epoll.register epoll.unregister"
            " poll.modify poll.register poll.unregister"
        ),
        "eventlet.green._thread": "start_joinable_thread start_new_thread",
        "eventlet.greenio.adoption": "make_green",
        "eventlet.greenio.records": "Records.here",
        "eventlet.greenio.buffers": "buffer_for",
        "eventlet.greenio.sockets": "GreenSocket.makeGreenFile",
        "eventlet.greenio.waiting": "WaitingSocket.dup",
        "eventlet.greenpool": "GreenPile.__iter__",
        "eventlet.greenthread": (
            "call_after_global call_after_local exc_after spawn spawn_after_local spawn_n"
        ),
        "eventlet.hubs.hub": (
            "BaseHub.add BaseHub.add_timer BaseHub.schedule_call_global BaseHub.schedule_call_local"
        ),
        "eventlet.hubs.timer": "Timer.copy Timer.schedule Timer.schedule_on",
        "eventlet.patcher": (
            "import_patched inject is_monkey_patched kept_originals monkey_patch patch_function"
            " slurp_properties unpatch"
        ),
        "eventlet._websocket.application": "WebSocketWSGI.configured",
        "eventlet._websocket.connection": "RFC6455WebSocket.keep_alive RFC6455WebSocket.ping",
        "eventlet.pools": "TokenPool.create",
        "eventlet.taskgroup": "TaskGroup.__enter__ TaskGroup.spawn",
    },
    "ends something, or lets others go on, who run later": {
        "eventlet._aio.attachment": "Attachment.detach Attachment.let_go",
        "eventlet._aio.loop": (
            "EventLoop.add_signal_handler EventLoop.call_at EventLoop.call_soon EventLoop.close"
            " EventLoop.remove_signal_handler"
        ),
        "eventlet._core.scope": (
            "CancelScope.__enter__ CancelScope.__exit__ CancelScope.adopt CancelScope.cancel"
            " CancelScope.check CancelScope.count_on CancelScope.release"
            " fail_after fail_at move_on_after move_on_at"
        ),
        "eventlet._core.thread": "GreenThread.abandon",
        "eventlet._websocket.connection": "RFC6455WebSocket.abandon RFC6455WebSocket.give_up",
        "eventlet.coros": "metaphore.dec metaphore.inc",
        "eventlet.dagpool": "DAGPool.post",
        "eventlet.event": "Event.send Event.send_exception",
        "eventlet.green._select": "epoll.__exit__ epoll.close",
        "eventlet.green.subprocess": "Popen.kill",
        "eventlet.greenio.pipes": "GreenFileIO.close",
        "eventlet.greenio.records": (
            "Records.close Records.end_exactness Records.leave give_away lend"
        ),
        "eventlet.greenio.waiting": "WaitingSocket.detach WaitingSocket.forget_mode",
        "eventlet.greenio": "shutdown_safe",
        "eventlet.greenpool": "GreenMap.done_spawning GreenPool.resize",
        "eventlet.hubs.hub": (
            "BaseHub.after_fork BaseHub.mark_as_reopened BaseHub.notify_close BaseHub.remove"
            " BaseHub.remove_descriptor"
        ),
        "eventlet.hubs.timer": "Timer.cancel",
        "eventlet.hubs": "notify_close notify_opened",
        "eventlet.lock": "Lock.release",
        "eventlet.pools": "Pool.put Pool.resize",
        "eventlet.queue": "LightQueue.resize LightQueue.shutdown Queue.task_done",
        "eventlet.semaphore": "BoundedSemaphore.release Semaphore.__exit__ Semaphore.release",
    },
    "says that it would have to wait, and does not": {
        "eventlet.event": "Event.poll Event.poll_exception Event.poll_result",
        "eventlet.greenio.single_steps": "socket_accept socket_checkerr socket_connect",
        "eventlet.queue": "LightQueue.get_nowait LightQueue.put_nowait",
    },
    "takes its turn and goes to the raw file as the calls beside it, which have their entries": {
        "eventlet.greenio.buffers": (
            "BufferedPair.close BufferedPair.flush BufferedPair.write"
            " BufferedReader.seek BufferedReader.truncate"
            " BufferedWriter.close BufferedWriter.detach BufferedWriter.seek"
            " BufferedWriter.tell BufferedWriter.truncate"
        ),
    },
    "is a call on a regular file, which is always ready": {
        "eventlet.greenio.buffers": (
            "BufferedRandom.close BufferedRandom.detach BufferedRandom.flush BufferedRandom.peek"
            " BufferedRandom.read BufferedRandom.read1 BufferedRandom.readinto"
            " BufferedRandom.readinto1 BufferedRandom.readline BufferedRandom.seek"
            " BufferedRandom.tell BufferedRandom.truncate BufferedRandom.write"
        ),
        "eventlet.greenio.pipes": "GreenFileIO.seek GreenFileIO.tell GreenFileIO.truncate",
    },
    "waits in the file of the user's log, if that waits": {
        "eventlet._server.http_protocol": "HttpProtocol.log_message",
        "eventlet._server.access_log": (
            "LoggerFileWrapper.debug LoggerFileWrapper.error LoggerFileWrapper.exception"
            " LoggerFileWrapper.info LoggerFileWrapper.write"
            " LoggerNull.debug LoggerNull.error LoggerNull.exception LoggerNull.info"
            " LoggerNull.write"
        ),
    },
    "waits only in what the user gave it to call": {
        "eventlet._core.thread": "GreenThread.run",
        "eventlet._db_connection": (
            "GenericConnectionWrapper.__enter__ GenericConnectionWrapper.__exit__"
        ),
        "eventlet.db_pool": "cleanup_rollback",
        "eventlet.green.profile": (
            "Profile.__call__ Profile.runcall Profile.runctx Profile.simulate_cmd_complete"
            " Profile.start Profile.stop run runctx"
        ),
        "eventlet.hubs.timer": "LocalTimer.switch Timer.switch",
        "eventlet.pools": "Pool.create",
    },
    "waits in another call, which is in the table": {
        "eventlet._core.thread": "GreenThread.__await__",
        "eventlet._db_connection": "PooledConnectionWrapper.close",
        "eventlet._server.http_protocol": (
            "HttpProtocol.finish HttpProtocol.handle HttpProtocol.handle_one_request"
            " HttpProtocol.handle_one_response HttpProtocol.parse_request"
            " HttpProtocol.send_error HttpProtocol.setup"
        ),
        "eventlet._server.request_body": (
            "Input.__iter__ Input.discard Input.drain Input.readline Input.readlines"
            " Input.send_hundred_continue_response"
        ),
        "eventlet.db_pool": (
            "BaseConnectionPool.connect BaseConnectionPool.create DatabaseConnector.get"
        ),
        "eventlet.green._thread": "_shutdown",
        "eventlet.green.subprocess": "Popen.__exit__",
        "eventlet.support.psycopg2_patcher": "eventlet_wait_callback",
        "eventlet.tpool": (
            "Proxy.__call__ Proxy.__enter__ Proxy.__exit__ Proxy.__getitem__ Proxy.__next__"
        ),
        "eventlet._websocket.application": "WebSocketWSGI.__call__",
        "eventlet.wsgi": "Server.process_request",
    },
    "lets the hub finish its pass, in the greenlet that made the hub alone": {
        "eventlet.hubs.hub": "BaseHub.abort",
    },
    "makes a coroutine, and a coroutine parks nobody": {
        "eventlet._aio.loop": "EventLoop.getaddrinfo EventLoop.getnameinfo",
    },
    "only yields, when the budget of a turn is used up": {
        "eventlet.green.queue": "Queue.empty Queue.full Queue.qsize",
        "eventlet.greenio.waiting": "spend_budget",
    },
}
"""Reason -> module -> qualified names."""

DERIVED = frozenset(
    {
        *("BaseHTTPServer", "CGIHTTPServer", "Queue", "SimpleHTTPServer", "SocketServer"),
        *("asynchat", "asyncore", "builtin", "ftplib", "imaplib", "nntplib", "poplib", "smtpd"),
        *("smtplib", "socketserver", "telnetlib", "httplib"),
        *("http", "http.client", "http.cookiejar", "http.cookies", "http.server"),
        *("urllib", "urllib.error", "urllib.parse", "urllib.response", "urllib.robotparser"),
        *("xmlrpc", "xmlrpc.client", "xmlrpc.server", "concurrent", "concurrent.futures"),
        *("_socket_nodns",),
    }
)
"""Modules of `eventlet.green` that are standard code or other names: they wait in the others."""
