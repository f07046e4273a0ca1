// Small comforts; every page works without them.
"use strict";
document.documentElement.classList.add("js");

// The summary of errors is read out and seen at once.
document.querySelector("[data-focus]")?.focus();

// The code in a mail's link stands behind the "#", which no server sees. It goes from there into its field.
const code = document.querySelector("input#token");
if (code && location.hash.startsWith("#code=")) {
  code.value = decodeURIComponent(location.hash.slice(6));
  history.replaceState(null, "", location.pathname);
}

// A page that says "try again" does so by itself.
const waiting = document.querySelector("[data-retry]");
if (waiting) setTimeout(() => location.reload(), waiting.dataset.retry * 1000);

// A form is sent once, however often its button is pressed.
addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent));

// Shipping and total of the checkout follow the address.
const checkout = document.querySelector("[data-follows]");
let latest = 0;
checkout?.addEventListener("change", async (event) => {
  if (!event.target.matches("[name=to], [name=country], [name=shipping_method]")) return;
  const request = ++latest, body = new URLSearchParams(new FormData(checkout));
  body.set("do", "update");
  const answer = await fetch(checkout.action, { method: "POST", body, headers: { Accept: "text/html" }, redirect: "manual" }).catch(() => null);
  if (!answer?.ok || request !== latest) return; // the form itself says what is wrong
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html"), focused = document.activeElement.id;
  for (const part of checkout.querySelectorAll("[data-part]")) {
    part.replaceChildren(...fresh.querySelector(`[data-part=${part.dataset.part}]`).childNodes);
  }
  document.getElementById(focused)?.focus();
});

// Search and filters change the list without a reload.
const list = document.querySelector("[data-live]");
let newest = 0;
async function show(url, leave = true) {
  const request = ++newest;
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    if (!answer.ok || !fresh) return location.assign(url);
    if (request !== newest) return;
    document.title = page.title;
    document.querySelector("[data-live]").replaceWith(fresh);
    if (leave) history.pushState(null, "", url);
  } catch {
    location.assign(url);
  }
}
if (list) {
  const search = document.querySelector(".search");
  const address = (form) => {
    const entries = [...new FormData(form)].filter(([, value]) => value);
    return `${form.getAttribute("action")}?${new URLSearchParams(entries)}`;
  };
  let typing;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => show(address(search)), 250);
  });
  search.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    show(address(search));
  });
  addEventListener("change", (event) => {
    if (event.target.matches(".sorting select")) show(address(event.target.form));
  });
  addEventListener("click", (event) => {
    const link = event.target.closest("[data-live] .categories a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(link.href).then(() => document.querySelector(".categories [aria-current]")?.focus());
  });
  addEventListener("popstate", () => show(location.href, false));
}
