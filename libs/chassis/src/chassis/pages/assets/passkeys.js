// Forms with data-passkey have the browser make or use a passkey. Without JavaScript, or in an old browser, they stay hidden.
"use strict";
{
  const REFUSALS = {
    NotAllowedError: "You cancelled, or it took too long. Please try again.",
    AbortError: "You cancelled, or it took too long. Please try again.",
    InvalidStateError: "This device already has a passkey for your account.",
    SecurityError: "Passkeys do not work at this address of the shop.",
    NotSupportedError: "This device cannot keep passkeys of this kind.",
    ConstraintError: "This device cannot keep passkeys of this kind.",
  };
  const Passkey = window.PublicKeyCredential;
  const possible = Passkey?.parseCreationOptionsFromJSON && Passkey.parseRequestOptionsFromJSON && Passkey.prototype.toJSON;

  class Refusal extends Error {}

  const post = async (url, body, type) => {
    const headers = { Accept: "application/json", "Content-Type": type };
    const answer = await fetch(url, { method: "POST", headers, body });
    // The session has ended, or something in front of the shop answers: the page itself shows what is to be done.
    if (!answer.headers.get("Content-Type")?.includes("json")) {
      location.reload();
      return new Promise(() => {});
    }
    const said = await answer.json();
    if (!answer.ok) throw new Refusal(said.error);
    return said;
  };

  const make = (options) => navigator.credentials.create({ publicKey: Passkey.parseCreationOptionsFromJSON(options) });
  const use = (options) => navigator.credentials.get({ publicKey: Passkey.parseRequestOptionsFromJSON(options) });

  const ask = async (form) => {
    const typed = new URLSearchParams(new FormData(form));
    const options = await post(form.dataset.options, typed, "application/x-www-form-urlencoded");
    const credential = await (form.dataset.passkey === "create" ? make : use)(options);
    const sent = { credential: credential.toJSON() };
    if (typed.has("name")) sent.name = typed.get("name");
    const { next } = await post(form.action, JSON.stringify(sent), "application/json");
    location.assign(next);
  };

  const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
  const show = (form, failure) => {
    const message = form.querySelector("[role=alert]");
    const known = failure instanceof Refusal ? sentence(failure.message) : REFUSALS[failure.name];
    message.textContent = known ?? "That did not work. Please check your connection and try again.";
    message.hidden = false;
    message.focus();
  };

  for (const form of document.querySelectorAll("[data-passkey]")) {
    form.hidden = !possible;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      if (button.disabled) return;
      button.disabled = true;
      form.querySelector("[role=alert]").hidden = true;
      try {
        await ask(form);
      } catch (failure) {
        show(form, failure);
      } finally {
        button.disabled = false;
      }
    });
  }
  for (const text of document.querySelectorAll("[data-no-passkeys]")) text.hidden = Boolean(possible);
}
