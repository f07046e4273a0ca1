"""Rules of what staff change, and the Problems that refuse it."""

from __future__ import annotations

from pydantic import BaseModel

from chassis.problems import Conflict, InvalidRequest, Unprocessable
from order_service.catalog import fields


class ProductExists(Conflict):
    code, error = "product_exists", "there is a product with this id: change that one, or choose another id"


class ImportedMeanwhile(Conflict):
    code, error = "imported_meanwhile", "another file was imported since this preview: look at what changes now"


class StockOnHand(BaseModel):
    stock: int


class StockOutOfRange(Conflict):
    code, extension = "stock_out_of_range", StockOnHand


class RefusedRow(BaseModel):
    line: int
    column: str
    value: str
    error: str


class RefusedRows(BaseModel):
    rows: list[RefusedRow]
    refused: int


class BadCatalogFile(Unprocessable):
    code, extension = "bad_catalog_file", RefusedRows


class BadPrice(InvalidRequest):
    """The price does not fit its currency."""

    def __init__(self, error: str) -> None:
        fault = {"member": "price", "code": "price", "message": error}
        super().__init__(f"price: {error}", errors=[fault])


def price_minor(price: str | None, currency: str | None) -> int:
    """Return the price in the currency's smallest unit; raise BadPrice."""
    if price is None:
        raise BadPrice("send it with the currency")
    if currency is None:
        raise BadPrice("send the currency with it")
    try:
        return fields.amount(price, currency)
    except ValueError as fault:
        raise BadPrice(str(fault)) from fault
