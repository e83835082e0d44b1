"use strict";

// Every address here is relative: the page may lie below a path of Home Assistant's ingress.

const EVERY = 2000; // milliseconds between two looks
const SESSIONS = 10;

const STATUS = {
  available: ["Available", "good"],
  preparing: ["Plugged in", "waits"],
  charging: ["Charging", "flows"],
  suspended_ev: ["Paused by the car", "waits"],
  suspended_evse: ["Paused", "waits"],
  finishing: ["Finishing", "waits"],
  reserved: ["Reserved", "waits"],
  unavailable: ["Out of service", ""],
  faulted: ["Faulted", "bad"],
  unknown: ["Unknown", ""],
};

const ENDED = {
  local: "At the charger",
  remote: "Remotely",
  ev_disconnected: "Unplugged",
  deauthorized: "Card refused",
  stopped_by_ev: "By the car",
  unlock_command: "Unlocked",
};

const $ = (id) => document.getElementById(id);

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Numbers and times, as people of this browser write them

const number = (value, digits) =>
  value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const known = (value) => value !== null && value !== undefined;
const shown = (value, unit, digits) => (known(value) ? `${number(value, digits)} ${unit}` : "–");

function money(value, currency) {
  try {
    return value.toLocaleString(undefined, { style: "currency", currency });
  } catch {
    return `${number(value, 2)} ${currency}`; // not a currency that the browser knows
  }
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function when(text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  const time = at.toLocaleTimeString(undefined, { timeStyle: "short" });
  return today ? `Today, ${time}` : `${at.toLocaleDateString(undefined, { dateStyle: "medium" })}, ${time}`;
}

const words = (text) => (text ? text.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase()) : "–");

// Chargers

function statusChip(status, connected) {
  const [label, className] = connected ? STATUS[status] || [words(status), ""] : ["Offline", "bad"];
  const chip = element("span", `chip ${className}`, label);
  chip.dataset.status = connected ? status : "offline";
  return chip;
}

function power(watts) {
  const [value, unit] = !known(watts) ? ["–", ""] : watts < 1000 ? [number(watts, 0), "W"] : [number(watts / 1000, 1), "kW"];
  return element("span", "power", value, element("small", "", ` ${unit}`));
}

function bar(share) {
  const fill = element("span");
  fill.style.setProperty("--share", Math.max(0, Math.min(1, share || 0)));
  const made = element("div", "bar", fill);
  made.setAttribute("aria-hidden", "true");
  return made;
}

function fact(label, value) {
  return element("div", "", element("dt", "", label), element("dd", "", value));
}

function sessionFacts(session) {
  if (!session) return [];
  const which = session.ended_at === null ? "This session" : "Last session";
  return [
    fact(which, shown(session.energy_kwh, "kWh", 2)),
    fact("Time", duration(session.duration_s)),
    fact("Cost", money(session.cost, session.currency)),
  ];
}

function flow(connector, most) {
  const current = `${shown(connector.current, "A", 1)} of ${number(most, 0)} A`;
  const soc = known(connector.soc) ? `car at ${number(connector.soc, 0)} %` : "";
  return element("span", "faint", [current, soc].filter(Boolean).join(" · "));
}

function connectorPart(connector, charger) {
  const most = connector.current_offered || charger.current_limit || charger.max_current;
  const part = element("div", "connector");
  if (charger.connectors.length > 1) {
    const which = element("span", "faint", `Connector ${connector.connector}`);
    part.append(element("div", "which", which, statusChip(connector.status, charger.connected)));
  }
  const flows = charger.connected && connector.charging;
  part.append(element("div", "now", power(charger.connected ? connector.power : null), flows ? flow(connector, most) : null));
  part.append(bar(flows ? connector.current / most : 0));
  part.append(element("dl", "facts", ...sessionFacts(connector.session), fact("Meter", shown(connector.energy_kwh, "kWh", 1))));
  if (connector.error !== "NoError") {
    part.append(element("p", "error bad", [connector.error, connector.info].filter(Boolean).join(": ")));
  }
  return part;
}

