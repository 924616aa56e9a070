"""Web frameworks under `serve`; `make test-gunicorn` has them all."""

from __future__ import annotations

import http.client
import importlib.util
from pathlib import Path

import pytest

from tests.unit.serve.served import PATIENCE, Served, write

pytestmark = pytest.mark.slow  # each starts processes

APPS = {
    "flask": """\
        from flask import Flask, request
        app = Flask(__name__)

        @app.route("/hello/<name>")
        def hello(name):
            return f"hello {name} {request.args['n']}"

        @app.post("/sum")
        def sum_up():
            return {"sum": sum(request.get_json())}
    """,
    "django": """\
        import json
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application
        from django.http import HttpResponse, JsonResponse
        from django.urls import path

        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x" * 50)

        def hello(request, name):
            return HttpResponse(f"hello {name} {request.GET['n']}")

        def sum_up(request):
            return JsonResponse({"sum": sum(json.loads(request.body))})

        urlpatterns = [path("hello/<str:name>", hello), path("sum", sum_up)]
        app = get_wsgi_application()
    """,
    "falcon": """\
        import falcon

        class Hello:
            def on_get(self, request, response, name):
                response.text = f"hello {name} {request.get_param('n')}"

        class Sum:
            def on_post(self, request, response):
                response.media = {"sum": sum(request.media)}

        app = falcon.App()
        app.add_route("/hello/{name}", Hello())
        app.add_route("/sum", Sum())
    """,
    "bottle": """\
        from bottle import Bottle, request
        app = Bottle()

        @app.get("/hello/<name>")
        def hello(name):
            return f"hello {name} {request.query.n}"

        @app.post("/sum")
        def sum_up():
            return {"sum": sum(request.json)}
    """,
}


@pytest.mark.parametrize("name", APPS)
def test_a_framework(tmp_path: Path, name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: `make test-gunicorn` has it")
    write(tmp_path, site_app=APPS[name])

    with Served(tmp_path, "--workers=2", flags=()) as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
        connection.request("GET", "/hello/you?n=1")
        assert connection.getresponse().read() == b"hello you 1"
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/sum", "[1, 2, 3]", headers)
        assert connection.getresponse().read().replace(b" ", b"").strip() == b'{"sum":6}'
        connection.request("GET", "/nowhere")
        assert connection.getresponse().status == 404
        connection.close()
        assert served.end() == 0
