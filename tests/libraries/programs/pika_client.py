"""pika with RabbitMQ: publishing, confirms, consumers that block, calls from other threads."""

from __future__ import annotations

import threading
import time
from typing import Any

import pika
import pika.exceptions

from tests.libraries.crew import Failure


def work(site: Any) -> str:
    parameters = pika.ConnectionParameters(
        "127.0.0.1", site["rabbitmq"]["port"], heartbeat=2, blocked_connection_timeout=10
    )
    received: list[bytes] = []
    everything = threading.Event()

    def consume(number: int) -> None:
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()
        channel.basic_qos(prefetch_count=5)
        for method, _, body in channel.consume("jobs", inactivity_timeout=0.2):
            if method is not None:
                received.append(body)
                channel.basic_ack(method.delivery_tag)
            if everything.is_set():
                break
        channel.cancel()
        connection.close()

    main = pika.BlockingConnection(parameters)
    channel = main.channel()
    channel.queue_declare("jobs")
    channel.confirm_delivery()
    consumers = [threading.Thread(target=consume, args=(number,)) for number in range(4)]
    for thread in consumers:
        thread.start()
    for number in range(200):
        channel.basic_publish("", "jobs", b"%d" % number)
    give_up = time.monotonic() + 30
    while len(received) < 200 and time.monotonic() < give_up:
        main.process_data_events(time_limit=0.1)
    called: list[int] = []
    threading.Thread(target=lambda: main.add_callback_threadsafe(lambda: called.append(1))).start()
    main.process_data_events(time_limit=1)
    main.sleep(2.5)  # longer than a heartbeat: the connection has to be looked after
    everything.set()
    for thread in consumers:
        thread.join()
    main.close()
    assert sorted(map(int, received)) == list(range(200))
    assert called == [1]
    with Failure(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", 1, connection_attempts=1))
    return "200 confirmed messages to 4 consumers, heartbeats, a call from another thread"
