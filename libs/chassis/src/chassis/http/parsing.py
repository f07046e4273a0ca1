"""Read the parts of a request that a route declares: path, query, headers, body, each as a Pydantic model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
import werkzeug.urls  # noqa: F401 - registers the error handler "werkzeug.url_quote"
from pydantic import BaseModel
from werkzeug.http import parse_options_header

from chassis.problems import BodyTooLarge, InvalidRequest, UnsupportedMediaType

LARGEST_BODY = 64 * 1024
JSON = "application/json"

Environ = dict[str, Any]
Variables = Mapping[str, str]
Parser = Callable[[Environ, Variables], BaseModel]


def parse_path(model: type[BaseModel]) -> Parser:
    return lambda _, variables: model.model_validate(variables)


def parse_query(model: type[BaseModel]) -> Parser:
    return lambda environ, _: model.model_validate(_parameters(environ["QUERY_STRING"]))


def parse_header(model: type[BaseModel]) -> Parser:
    names = [field.alias or name for name, field in model.model_fields.items()]
    keys = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in names}
    return lambda environ, _: model.model_validate({name: environ[key] for name, key in keys.items() if key in environ})


def parse_body(model: type[BaseModel]) -> Parser:
    return lambda environ, _: model.model_validate(_json_object(environ))


PARSERS = {"path": parse_path, "query": parse_query, "header": parse_header, "body": parse_body}


def _parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query string; of several with one name, the first counts."""
    # Invalid UTF-8 stays percent-encoded, as in Flask.
    pairs = parse_qsl(query, keep_blank_values=True, errors="werkzeug.url_quote") if query else []
    return dict(reversed(pairs))


def _json_object(environ: Environ) -> dict[str, Any]:
    body = _read_body(environ)
    if not body:
        return {}
    if not _is_json(environ.get("CONTENT_TYPE", "")):
        raise UnsupportedMediaType
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        raise InvalidRequest(f"the body is not valid JSON: {failure.msg}", position=failure.pos) from failure
    if not isinstance(parsed, dict):
        raise InvalidRequest("the body must be a JSON object")
    return parsed


def _read_body(environ: Environ) -> bytes:
    """Return the whole body; raise BodyTooLarge, for a declared length without reading any of it."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        body: bytes = environ["wsgi.input"].read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge
        return body
    length = environ.get("CONTENT_LENGTH", "")
    declared = int(length) if length.isdecimal() else 0
    if declared > LARGEST_BODY:
        raise BodyTooLarge
    return environ["wsgi.input"].read(declared) if declared else b""


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True
    media_type = parse_options_header(content_type)[0].lower()
    return media_type == JSON or (media_type.startswith("application/") and media_type.endswith("+json"))
