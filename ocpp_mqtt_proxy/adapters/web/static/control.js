"use strict";

// Who controls: each charger's mode with its buttons, the providers, and what was decided last. Used by app.js.

const DECISIONS = 6;

const ASKED = {
  authorize: "to have a say on a card (its verdict is in the events)",
  start: "to start charging",
  stop: "to stop charging",
  unlock: "to unlock the cable",
  reserve: "to reserve it",
  cancel_reservation: "to give up a reservation",
  set_limit: "to set a limit",
  clear_limit: "to take its limit back",
  set_profile: "to set a charging profile",
  clear_profile: "to take its profile back",
  request_control: "control",
  release_control: "to give control back",
  call: "to maintain it",
};

const WHY = {
  sharing_disabled: "sharing is switched off",
  blocked: "it is blocked",
  not_allowed: "it is not among the providers that may share",
  disabled: "it is switched off",
  override: "somebody else is in charge",
  presence: "of who is at home",
  presence_unknown: "nobody knows who is at home",
  schedule: "these are not its hours",
  role: "that is not its role",
  rate_limited: "it asked too often",
  held_by_other: "another provider has control",
  charger_offline: "the charger is offline",
  charger_faulted: "the charger has a fault",
  charger_unavailable: "the charger is out of service",
  not_yours: "the session is not its own",
  released: "it gave control back",
  preempted: "a provider with precedence came",
  handed_over: "control was handed over",
  timeout: "it did nothing with it",
  transaction_ended: "its session is over",
};

const PRESENCE = { home: ["Somebody is home", "good"], away: ["Nobody is home", ""], unknown: ["Not known who is home", ""] };
const CLASS = { transactions: "starting and stopping", management: "maintenance" };

function chip(text, className) {
  return element("span", `chip ${className}`, text);
}

/** What somebody is called. */
function called(id, providers) {
  return id === "owner" ? "You" : providers[id]?.name || id;
}

function inCharge(mode, providers) {
  if (mode === "auto") return "The rules decide";
  return mode === "owner" ? "You alone control it" : `${called(mode, providers)} alone controls it`;
}

function holding(control, providers) {
  const held = Object.entries(control.holders).filter(([, who]) => who);
  const limits = Object.entries(control.limits).map(([who, amps]) => `${called(who, providers)} limits to ${number(amps, 0)} A`);
  const holders = held.map(([what, who]) => `${called(who, providers)} ${who === "owner" ? "have" : "has"} ${CLASS[what]}`);
  return [...holders, ...limits].join(" · ") || "Nobody uses it now";
}

function modeButton(item, mode, label) {
  const button = element("button", "mode", label);
  button.dataset.key = `${item.id} ${mode}`;
  button.setAttribute("aria-pressed", String(item.control.mode === mode));
  button.addEventListener("click", () => override(item, mode, label));
  return button;
}

function controlItem(item) {
  const modes = element("div", "modes", modeButton(item, "owner", "Owner"), modeButton(item, "auto", "Automatic"),
    ...Object.entries(item.providers).map(([id, { name }]) => modeButton(item, id, name)));
  modes.setAttribute("role", "group");
  modes.setAttribute("aria-label", `Who controls ${item.name}`);
  const text = element("div", "", element("h3", "", item.name), element("p", "", inCharge(item.control.mode, item.providers)),
    element("p", "faint", holding(item.control, item.providers)));
  return element("li", "", text, modes);
}

async function override(item, mode, label) {
  const who = mode === "owner" || mode === "auto" ? { mode } : { backend_id: mode };
  const answer = await fetch("override", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...who, charger: item.id }),
  }).then((response) => response.json()).catch(() => ({ detail: "the service does not answer" }));
  const why = answer.message || answer.detail || WHY[answer.reason] || "";
  $("overridden").textContent = answer.success ? "" : `${item.name}: ${label} was refused: ${why}`;
  await refresh();
}

function providerItem([id, provider]) {
  const [state, className] = !provider.enabled ? ["switched off", "bad"] : provider.connected ? ["connected", "good"] : ["not connected", ""];
  const made = chip(`${provider.name}: ${state}`, className);
  made.dataset.provider = id;
  return element("li", "", made);
}

/** Why, in plain words; of an override, whose. */
function because(one) {
  const mode = one.inputs.mode;
  if (one.reason === "override" && mode === "owner") return ": you are in charge";
  if (one.reason === "override" && mode !== "auto") return `: ${one.leader} is in charge`;
  const why = one.reason ? WHY[one.reason] || words(one.reason).toLowerCase() : "";
  return why.startsWith("of ") ? ` because ${why}` : why && `: ${why}`;
}

/** A decision in plain words. */
function decided(one) {
  const what = CLASS[one.class] || "control";
  if (one.verdict === "limited") return `${one.place}: ${one.message}${one.kept ? ", and it keeps to it" : ""} (${one.name})`;
  if (one.verdict === "revoked") return `${one.name} lost ${what} of ${one.place}${because(one)}`;
  if (one.asked === "hand_over") return `You handed ${what} of ${one.place} to ${one.name}`;
  return `${one.name} wanted ${ASKED[one.asked] || words(one.asked).toLowerCase()} at ${one.place}. ${words(one.verdict)}${because(one)}`;
}

/**
 * What is shown of all that was decided. Where a provider sets another limit every few seconds the last is enough; of
 * what the owner holds nothing.
 */
function news(decisions) {
  const [limited, kept] = [new Set(), new Set()];
  return decisions.filter((one) => {
    if (one.verdict !== "limited") return one.provider !== "owner";
    const where = `${one.charger} ${one.inputs.connector}`;
    if (limited.has(where)) return false;
    if (one.reason === "verified") {
      kept.add(where);
      return false;
    }
    limited.add(where);
    one.kept = kept.has(where);
    return true;
  });
}

function decisionItem(one) {
  const item = element("li", "", element("span", "faint", when(one.at)), element("span", "", decided(one)));
  item.dataset.verdict = one.verdict;
  return item;
}

async function showControl(status) {
  const { providers, control, chargers } = status;
  const places = Object.entries(control);
  const there = places.length > 0 && (Object.keys(providers).length > 0 || places.some(([, { mode }]) => mode !== "auto"));
  $("control").hidden = !there;
  if (!there) return;
  const list = await ask("api/decisions?limit=60").catch(() => ({ decisions: [] })); // the rest is live all the same
  const place = (id) => chargers[id]?.name || id;
  const names = Object.fromEntries(Object.entries(providers).map(([id, { name }]) => [id, { name }]));
  const focused = document.activeElement?.dataset.key;
  show("controls", places.map(([id, one]) => ({ id, name: place(id), providers: names, control: one })), controlItem);
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus(); // what was shown anew lost it
  show("providers", Object.entries(providers), providerItem);
  const told = news(list.decisions).slice(0, DECISIONS);
  show("decisions", told.map((one) => ({ ...one, name: called(one.provider, providers), place: place(one.charger),
    leader: called(one.inputs.mode, providers) })), decisionItem);
  $("nothing-decided").hidden = told.length > 0;
  const [text, className] = PRESENCE[status.presence] || PRESENCE.unknown;
  $("presence").textContent = text;
  $("presence").className = `chip ${className}`;
}
