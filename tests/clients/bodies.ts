// `make check-clients` puts the README's bodies in the place of the names in capitals and checks the types.
import type { components as orderService, operations } from "./order-service";
import type { components as userService } from "./user-service";

export const registration: userService["schemas"]["RegisterBody"] = REGISTER;
export const credentials: userService["schemas"]["LoginBody"] = LOGIN;
export const order: orderService["schemas"]["PlaceOrder"] = ORDERS;

type PlaceOrder = operations["place_order"];
type Refusal = PlaceOrder["responses"][409]["content"]["application/problem+json"];

export function shortProducts(refusal: Refusal): string[] {
  return refusal.code === "out_of_stock" ? refusal.products.map((product) => product.product_id) : [];
}

export function orderPage(headers: PlaceOrder["responses"][201]["headers"]): string {
  return headers.Location;
}

export function nextPage(headers: operations["list_products"]["responses"][200]["headers"]): string {
  // @ts-expect-error: the last page has no Link
  return headers.Link;
}