function chargerCard(charger) {
  const what = [charger.vendor, charger.model].filter(Boolean).join(" ");
  const how = charger.ocpp_version ? `OCPP ${charger.ocpp_version}` : "";
  const since = charger.connected || !charger.last_heard ? "" : `last heard ${when(charger.last_heard)}`;
  const name = element("div", "", element("h3", "", charger.name),
    element("p", "faint", [what, how, since].filter(Boolean).join(" · ")));
  const several = charger.connected && charger.connectors.length > 1; // each then has its own
  const only = charger.connectors.length ? charger.connectors[0].status : "unknown";
  const chip = several ? null : statusChip(only, charger.connected);
  return element("article", charger.connected ? "card" : "card away", element("div", "top", name, chip),
    ...charger.connectors.map((connector) => connectorPart(connector, charger)));
}

// Chargers that wait for a click

function strangerItem(stranger) {
  const who = element("span", "", element("b", "", stranger.charger), ` from ${stranger.address}`);
  const button = element("button", "", "Accept");
  button.setAttribute("aria-label", `Accept ${stranger.charger}`);
  button.addEventListener("click", () => accept(stranger, button));
  return element("li", "card", who, button);
}

async function accept(stranger, button) {
  button.disabled = true;
  const answer = await fetch("api/chargers/accept", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ charger: stranger.charger }),
  }).catch(() => null);
  button.disabled = answer !== null && answer.ok;
  button.textContent = button.disabled ? "Accepted" : "Try again";
}

// Sessions

function sessionRow(session) {
  const row = element("tr");
  const ended = session.ended_at === null ? "Running" : ENDED[session.reason] || words(session.reason);
  for (const text of [when(session.started_at), session.name, session.id_tag || "–", ended]) {
    row.append(element("td", "", text));
  }
  const figures = [duration(session.duration_s), shown(session.energy_kwh, "kWh", 2), money(session.cost, session.currency)];
  for (const text of figures) row.append(element("td", "number", text));
  return row;
}

// The whole

const last = {};

/** Show something anew only where it changed: what somebody selects or points at stays. */
function show(id, items, make) {
  const text = JSON.stringify(items);
  if (last[id] === text) return;
  last[id] = text;
  (id === "strangers" ? $(id).querySelector("ul") : $(id)).replaceChildren(...items.map(make));
}

function line(text, className) {
  if ($("line").textContent !== text) $("line").textContent = text;
  $("line").className = `chip ${className}`;
}

function mqttLine(mqtt) {
  if (mqtt.connected) line(`MQTT ${mqtt.broker}`, "good");
  else if (mqtt.broker) line(`MQTT broker ${mqtt.broker} is away`, "bad");
  else line("no MQTT broker", "waits");
}

async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) location.reload(); // the login has run out
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function refresh() {
  try {
    const [status, list] = await Promise.all([ask("status"), ask(`sessions?limit=${SESSIONS}`)]);
    const chargers = Object.values(status.chargers);
    show("chargers", chargers, chargerCard);
    show("strangers", status.waiting, strangerItem);
    const named = (session) => ({ ...session, name: status.chargers[session.charger]?.name || session.charger });
    show("sessions", list.sessions.map(named), sessionRow);
    $("none").hidden = chargers.length > 0;
    $("strangers").hidden = status.waiting.length === 0;
    $("last").hidden = list.sessions.length === 0;
    mqttLine(status.mqtt);
    await showControl(status);
  } catch {
    line("the service does not answer", "bad");
  }
}

async function live() {
  if (!document.hidden) await refresh();
  setTimeout(live, EVERY);
}

/** Where chargers connect: here, but for the path of ingress, which is Home Assistant's and not for chargers. */
function chargersAddress() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return location.pathname === "/" ? `${scheme}://${location.host}/charger/` : `ws://${location.hostname}:9000/charger/`;
}

$("url").textContent = chargersAddress();
document.addEventListener("visibilitychange", () => document.hidden || refresh());
live();
