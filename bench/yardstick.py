"""The yardstick: a shop in ten lines of Flask that reads from dictionaries, under the shop's server."""

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
PRODUCTS = [{"id": f"p{n}", "name": f"Product {n}", "price": 19.99} for n in range(1, 21)]
PROFILE = {"id": "1", "username": "ada", "name": "Ada", "email": "ada@example.org"}
ORDERS: dict[str, object] = {}
app.add_url_rule("/products", "products", lambda: jsonify(PRODUCTS))
app.add_url_rule("/profile", "profile", lambda: jsonify(PROFILE))


@app.post("/create_order")
def create_order() -> tuple[Response, int]:
    order = {"order_id": str(len(ORDERS)), "user": "ada", "items": request.json["items"], "total": 64.88}
    ORDERS[order["order_id"]] = order
    return jsonify(order), 201
