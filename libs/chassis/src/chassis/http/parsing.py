"""Parse the parameters that a route function declares: path, query, headers and body; services and caller."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
import werkzeug.urls  # noqa: F401 - registers the error handler "werkzeug.url_quote"
from flask_openapi3.models import RawModel
from pydantic import BaseModel
from werkzeug.http import parse_options_header

from chassis.context import Caller, Services
from chassis.problems import BodyTooLarge, InvalidRequest, UnsupportedMediaType

LARGEST_BODY = 64 * 1024
LARGEST_FILE = 16 * 1024 * 1024
JSON = "application/json"
# What advertising, mail and analytics append to links to the shop; no route reads it.
TRACKING = re.compile(
    r"(?:^|(?<=&))(?:_|utm(?:_|%5f)\w+|mtm_\w+|gclid|gclsrc|gbraid|wbraid|dclid|gad_\w+|srsltid|fbclid|msclkid|ttclid|twclid"
    r"|ysclid|yclid|li_fat_id|igshid|mc_[ce]id|mkt_tok|_hs(?:enc|mi)|epik|sccid|_ga|_gl)(?:=[^&]*)?(?:&|$)",
    re.IGNORECASE,
)

Environ = dict[str, Any]


class Request(NamedTuple):
    """A matched request; `variables` are the variable parts of its path."""

    environ: Environ
    variables: dict[str, str]
    services: Services
    caller: Caller | None


Parser = Callable[[Request], Any]


def parse_path(model: type[BaseModel]) -> Parser:
    return lambda request: model.model_validate(request.variables)


def parse_query(model: type[BaseModel]) -> Parser:
    return lambda request: model.model_validate(_parameters(request.environ["QUERY_STRING"]))


def parse_header(model: type[BaseModel]) -> Parser:
    names = [field.alias or name for name, field in model.model_fields.items()]
    keys = [(name, f"HTTP_{name.upper().replace('-', '_')}") for name in names]

    def parse(request: Request) -> BaseModel:
        return model.model_validate({name: request.environ[key] for name, key in keys if key in request.environ})

    return parse


def parse_body(model: type[BaseModel]) -> Parser:
    return lambda request: model.model_validate(_json_object(request.environ))


class FileBody(RawModel):
    """A request body that is a file of one of `mimetypes`; `content` are its bytes, `largest` how many it may have."""

    largest = LARGEST_FILE
    content: bytes


def parse_file(model: type[FileBody]) -> Parser:
    def parse(request: Request) -> FileBody:
        media_type = parse_options_header(request.environ.get("CONTENT_TYPE", ""))[0].lower()
        if media_type not in model.mimetypes:
            raise UnsupportedMediaType(f"the body must be a file, sent as {' or '.join(model.mimetypes)}")
        file = model(request.environ)
        file.content = _read_body(request.environ, model.largest)
        return file

    return parse


PARSERS: dict[str, Callable[[Any], Parser]] = {
    "services": lambda _: lambda request: request.services,
    "caller": lambda _: lambda request: request.caller,
    "path": parse_path,
    "query": parse_query,
    "header": parse_header,
    "body": parse_body,
    "raw": parse_file,
}
"""What a route's function may declare by a parameter's name."""


def _parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query string that are not empty; of duplicates, the first."""
    # Invalid UTF-8 stays percent-encoded, as in Flask.
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="werkzeug.url_quote") if query else ():
        if value.strip():
            parameters.setdefault(name, value)
    return parameters


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


def _read_body(environ: Environ, largest: int = LARGEST_BODY) -> bytes:
    """Return the body; raise BodyTooLarge, before reading when the declared length is too large."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        body: bytes = environ["wsgi.input"].read(largest + 1)
        if len(body) > largest:
            raise BodyTooLarge
        return body
    length = environ.get("CONTENT_LENGTH", "")
    declared = int(length) if length.isdecimal() else 0
    if declared > largest:
        raise BodyTooLarge
    return environ["wsgi.input"].read(declared) if declared else b""


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True
    media_type = parse_options_header(content_type)[0].lower()
    return media_type == JSON or (media_type.startswith("application/") and media_type.endswith("+json"))
